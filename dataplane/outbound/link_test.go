package outbound_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/dataplane/outbound"
	"weir/shared/filter"
)

// each makes a request of every event.
type each struct{}

func (each) Build(b destination.Batch) (reqs []destination.Request, verdicts []destination.Verdict) {
	for i, it := range b.Items {
		if it.Event.Type == "odd" {
			verdicts = append(verdicts, destination.Verdict{Item: i, Outcome: destination.Dropped, Code: "unsupported_event"})
			continue
		}
		reqs = append(reqs, destination.Request{Body: it.Event.JSON, Items: []int{i}})
	}
	return reqs, verdicts
}

func (each) Judge(r destination.Request, s destination.Response) []destination.Verdict {
	return destination.Classify(r, s)
}

// batch is events that are answered as their texts say.
func batch(texts ...string) destination.Batch {
	var b destination.Batch
	for _, text := range texts {
		e := event.Event{Type: "track", JSON: []byte(text)}
		if text == "odd" {
			e.Type = "odd"
		}
		b.Items = append(b.Items, destination.Item{Event: e, Attempt: 1})
	}
	return b
}

func TestWhatBecameOfABatch(t *testing.T) {
	t.Parallel()
	link := outbound.Link{Deps: destination.Deps{Now: time.Now}, Do: func(_ context.Context, r destination.Request, _ time.Duration) (destination.Response, error) {
		switch string(r.Body) {
		case "400":
			return destination.Response{Status: 400, Body: []byte("no")}, nil
		case "500":
			return destination.Response{Status: 500}, nil
		case "503":
			return destination.Response{Status: 503}, nil
		case "none":
			return destination.Response{}, errors.New("connection reset")
		}
		return destination.Response{Status: 200}, nil
	}}
	defer link.Close()
	yes := outbound.Result{Outcome: destination.Delivered, Status: 200}
	dropped := outbound.Result{Outcome: destination.Dropped, Code: "unsupported_event"}
	stumbled := outbound.Result{Outcome: destination.Retry, Code: "server_error", Status: 500}
	for name, tc := range map[string]struct {
		ordered bool
		texts   string
		want    outbound.Outcome
		results []outbound.Result
	}{
		"all are taken":                          {true, "200 odd 200", outbound.Outcome{Answered: true}, []outbound.Result{yes, dropped, yes}},
		"a refusal is an answer":                 {true, "400 200", outbound.Outcome{Answered: true}, []outbound.Result{{Outcome: destination.Dead, Code: "rejected_400", Detail: "no", Status: 400}, yes}},
		"nothing overtakes in order":             {true, "200 500 200", outbound.Outcome{Answered: true, Failed: true}, []outbound.Result{yes, stumbled, {}}},
		"without order the others go":            {false, "500 200", outbound.Outcome{Answered: true, Failed: true}, []outbound.Result{stumbled, yes}},
		"a side that is busy is down":            {true, "503", outbound.Outcome{Failed: true, Unreachable: true}, []outbound.Result{{Outcome: destination.Retry, Code: "server_error", Status: 503}}},
		"a side that does not answer is down":    {true, "none", outbound.Outcome{Failed: true, Unreachable: true}, []outbound.Result{{Outcome: destination.Retry, Code: "network"}}},
		"a batch without a request says nothing": {true, "odd", outbound.Outcome{}, []outbound.Result{dropped}},
	} {
		target := &destination.Target{Opened: destination.Opened{HTTP: each{}, Limits: destination.Limits{Ordered: tc.ordered, BatchSize: 10}}}
		texts := strings.Fields(tc.texts)
		results := make([]outbound.Result, len(texts))
		got := link.Send(t.Context(), target, batch(texts...), results)
		if diff := cmp.Diff(tc.want, got) + cmp.Diff(tc.results, results); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

// TestEventsThatATargetDoesNotTakeAreDroppedFromItsBatch: the results of the others stand
// in their places, of requests and of a sink.
func TestEventsThatATargetDoesNotTakeAreDroppedFromItsBatch(t *testing.T) {
	t.Parallel()
	var bodies []string
	closed := 0
	link := outbound.Link{Deps: destination.Deps{Now: time.Now}, Do: func(_ context.Context, r destination.Request, _ time.Duration) (destination.Response, error) {
		bodies = append(bodies, string(r.Body))
		return destination.Response{Status: 200}, nil
	}}
	defer link.Close()
	names := filter.Events{Deny: []string{"B*"}}.Names()
	named := func(name string) string { return `{"event":"` + name + `"}` }
	for kind, opened := range map[string]destination.Opened{
		"requests": {HTTP: each{}, Names: names},
		"a sink":   {Sink: func(context.Context, destination.Deps) (destination.Sink, error) { return pipe{closed: &closed}, nil }, Names: names},
	} {
		b := batch(named("B1"), named("A"), named("B2"), named("C"))
		for i := range b.Items {
			b.Items[i].Event.Type = "track"
		}
		results := make([]outbound.Result, 4)
		if got := link.Send(t.Context(), &destination.Target{Opened: opened}, b, results); !got.Answered || got.Failed {
			t.Errorf("%s: %+v", kind, got)
		}
		for i, want := range []destination.Outcome{destination.Dropped, destination.Delivered, destination.Dropped, destination.Delivered} {
			if got := results[i]; got.Outcome != want || (got.Code == "event_filtered") != (want == destination.Dropped) {
				t.Errorf("%s: item %d: %+v, want outcome %d", kind, i, got, want)
			}
		}
		some := destination.Batch{Items: b.Items[:1]}
		if got := link.Send(t.Context(), &destination.Target{Opened: opened}, some, results[:1]); got != (outbound.Outcome{}) {
			t.Errorf("%s: a batch of which nothing is sent says %+v", kind, got)
		}
	}
	if want := []string{named("A"), named("C")}; !slices.Equal(bodies, want) {
		t.Errorf("sent %q, want %q", bodies, want)
	}
}

// pipe is a sink that takes all, or fails.
type pipe struct {
	err    error
	closed *int
}

func (p pipe) Close() error { *p.closed++; return nil }

func (p pipe) Write(_ context.Context, b destination.Batch) ([]destination.Verdict, error) {
	verdicts := make([]destination.Verdict, len(b.Items))
	for i := range verdicts {
		verdicts[i] = destination.Verdict{Item: i, Outcome: destination.Delivered}
	}
	return verdicts, p.err
}

func TestASinkIsOpenedOnceForEachTarget(t *testing.T) {
	t.Parallel()
	var opened, closed int
	to := func(err error) *destination.Target {
		return &destination.Target{Opened: destination.Opened{Sink: func(context.Context, destination.Deps) (destination.Sink, error) {
			opened++
			return pipe{err, &closed}, nil
		}}}
	}
	var link outbound.Link
	send := func(target *destination.Target) (outbound.Outcome, destination.Outcome) {
		results := make([]outbound.Result, 1)
		did := link.Send(t.Context(), target, batch("x"), results)
		return did, results[0].Outcome
	}
	good, bad := to(nil), to(errors.New("broken pipe"))
	for range 2 {
		if did, got := send(good); did != (outbound.Outcome{Answered: true}) || got != destination.Delivered {
			t.Errorf("%+v, item %d; want it delivered", did, got)
		}
	}
	if did, got := send(bad); did != (outbound.Outcome{Failed: true, Unreachable: true}) || got != destination.Retry {
		t.Errorf("%+v, item %d; want a retry of a side that is down", did, got)
	}
	if opened != 2 || closed != 1 {
		t.Errorf("opened %d, closed %d; want 2 and 1", opened, closed)
	}
	if link.Close(); closed != 2 {
		t.Errorf("closed %d after Close, want 2", closed)
	}
}
