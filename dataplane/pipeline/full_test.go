package pipeline_test

import (
	"fmt"
	"testing"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/plan"
	"weir/dataplane/quarantine"
	"weir/dataplane/queue"
	"weir/dataplane/queue/queuetest"
	"weir/dataplane/route"
	"weir/dataplane/transform"
	"weir/shared/id"
	"weir/shared/workspace"
)

// TestAFailingBlobStoreHoldsUpNobody has every log at its limit, and a blob store that takes
// nothing of one tenant's keys or of anybody's, through deaths of the process. That tenant's
// events fill the logs: some broke a rule, some its code refuses, one destination is down
// and one takes nothing ever, and its workspace is not loaded for a while. The events of a
// neighbour arrive at once all the same, and in the end so do all others, or they are kept.
func TestAFailingBlobStoreHoldsUpNobody(t *testing.T) {
	queuetest.Simulate(t, 12, func(t testing.TB, seed uint64) {
		w := newHarness(t, seed)
		w.neighbour()
		w.fill()
		w.journal, w.unloads = journalMax, seed%2 == 0
		w.limits[queue.Parked], w.limits[queue.Dead] = 8<<10, 3<<10
		w.faults(queuetest.Faults{MaxBytes: w.journal}, queue.Journal)
		pr := w.start()
		defer func() { pr.stop() }()
		if w.unloads {
			w.load(false)
		}
		names, arrived := []id.Destination{shaky, coded}, 0
		for round := range 12 {
			w.fail([]string{"", string(source), string(names[round%2])}[seed%3])
			w.answers(shaky, always([]int{503, 400}[round/3%2], time.Millisecond))
			if round == 4 {
				w.load(true)
			}
			if round%4 == 3 {
				pr.crash()
				pr = w.start()
				time.Sleep(time.Second)
			}
			w.flood(20)
			began := time.Now()
			for range 5 {
				arrived++
				w.good(arrived)
			}
			w.wait("the neighbour's events arrive", func() bool { return len(w.of(quick, "good")) >= arrived })
			if took := time.Since(began); took > time.Second {
				t.Errorf("seed %d, round %d: the neighbour's events took %v, want a second at most", seed, round, took)
			}
		}
		for _, k := range []queue.Kind{queue.Quarantine, queue.Parked} {
			if st, err := pr.logs[k].State(t.Context()); err != nil || int64(st.Bytes) <= max(w.full, w.limits[k])*9/10 && seed%3 == 0 {
				t.Errorf("seed %d: %s has %d bytes, %v, want it past its shares", seed, k, st.Bytes, err)
			}
		}
		w.away.Store(nil)
		w.answers(shaky, nil)
		w.settled(pr)
		w.balanced(pr)
		w.rewrote(pr)
		if own := row(pr, ""); own.Quarantined-own.Replayed < int64(w.broken) {
			t.Errorf("seed %d: the entry is %+v, want %d events that broke a rule", seed, own, w.broken)
		}
		for _, r := range pr.p.Entries() {
			if r.Workspace == neighbour && r.Destination == quick && (r.Delivered < int64(arrived) || !r.Balanced) {
				t.Errorf("seed %d: the neighbour's entry is %+v, want %d delivered", seed, r, arrived)
			}
		}
	})
}

// quick is the neighbour's own destination, and near its source.
const (
	quick id.Destination = "dst_quick"
	near  id.Source      = "src_near"
)

// neighbour gives the neighbour a source and a destination of its own.
func (w *harness) neighbour() {
	c := workspace.Config{
		Sources: []workspace.Source{{ID: near, Name: "near"}}, Destinations: []workspace.Destination{{ID: quick, Name: "quick", Type: "hook"}},
		Connections: []workspace.Connection{{Source: near, Destination: quick}},
	}
	w.table[near] = &plan.Routing{Revision: 1, Table: route.Compile(c)[near], Chains: []*transform.Chain{nil}}
}

// good accepts an event of the neighbour.
func (w *harness) good(n int) {
	e := event.Event{Workspace: neighbour, Source: near, MessageID: id.Event(fmt.Sprint("g", n)), Type: "track", User: "good", ReceivedAt: time.Now().UTC(), JSON: fmt.Appendf(nil, `"good %d"`, n)}
	if _, err := w.disk[queue.Events].Share().Append(w.t.Context(), "", queue.EncodeFrame([]event.Event{e})); err != nil {
		w.t.Fatal(err)
	}
}

// flood accepts frames of the other tenant, of which most events are large and broke a rule.
func (w *harness) flood(frames int) {
	for range frames {
		w.accept(4)
		var events []event.Event
		for range 2 {
			w.serial++
			w.broken++
			events = append(events, event.Event{
				Workspace: ws, Source: source, MessageID: id.Event(fmt.Sprint("m", w.serial)), Type: "track", User: "u0", Quarantine: "too_deep", ReceivedAt: time.Now().UTC(), JSON: fmt.Appendf(nil, `"%x"`, noise(w)),
			})
		}
		w.append(events)
	}
}

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
