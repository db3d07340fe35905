package outbound_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/dataplane/outbound"
)

// waits makes a request of each item, but for those whose event is {"wait":1}.
type waits struct{}

func (waits) Build(b destination.Batch) (reqs []destination.Request, verdicts []destination.Verdict) {
	for i, it := range b.Items {
		if string(it.Event.JSON) == `{"wait":1}` {
			verdicts = append(verdicts, destination.Verdict{Item: i, Outcome: destination.Retry, Code: "busy"})
			continue
		}
		reqs = append(reqs, destination.Request{Method: "POST", URL: "http://dst/", Body: it.Event.JSON, Items: []int{i}})
	}
	return reqs, verdicts
}

func (waits) Judge(r destination.Request, res destination.Response) []destination.Verdict {
	return destination.Classify(r, res)
}

// TestNothingOvertakesWhatAKindPutsOff: where order is kept, items behind one that the kind
// wants to see again are not tried.
func TestNothingOvertakesWhatAKindPutsOff(t *testing.T) {
	t.Parallel()
	for ordered, want := range map[bool]string{true: "[1 3 0 0] sent 1", false: "[1 3 1 3] sent 2"} {
		sent := 0
		link := outbound.Link{Deps: destination.Deps{Now: time.Now}, Do: func(context.Context, destination.Request, time.Duration) (destination.Response, error) {
			sent++
			return destination.Response{Status: 200}, nil
		}}
		var b destination.Batch
		for _, text := range []string{`{}`, `{"wait":1}`, `{}`, `{"wait":1}`} {
			b.Items = append(b.Items, destination.Item{Event: event.Event{JSON: []byte(text)}})
		}
		results := make([]outbound.Result, len(b.Items))
		link.Send(t.Context(), &destination.Target{Opened: destination.Opened{HTTP: waits{}, Limits: destination.Limits{Ordered: ordered, BatchSize: 10}}}, b, results)
		var outcomes []int
		for _, r := range results {
			outcomes = append(outcomes, int(r.Outcome))
		}
		if got := fmt.Sprint(outcomes, " sent ", sent); got != want {
			t.Errorf("ordered %v: %s, want %s", ordered, got, want)
		}
	}
}
