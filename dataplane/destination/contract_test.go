package destination_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/shared/fault"
)

// plain makes a request of each event.
type plain struct{}

func (plain) Build(b destination.Batch) ([]destination.Request, []destination.Verdict) {
	reqs := make([]destination.Request, len(b.Items))
	for i, it := range b.Items {
		reqs[i] = destination.Request{Method: "POST", URL: "http://dst/", Body: it.Event.JSON, Items: []int{i}}
	}
	return reqs, nil
}

func (plain) Judge(r destination.Request, s destination.Response) []destination.Verdict {
	return destination.Classify(r, s)
}

// odd builds and judges as the type of the first event or the answer's body asks for.
type odd struct{ plain }

func (o odd) Build(b destination.Batch) ([]destination.Request, []destination.Verdict) {
	switch b.Items[0].Event.Type {
	case "drop":
		return nil, []destination.Verdict{{Outcome: destination.Dropped, Code: "not_wanted"}}
	case "panic":
		panic("a bug")
	case "lose":
		return nil, nil
	case "double":
		reqs, _ := o.plain.Build(b)
		return append(reqs, reqs[0]), nil
	case "invent":
		return nil, []destination.Verdict{{Item: len(b.Items), Outcome: destination.Delivered}}
	case "no outcome":
		return nil, []destination.Verdict{{}}
	}
	return o.plain.Build(b)
}

func (o odd) Judge(r destination.Request, s destination.Response) []destination.Verdict {
	switch string(s.Body) {
	case "panic":
		panic("a bug")
	case "lose":
		return nil
	case "double":
		all := destination.Classify(r, s)
		return append(all[:len(all)-1], all[0])
	case "no outcome":
		return make([]destination.Verdict, len(r.Items))
	case "talk":
		return []destination.Verdict{{Item: r.Items[0], Outcome: destination.Retry, Detail: strings.Repeat("x", 1<<20), After: 100 * time.Hour}}
	}
	return destination.Classify(r, s)
}

func TestBuildEndsEachItemOnceWhateverTheKindDoes(t *testing.T) {
	t.Parallel()
	for typ, want := range map[string]struct {
		requests int
		code     string
	}{
		"track": {1, ""}, "drop": {0, "not_wanted"}, "panic": {0, "kind_fault"}, "lose": {0, "kind_fault"},
		"double": {0, "kind_fault"}, "invent": {0, "kind_fault"}, "no outcome": {0, "kind_fault"},
	} {
		b := destination.Batch{Items: []destination.Item{{Event: event.Event{Type: typ, JSON: []byte(`{}`)}, Attempt: 1}}}
		requests, verdicts := destination.Build(odd{}, b)
		if len(requests) != want.requests || len(requests)+len(verdicts) != 1 || len(verdicts) == 1 && verdicts[0].Code != want.code {
			t.Errorf("%s: Build = %v, %v, want %d requests and code %q", typ, requests, verdicts, want.requests, want.code)
		}
	}
}

func TestJudgeGivesEachItemOneVerdictWhateverTheKindDoes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	later := http.Header{"Retry-After": {"7"}}
	for name, tc := range map[string]struct {
		items []int
		res   destination.Response
		err   error
		want  destination.Verdict
	}{
		"taken":                    {[]int{1, 2}, destination.Response{Status: 200}, nil, destination.Verdict{Outcome: destination.Delivered}},
		"put off":                  {[]int{1}, destination.Response{Status: 429, Header: later}, nil, destination.Verdict{Outcome: destination.Retry, Code: "busy", After: 7 * time.Second}},
		"asks for too much":        {[]int{3}, destination.Response{Status: 500, Body: []byte("talk")}, nil, destination.Verdict{Outcome: destination.Retry, Detail: strings.Repeat("x", 2<<10), After: time.Hour}},
		"no answer":                {[]int{0}, destination.Response{}, errors.New("connection reset"), destination.Verdict{Outcome: destination.Retry, Code: "network"}},
		"no answer in time":        {[]int{0}, destination.Response{}, os.ErrDeadlineExceeded, destination.Verdict{Outcome: destination.Retry, Code: "timeout"}},
		"ended by its context":     {[]int{0}, destination.Response{}, context.Canceled, destination.Verdict{Outcome: destination.Retry, Code: "timeout"}},
		"refused by the policy":    {[]int{0}, destination.Response{}, fault.New(fault.Denied, "Private."), destination.Verdict{Outcome: destination.Dead, Code: "egress_denied", Detail: "Private."}},
		"refused as it resolved":   {[]int{0}, destination.Response{}, &fault.Error{Kind: fault.Unavailable, Problems: []fault.Problem{{Code: "egress_denied", Text: "Private."}}}, destination.Verdict{Outcome: destination.Retry, Code: "egress_denied", Detail: "Private."}},
		"a request HTTP has not":   {[]int{0}, destination.Response{}, fault.New(fault.Invalid, "No."), destination.Verdict{Outcome: destination.Dead, Code: "kind_fault", Detail: "The kind built a request that HTTP cannot carry."}},
		"a kind that panics":       {[]int{0, 1}, destination.Response{Body: []byte("panic")}, nil, unjudged},
		"a kind that loses one":    {[]int{0, 1}, destination.Response{Body: []byte("lose")}, nil, unjudged},
		"a kind that repeats one":  {[]int{0, 1}, destination.Response{Body: []byte("double")}, nil, unjudged},
		"a kind without a verdict": {[]int{0, 1}, destination.Response{Body: []byte("no outcome")}, nil, unjudged},
	} {
		got := destination.Judge(odd{}, destination.Request{Items: tc.items}, tc.res, tc.err, now)
		if diff := cmp.Diff(each(tc.items, tc.want), got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

func TestWroteGivesEachItemOneVerdict(t *testing.T) {
	t.Parallel()
	good := destination.Verdict{Outcome: destination.Delivered}
	for name, tc := range map[string]struct {
		verdicts []destination.Verdict
		err      error
		want     destination.Verdict
	}{
		"taken":      {each([]int{1, 0}, good), nil, good},
		"lost one":   {each([]int{1}, good), nil, unjudged},
		"broken off": {nil, errors.New("broken pipe"), destination.Verdict{Outcome: destination.Retry, Code: "network"}},
		"invalid":    {nil, fault.New(fault.Invalid, "The server is not in a state for it."), destination.Verdict{Outcome: destination.Retry, Code: "network"}},
	} {
		got := destination.Wrote(2, tc.verdicts, tc.err)
		slices.SortFunc(got, func(a, b destination.Verdict) int { return a.Item - b.Item })
		if diff := cmp.Diff(each([]int{0, 1}, tc.want), got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

var unjudged = destination.Verdict{Outcome: destination.Dead, Code: "kind_fault", Detail: "The kind could not judge the answer."}

// each gives every item the verdict v.
func each(items []int, v destination.Verdict) []destination.Verdict {
	all := make([]destination.Verdict, len(items))
	for i, item := range items {
		all[i] = v
		all[i].Item = item
	}
	return all
}
