package pipeline_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/parked"
	"weir/dataplane/pipeline"
	"weir/dataplane/plan"
	"weir/dataplane/quarantine"
	"weir/dataplane/route"
	"weir/dataplane/transform"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/workspace"
)

// workers sets how the workers do.
func (w *harness) workers(f func(events int) (time.Duration, bool)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.code = f
}

func TestSlowCodeDelaysNobodyElseAndFallsBehindWithinBounds(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		var waiting int
		w.workers(func(events int) (time.Duration, bool) {
			waiting += events
			return time.Hour, false
		})
		pr := w.start()
		for range 300 {
			w.accept(5)
		}
		begun := time.Now()
		w.wait("the neighbour has all", func() bool { return row(pr, steady).Delivered >= int64(w.unique()) })
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("the neighbour had all after %v", took)
		}
		// 16 KiB of events are 30 of them; a batch is 5, and two run at once.
		if waiting > 60 {
			t.Errorf("%d events are with the workers, want a bounded number", waiting)
		}
		pr.crash() // also what was behind is found again
		w.workers(func(int) (time.Duration, bool) { return time.Millisecond, false })
		pr = w.start()
		w.settled(pr)
		w.balanced(pr)
		w.complete(coded, false, time.Second)
		w.rewrote(pr)
		pr.stop()
	})
}

func TestWorkersThatAreDownHoldUpOnlyTheirDestination(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		w.workers(func(int) (time.Duration, bool) { return 0, true })
		pr := w.start()
		for range 50 {
			w.accept(5)
		}
		w.wait("the neighbour has all", func() bool { return row(pr, steady).Delivered >= int64(w.unique()) })
		if got := w.at(coded); len(got) > 0 {
			t.Errorf("%d events passed by the code", len(got))
		}
		w.workers(nil)
		w.settled(pr)
		w.balanced(pr)
		w.complete(coded, false, time.Second)
		pr.stop()
	})
}

// TestWhatNeedsNoCodeWaitsBehindWhatDoes: two sources of one user, and one of
// them has a transformation on its way to the same destination.
func TestWhatNeedsNoCodeWaitsBehindWhatDoes(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		const plain id.Source = "src_plain"
		w.route(workspace.Connection{Source: source, Destination: coded, Transformations: []id.Transformation{"tf"}}, workspace.Connection{Source: plain, Destination: coded})
		w.workers(func(int) (time.Duration, bool) { return time.Second, false })
		pr := w.start()
		e := func(s id.Source, n int) event.Event {
			return event.Event{Workspace: ws, Source: s, MessageID: id.Event(fmt.Sprint("m", n)), User: "u", JSON: fmt.Appendf(nil, `"u %d"`, n)}
		}
		w.append([]event.Event{e(source, 1), e(source, 2)})
		w.append([]event.Event{e(plain, 3)})
		w.append([]event.Event{e(source, 4)})
		w.append([]event.Event{e(plain, 6)})
		w.wait("all arrive", func() bool { return len(w.at(coded)) == 5 })
		var got []string
		for _, a := range w.at(coded) {
			got = append(got, a.what)
		}
		if want := `["u 1'" "u 2'" "u 3" "u 4'" "u 6"]`; fmt.Sprint(got) != want {
			t.Errorf("arrived %v, want %v", got, want)
		}
		w.balanced(pr)
		pr.stop()
	})
}

// TestWhatIsOpenNeverPassesByItsCode: while an event is open its connection is
// removed, or its code makes something else of it.
func TestWhatIsOpenNeverPassesByItsCode(t *testing.T) {
	for name, tc := range map[string]struct {
		connection workspace.Connection
		code       string
	}{
		"the connection is removed": {workspace.Connection{Source: source, Destination: steady}, "connection_removed"},
		"the code is removed":       {workspace.Connection{Source: source, Destination: coded}, "transformation_changed"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *harness) {
				w.route(workspace.Connection{Source: source, Destination: coded, Transformations: []id.Transformation{"tf"}})
				w.workers(func(int) (time.Duration, bool) { return time.Millisecond, false })
				w.answers(coded, always(200, 500*time.Millisecond))
				pr := w.start()
				w.serial = 4
				w.some(1)                         // number 5 becomes three
				time.Sleep(20 * time.Millisecond) // the first is being sent
				pr.crash()
				w.route(tc.connection)
				pr = w.start()
				w.wait("all has ended", func() bool { r := row(pr, coded); return r.Routed == 1 && r.InFlight == 0 && r.Parked == 0 })
				if r := row(pr, coded); r.Added != 2 || r.Dropped[tc.code] != 3 || !r.Balanced {
					t.Errorf("entry %+v, want 2 added and 3 dropped as %s", r, tc.code)
				}
				w.audit()
				pr.stop()
			})
		})
	}
}

// route makes connections those of the workspace. Every chain is the same code.
func (w *harness) route(connections ...workspace.Connection) {
	c := workspace.Config{Destinations: []workspace.Destination{{ID: steady, Name: "steady"}, {ID: coded, Name: "coded"}}, Connections: connections}
	for _, conn := range connections {
		c.Sources = append(c.Sources, workspace.Source{ID: conn.Source})
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.table = map[id.Source]*plan.Routing{}
	for s, t := range route.Compile(c) {
		r := &plan.Routing{Revision: 2, Table: t}
		for _, chain := range t.Chains() {
			var made *transform.Chain
			if len(chain) > 0 {
				made = &transform.Chain{Key: "tf"}
			}
			r.Chains = append(r.Chains, made)
		}
		w.table[s] = r
	}
}

func TestWhatCodeRefusedIsReplayedToItsDestinationAlone(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		w.workers(func(int) (time.Duration, bool) { return time.Millisecond, false })
		pr := w.start()
		w.serial = 9
		w.some(3) // 10 becomes three, 11 is refused, 12 goes
		w.settled(pr)
		filter := quarantine.Filter{Workspace: ws, Source: source, Destination: coded, Code: "transformation_failed"}
		found, err := pr.p.Quarantined(t.Context(), filter, delivery.Place{}, 10)
		if err != nil || len(found) != 1 || string(found[0].Event.JSON) != `"u 11"` || found[0].Event.Detail != "no" {
			t.Fatalf("quarantined: %+v, %v; want the event 11 as it was", found, err)
		}
		w.fixed.Store(true)
		send := func(_ context.Context, events []event.Event) error { w.append(events); return nil }
		table := w.table[source]
		w.route(workspace.Connection{Source: source, Destination: steady})
		if n, rest, err := quarantined(t, pr.p).Replay(t.Context(), filter, quarantine.Span{}, send); n != 0 || rest != (quarantine.Span{}) || err != nil {
			t.Fatalf("Replay without a connection = %d, %v, %v, want that it stays", n, rest, err)
		}
		w.mu.Lock()
		w.table[source] = table
		w.mu.Unlock()
		if n, rest, err := quarantined(t, pr.p).Replay(t.Context(), filter, quarantine.Span{}, send); n != 1 || rest != (quarantine.Span{}) || err != nil {
			t.Fatalf("Replay = %d, %v, %v, want 1", n, rest, err)
		}
		w.wait("it is delivered", func() bool { return row(pr, coded).Delivered == 5 })
		w.balanced(pr)
		if own := row(pr, ""); own.Accepted != 3 || own.Replayed != 1 || own.Duplicate != 0 || own.SourceRouted != 4 {
			t.Errorf("the source's entry is %+v, want 3 accepted and 1 replayed", own)
		}
		if got := len(w.at(steady)); got != 3 {
			t.Errorf("the neighbour got %d events, want 3", got)
		}
		if found, err := pr.p.Quarantined(t.Context(), filter, delivery.Place{}, 10); len(found) > 0 || err != nil {
			t.Errorf("still quarantined: %v, %v", found, err)
		}
		pr.stop()
	})
}

func TestAPartitionThatDoesNotRunMovesNothingOutOfQuarantine(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		pr := w.start()
		pr.stop()
		if _, err := pr.p.Quarantine(); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("Quarantine: %v, want kind %v", err, fault.Unavailable)
		}
	})
}

// TestADeadLetterIsSentFromItsOriginal: what code made of an event is refused by
// the destination, and the event goes through the code again.
func TestADeadLetterIsSentFromItsOriginal(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		const was = `{"messageId":"m1","type":"track","userId":"u","event":"E"}`
		w.workers(func(int) (time.Duration, bool) { return time.Millisecond, false })
		w.answers(coded, always(400, time.Millisecond))
		pr := w.start()
		w.append([]event.Event{{Workspace: ws, Source: source, MessageID: "m1", User: "u", Type: "track", ReceivedAt: time.Unix(1700000000, 0).UTC(), JSON: []byte(was)}})
		w.wait("it is dead", func() bool { return row(pr, coded).Dead == 1 })
		pr.crash()
		w.answers(coded, nil)
		pr = w.start()
		send := func(_ context.Context, events []event.Event) error { w.append(events); return nil }
		filter := parked.Filter{Workspace: ws, Destination: coded}
		w.wait("the partition runs", func() bool { _, err := pr.p.Lag(t.Context()); return err == nil })
		store, err := pr.p.Store()
		if err != nil {
			t.Fatal(err)
		}
		connected := func(event.Event) bool { return true }
		if n, err := store.Retransform(t.Context(), filter, connected, send); n != 1 || err != nil {
			t.Errorf("Retransform = %d, %v, want 1", n, err)
		}
		w.wait("it is delivered", func() bool { return row(pr, coded).Delivered == 1 })
		w.balanced(pr)
		if r := row(pr, coded); r.Routed != 2 || r.Dead != 0 || r.Dropped["retransformed"] != 1 {
			t.Errorf("entry %+v, want 2 routed and 1 dropped as retransformed", r)
		}
		if own := row(pr, ""); own.Accepted != 1 || own.Replayed != 1 || own.Duplicate != 0 {
			t.Errorf("the source's entry is %+v, want 1 accepted and 1 replayed", own)
		}
		if got := w.at(coded); len(got) != 1 || strings.Count(got[0].what, "'") != 1 || !strings.HasPrefix(got[0].what, `{"messageId":"m1",`) {
			t.Errorf("arrived %v, want what the code makes of the original", got)
		}
		if got := len(w.at(steady)); got != 1 {
			t.Errorf("the neighbour got %d events, want 1", got)
		}
		pr.stop()
	})
}

// quarantined is what a pipeline that runs has in QUARANTINE.
func quarantined(t *testing.T, p *pipeline.Pipeline) *quarantine.Store {
	t.Helper()
	store, err := p.Quarantine()
	if err != nil {
		t.Fatal(err)
	}
	return store
}
