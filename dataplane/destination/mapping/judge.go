package mapping

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destination/fields"
	"weir/dataplane/destination/values"
	"weir/shared/catalog/calls"
)

var outcomes = map[string]destination.Outcome{
	"delivered": destination.Delivered, "dropped": destination.Dropped, "retry": destination.Retry, "dead": destination.Dead, "split": destination.Split,
}

// answer is a compiled answer.
type answer struct {
	*calls.Answer
	reads   *values.Reads
	when    values.Condition
	detail  values.Sources
	after   values.Sources
	element *values.Reads
	where   values.Condition
}

// answer compiles an answer. Its paths lead into the answer's body.
func (c *compiler) answer(in *calls.Answer) answer {
	a := answer{Answer: in, reads: values.NewReads(), element: values.NewReads()}
	inner := c.Below(a.reads)
	a.when = inner.Always(in.When)
	a.detail, a.after = inner.Sources(in.Detail), inner.Sources(in.After)
	a.where = c.Below(a.element).Always(in.Where)
	return a
}

// Judge implements destination.Destination.
func (m *mapped) Judge(req destination.Request, res destination.Response) []destination.Verdict {
	if m.judge != nil {
		if all := m.judge(req, res); all != nil {
			return all
		}
	}
	all := destination.Classify(req, res)
	body := fields.Value(bytes.TrimSpace(res.Body))
	for i := range m.answers {
		a := &m.answers[i]
		if !a.fits(res, body) {
			continue
		}
		s := values.Within(a.reads, body, 0)
		if len(a.Items) == 0 {
			for n := range all {
				a.set(&all[n], res, a.Is, a.Code, s)
			}
			return all
		}
		if m.parts(a, req, res, body, s, all) {
			return all
		}
	}
	return all
}

// fits reports whether an answer is meant.
func (a *answer) fits(res destination.Response, body fields.Value) bool {
	if !slices.Contains(a.Status, res.Status) && !slices.Contains(a.Status, res.Status/100) {
		return false
	}
	if a.Contains != "" && !bytes.Contains(res.Body, []byte(a.Contains)) {
		return false
	}
	return len(a.when) == 0 || a.when.Holds(values.Within(a.reads, body, 0))
}

// set makes v what an answer means.
func (a *answer) set(v *destination.Verdict, res destination.Response, is, code string, s *values.Scope) {
	if res.Status >= 500 {
		is = "retry"
	}
	v.Outcome = outcomes[is]
	if code != "" {
		v.Code = code
	}
	switch v.Outcome {
	case destination.Delivered:
		v.Code, v.Detail = "", ""
		return
	case destination.Retry:
		v.After = a.wait(s)
	}
	if detail := a.detail.Get(s).Text(); detail != "" {
		v.Detail = detail
	} else if v.Detail == "" {
		v.Detail = strings.ToValidUTF8(string(res.Body[:min(len(res.Body), 1<<10)]), "\uFFFD")
	}
	if v.Code == "" {
		v.Code = "unexpected_status"
	}
}

// wait is how long an answer says to wait, an hour at most.
func (a *answer) wait(s *values.Scope) time.Duration {
	n, ok := a.after.Get(s).Raw().Number()
	if !ok || n <= 0 {
		return 0
	}
	return time.Duration(min(n*float64(a.Unit), float64(time.Hour)))
}

// parts makes verdicts of the elements of an answer. It reports whether it says anything.
func (m *mapped) parts(a *answer, req destination.Request, res destination.Response, body fields.Value, s *values.Scope, all []destination.Verdict) bool {
	of := map[int]*destination.Verdict{} // by item
	for n := range all {
		of[all[n].Item] = &all[n]
	}
	refused := map[int]bool{}
	var names map[string]int
	for _, path := range a.Items {
		reach(body, path, 0, func(e fields.Value, at int) {
			inner := values.Within(a.element, e, at)
			if !a.where.Holds(inner) {
				return
			}
			item := -1
			if a.ID != nil {
				if names == nil {
					names = m.ids(req, a.Part)
				}
				if found, there := names[follow(e, a.ID).Text()]; there {
					item = found
				}
			} else {
				item = itemOf(req, a.position(e, at))
			}
			v := of[item]
			if v == nil || refused[item] {
				return
			}
			refused[item] = true
			is, code := a.Is, a.Code
			if r, known := a.Reasons[follow(e, a.Reason).Text()]; known && a.Reason != nil {
				if r.Is != "" {
					is = r.Is
				}
				code = r.Code
			}
			v.Detail = strings.ToValidUTF8(string(e[:min(len(e), 1<<10)]), "\uFFFD")
			a.set(v, res, is, code, s)
		})
	}
	success := res.Status >= 200 && res.Status < 300
	if len(refused) == 0 && !success {
		return false
	}
	others := a.Others
	if others == "" {
		if others = "split"; success {
			others = "delivered"
		}
	}
	if others == "delivered" && res.Cut && len(all) > 1 {
		others = "split" // what was cut off may have refused any of them
	}
	for n := range all {
		if !refused[all[n].Item] {
			a.set(&all[n], res, others, "", s)
		}
	}
	return true
}
