package pipeline_test

import (
	"testing"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/queue"
)

// takenBack is a delivery to a destination of which a load made no row.
func takenBack(name, code string) event.Event {
	return event.Event{Workspace: ws, Source: source, MessageID: "m", Type: "track", User: "u", Destination: steady, Delivery: name, Quarantine: code, JSON: []byte(`"u 1"`)}
}

// TestWhatALoadTakesBackIsDeliveredNoLonger has loads that take deliveries back and,
// after deaths, say so again: each is booked once and kept in QUARANTINE, from where it
// expires or is replayed; those to a removed warehouse are dropped.
func TestWhatALoadTakesBackIsDeliveredNoLonger(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		w.covers = time.Hour // a month of shorter ones takes long
		pr := w.start()
		defer func() { pr.stop() }()
		w.some(5)
		w.settled(pr)
		expect := func(when string, delivered, quarantined, removed, expired int64) {
			t.Helper()
			w.settled(pr)
			w.wait("everything is read", func() bool { lag, err := pr.p.Lag(t.Context()); return err == nil && lag.Frames == 0 })
			own, to := row(pr, ""), row(pr, steady)
			if to.Delivered != delivered || to.Quarantined != quarantined || to.Dropped[delivery.CodeRemoved] != removed || to.Dropped[delivery.CodeExpired] != expired || own.Accepted != 5 || own.Quarantined+own.Duplicate != 0 {
				t.Errorf("%s: source %+v, destination %+v; want %d delivered, %d quarantined, %d of a removed one, %d expired", when, own, to, delivered, quarantined, removed, expired)
			}
			w.balanced(pr)
		}
		expect("before", 5, 0, 0, 0)
		again := func() {
			gone := takenBack("3", delivery.CodeRemoved)
			gone.JSON = nil
			w.append([]event.Event{takenBack("1", "row_refused"), takenBack("2", "table_refused"), takenBack("1", "table_refused"), gone})
		}
		again()
		expect("once", 2, 2, 1, 0)
		again()
		expect("twice", 2, 2, 1, 0)
		pr.crash()
		again()
		pr = w.start()
		expect("after a death", 2, 2, 1, 0)
		kept := pr.kept()
		for _, e := range kept {
			if e.Delivery != "" || e.Destination != steady || string(e.JSON) != `"u 1"` {
				t.Errorf("in QUARANTINE: %+v", e)
			}
		}
		if len(kept) != 2 || kept[0].Quarantine != "row_refused" || kept[1].Quarantine != "table_refused" {
			t.Errorf("%d are in QUARANTINE, want those of deliveries 1 and 2: %+v", len(kept), kept)
		}
		time.Sleep(31 * 24 * time.Hour)
		expect("after 31 days", 2, 0, 1, 2)
		pr.crash()
		pr = w.start()
		expect("after a death then", 2, 0, 1, 2)
	})
}

// TestALoadMayTakeBackWhatIsNotBooked has a delivery that a death of the process left in
// STAGE and not in the journal: a load takes it back, and then it is delivered.
func TestALoadMayTakeBackWhatIsNotBooked(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		w.answers(steady, always(500, time.Millisecond))
		pr := w.start()
		defer func() { pr.stop() }()
		w.some(1)
		w.append([]event.Event{takenBack("1", "row_refused")})
		w.wait("it is quarantined", func() bool { return row(pr, steady).Quarantined == 1 })
		if to := row(pr, steady); !to.Balanced || to.Delivered+to.InFlight+to.Parked != 0 {
			t.Errorf("destination %+v, want nothing but one quarantined", to)
		}
		w.answers(steady, always(200, time.Millisecond))
		w.wait("it is delivered, too", func() bool { return len(w.at(steady)) == 1 })
		w.settled(pr)
		if to := row(pr, steady); !to.Balanced || to.Delivered != 0 || to.Quarantined != 1 {
			t.Errorf("destination %+v, want nothing but one quarantined", to)
		}
		if n := len(w.disk[queue.Quarantine].Snapshot().Records); n != 1 {
			t.Errorf("%d records in QUARANTINE, want 1", n)
		}
	})
}
