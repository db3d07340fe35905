package pipeline_test

import (
	"testing"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/queue"
)

// TestQuarantinedEventsExpire lets events lie in QUARANTINE for 30 days: of the
// gateway and of code, which are booked where they were quarantined. A clock that
// runs ahead for half a day before removes nothing.
func TestQuarantinedEventsExpire(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		w.covers = time.Hour // a month of shorter ones takes long
		pr := w.start()
		defer func() { pr.stop() }()
		refused := func(json string) event.Event {
			return event.Event{Workspace: ws, Source: source, MessageID: "x", Type: "track", User: "u", Quarantine: "no_id", JSON: []byte(json)}
		}
		w.append([]event.Event{refused(`"u 1"`), refused(`"u 2"`), {Workspace: ws, Source: source, MessageID: "m", Type: "track", User: "u", JSON: []byte(`"u 11"`)}})
		w.settled(pr)
		left := func() int { return len(w.disk[queue.Quarantine].Snapshot().Records) }
		expect := func(when string, records int, kept, expired, keptByCode, expiredByCode int64) {
			t.Helper()
			own, to := row(pr, ""), row(pr, coded)
			if left() != records || own.Quarantined != kept || own.Dropped[delivery.CodeExpired] != expired || to.Quarantined != keptByCode || to.Dropped[delivery.CodeExpired] != expiredByCode {
				t.Errorf("%s: %d records, source %+v, destination %+v; want %d, %d kept, %d expired, %d kept, %d expired",
					when, left(), own, to, records, kept, expired, keptByCode, expiredByCode)
			}
			w.balanced(pr)
		}
		expect("at first", 2, 2, 0, 1, 0)
		time.Sleep(20 * 24 * time.Hour)
		w.ahead = 300 * 24 * time.Hour
		time.Sleep(12 * time.Hour)
		w.ahead = 0
		time.Sleep(9 * 24 * time.Hour)
		expect("after 29 days and a clock that was wrong", 2, 2, 0, 1, 0)
		time.Sleep(25 * time.Hour)
		expect("after 30 days", 0, 0, 2, 0, 1)
		pr.crash()
		pr = w.start()
		w.settled(pr)
		expect("after a restart", 0, 0, 2, 0, 1)
	})
}

// TestDeadLettersExpire lets dead letters lie in DEAD for 30 days: they are dropped and
// booked, younger ones stay, and a clock that runs ahead before removes nothing.
func TestDeadLettersExpire(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		w.covers = time.Hour // a month of shorter ones takes long
		pr := w.start()
		defer func() { pr.stop() }()
		w.answers(shaky, always(400, time.Millisecond))
		w.some(3)
		expect := func(when string, dead, expired int64) {
			t.Helper()
			w.wait(when, func() bool {
				to := row(pr, shaky)
				return to.Dead == dead && to.Dropped[delivery.CodeExpired] == expired
			})
			w.balanced(pr)
		}
		expect("three are dead", 3, 0)
		time.Sleep(20 * 24 * time.Hour)
		w.ahead = 300 * 24 * time.Hour
		time.Sleep(12 * time.Hour)
		w.ahead = 0
		w.some(2)
		expect("five are dead", 5, 0)
		time.Sleep(9 * 24 * time.Hour)
		expect("after 29 days and a clock that was wrong", 5, 0)
		time.Sleep(25 * time.Hour)
		expect("after 30 days", 2, 3)
		w.wait("they are gone", func() bool { return len(w.disk[queue.Dead].Snapshot().Records) <= 2 })
		pr.crash()
		pr = w.start()
		expect("after a restart", 2, 3)
	})
}
