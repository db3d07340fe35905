package outbound_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/outbound"
)

// staged makes one request of all events at each of three stages.
type staged struct{}

func (staged) Build(b destination.Batch) ([]destination.Request, []destination.Verdict) {
	reqs, _ := joined{}.Build(b)
	reqs[0].Body = append([]byte(fmt.Sprintf("%d: ", b.Stage)), reqs[0].Body...)
	if b.Stage < 2 {
		reqs[0].Next = b.Stage + 1
	}
	return reqs, nil
}

// Judge lets an event that is named in the answer be as the answer says.
func (staged) Judge(req destination.Request, res destination.Response) []destination.Verdict {
	texts := strings.Split(string(req.Body), " ")[1:]
	var all []destination.Verdict
	for i, item := range req.Items {
		v := destination.Verdict{Item: item, Outcome: destination.Delivered}
		switch string(res.Body) {
		case "dead " + texts[i]:
			v.Outcome, v.Code = destination.Dead, "rejected_400"
		case "retry " + texts[i]:
			v.Outcome, v.Code = destination.Retry, "busy"
		case "split":
			v.Outcome, v.Code = destination.Split, "rejected_413"
		}
		all = append(all, v)
	}
	return all
}

// TestRequestsFollowOthers: what one stage delivered is built again at the next; a result
// is that of the last request, and what a stage does not deliver goes no further.
func TestRequestsFollowOthers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answers map[string]string // by request
		sent    []string
		results []destination.Outcome
	}{
		"all of them":       {nil, []string{"0: a b c", "1: a b c", "2: a b c"}, []destination.Outcome{1, 1, 1}},
		"dead at the first": {map[string]string{"0: a b c": "dead b"}, []string{"0: a b c", "1: a c", "2: a c"}, []destination.Outcome{1, 4, 1}},
		"dead at the last":  {map[string]string{"2: a b c": "dead c"}, []string{"0: a b c", "1: a b c", "2: a b c"}, []destination.Outcome{1, 1, 4}},
		"a retry":           {map[string]string{"1: a b c": "retry a"}, []string{"0: a b c", "1: a b c", "2: b c"}, []destination.Outcome{3, 1, 1}},
		"halves of a stage": {map[string]string{"1: a b c": "split"}, []string{"0: a b c", "1: a b c", "1: a b", "2: a b", "1: c", "2: c"}, []destination.Outcome{1, 1, 1}},
		"halves of the first": {map[string]string{"0: a b c": "split"}, []string{"0: a b c", "0: a b", "1: a b", "2: a b", "0: c", "1: c", "2: c"},
			[]destination.Outcome{1, 1, 1}},
	} {
		var sent []string
		link := &outbound.Link{Deps: destination.Deps{Now: func() time.Time { return time.Unix(1e9, 0) }}, Do: func(_ context.Context, r destination.Request, _ time.Duration) (destination.Response, error) {
			sent = append(sent, string(r.Body))
			return destination.Response{Status: 200, Body: []byte(tc.answers[string(r.Body)])}, nil
		}}
		b := batch("a", "b", "c")
		results := make([]outbound.Result, 3)
		link.Send(t.Context(), &destination.Target{Opened: destination.Opened{HTTP: staged{}, Limits: destination.Limits{BatchSize: 3, Ordered: true}}}, b, results)
		var got []destination.Outcome
		for _, r := range results {
			got = append(got, r.Outcome)
		}
		if !slices.Equal(sent, tc.sent) || !slices.Equal(got, tc.results) {
			t.Errorf("%s: sent %q, want %q; results %v, want %v", name, sent, tc.sent, got, tc.results)
		}
	}
}

// endless says at every stage that more follows.
type endless struct{ joined }

func (endless) Build(b destination.Batch) ([]destination.Request, []destination.Verdict) {
	reqs, _ := joined{}.Build(b)
	reqs[0].Next = b.Stage + 1
	return reqs, nil
}

// TestStagesEnd: a kind that never ends does not keep a lane.
func TestStagesEnd(t *testing.T) {
	t.Parallel()
	requests := 0
	link := &outbound.Link{Deps: destination.Deps{Now: func() time.Time { return time.Unix(1e9, 0) }}, Do: func(context.Context, destination.Request, time.Duration) (destination.Response, error) {
		requests++
		return destination.Response{Status: 200}, nil
	}}
	results := make([]outbound.Result, 1)
	link.Send(t.Context(), &destination.Target{Opened: destination.Opened{HTTP: endless{}, Limits: destination.Limits{BatchSize: 1}}}, batch("a"), results)
	if requests != (destination.Request{}).MaxStages() || results[0].Outcome != destination.Delivered {
		t.Errorf("%d requests, result %+v; want 128 and delivered", requests, results[0])
	}
}
