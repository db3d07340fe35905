package mapping

import (
	"bytes"
	"slices"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destination/fields"
	"weir/dataplane/destination/values"
	"weir/shared/catalog/calls"
)

// trial is the compiled request by which a connection is tested.
type trial struct {
	request
	body    values.Value
	status  []int
	answers *values.Reads
	when    values.Condition
}

func (c *compiler) trial(in *calls.Request, good calls.Answer) *trial {
	t := &trial{request: c.request(in), body: c.content(in.Body), status: good.Status, answers: values.NewReads()}
	t.when = c.Below(t.answers).Always(good.When)
	return t
}

// Test returns the request by which a connection is tested: it changes nothing, and Accepted
// reads its answer. ok is false where the file declares none. It is built as of an event in which
// nothing is.
func (m *mapped) Test(now time.Time) (r destination.Request, ok bool) {
	t := m.trial
	if t == nil {
		return destination.Request{}, false
	}
	sc, _ := scratches.Get().(*scratch)
	defer sc.free()
	it := destination.Item{Attempt: 1}
	it.Event.JSON, it.Event.ReceivedAt = []byte("{}"), now
	s := sc.Read(m.reads, &it, now)
	r = destination.Request{Method: t.method, URL: t.target(s), Header: t.head(s), Items: []int{0}}
	if t.body != nil {
		built, _ := t.body.Append(nil, s)
		r.Body = t.written(built)
	}
	return r, true
}

// Accepted reports whether an answer to the request of Test is a good one.
func (m *mapped) Accepted(res destination.Response) bool {
	t := m.trial
	if t == nil || !slices.Contains(t.status, res.Status) && !slices.Contains(t.status, res.Status/100) {
		return false
	}
	return len(t.when) == 0 || t.when.Holds(values.Within(t.answers, fields.Value(bytes.TrimSpace(res.Body)), 0))
}
