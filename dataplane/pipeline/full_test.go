package pipeline_test

import (
	"fmt"
	"testing"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/quarantine"
	"weir/shared/id"
)

// TestAFullQuarantineHoldsUpNobody sends, into a QUARANTINE that takes 4,000 bytes,
// twenty times that many, with good events between. These arrive at once, and what is
// in QUARANTINE can be discarded and replayed in parts although it is full.
func TestAFullQuarantineHoldsUpNobody(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		w.fill()
		pr := w.start()
		defer func() { pr.stop() }()
		const frames, each = 100, 8
		for n := range frames {
			var events []event.Event
			for i := range each {
				code := []string{"no_id", "too_deep"}[i%2]
				events = append(events, event.Event{
					Workspace: ws, Source: source, MessageID: "x", Type: "track", User: "u", Quarantine: code, JSON: fmt.Appendf(nil, `"%x"`, noise(w)),
				})
			}
			events = append(events, event.Event{Workspace: ws, Source: source, MessageID: id.Event(fmt.Sprint("m", n)), Type: "track", User: "u", JSON: fmt.Appendf(nil, `"u %d"`, 11*n)})
			w.append(events)
		}
		sent := time.Now()
		w.wait("the good events arrive", func() bool { return len(w.at(steady)) == frames })
		if took := time.Since(sent); took > time.Second {
			t.Errorf("the good events took %v, want a second at most", took)
		}
		w.settled(pr)
		codes := func() map[string]int {
			n := map[string]int{}
			for _, e := range pr.kept() {
				n[e.Quarantine]++
			}
			return n
		}
		before := codes()
		if before["no_id"] != frames*each/2 || before["too_deep"] != frames*each/2 {
			t.Errorf("in QUARANTINE: %v, want %d of each", before, frames*each/2)
		}
		discarded := 0
		for span := (quarantine.Span{}); ; {
			n, rest, err := quarantined(t, pr.p).Remove(t.Context(), quarantine.Filter{Source: source, Code: "no_id"}, span)
			if err != nil {
				t.Fatal(err)
			}
			if discarded += n; rest == (quarantine.Span{}) {
				break
			}
			span = rest
		}
		if n := codes(); discarded != frames*each/2 || n["no_id"] != 0 || n["too_deep"] != frames*each/2 {
			t.Errorf("%d were discarded, left are %v", discarded, n)
		}
		w.balanced(pr)
	})
}

// noise is bytes that cannot be compressed.
func noise(w *harness) []byte {
	b := make([]byte, 100)
	for i := range b {
		b[i] = byte(w.rng.IntN(256))
	}
	return b
}
