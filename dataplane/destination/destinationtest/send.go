package destinationtest

import (
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destination/cases"
	"weir/dataplane/outbound"
	"weir/shared/egress"
	"weir/shared/secret"
)

// Send opens kind, sends events to it in one batch as a lane does, with credentials,
// over the network, and returns a line for each event: its outcome, and its code behind
// a space. Events are JSON objects with a messageId.
func Send(t testing.TB, kind destination.Kind, settings string, secrets map[string]string, events ...string) []string {
	t.Helper()
	opened := map[string]secret.String{}
	for name, s := range secrets {
		opened[name] = secret.NewString(s)
	}
	o, err := kind.Open([]byte(settings), opened)
	if err != nil {
		t.Fatal(err)
	}
	client := outbound.New(outbound.Config{Dial: egress.New(egress.Policy{Private: true}).DialContext})
	defer client.Close()
	link := outbound.Link{Do: client.Do, Plane: client.Plane(), Deps: destination.Deps{Now: time.Now}}
	defer link.Close()
	b := destination.Batch{Now: now}
	for i, text := range events {
		e, err := cases.Event([]byte(text))
		if err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		b.Items = append(b.Items, destination.Item{Event: e, Attempt: 1})
	}
	results := make([]outbound.Result, len(events))
	link.Send(t.Context(), &destination.Target{ID: "dst_kit", Opened: o}, b, results)
	lines := make([]string, len(results))
	for i, r := range results {
		lines[i] = "untried"
		if r.Outcome != 0 {
			lines[i] = cases.Outcome(r.Outcome)
		}
		if r.Code != "" {
			lines[i] += " " + r.Code
		}
	}
	return lines
}
