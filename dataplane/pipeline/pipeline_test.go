package pipeline_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/journal"
	"weir/dataplane/ledger"
	"weir/dataplane/pipeline"
	"weir/dataplane/pipeline/aside"
	"weir/dataplane/queue"
	"weir/dataplane/queue/queuetest"
	"weir/shared/fault"
	"weir/shared/id"
)

// in runs a test in a bubble with a harness of its own.
func in(t *testing.T, fn func(t *testing.T, w *harness)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { fn(t, newHarness(t, 1)) })
}

// formerly parks every output of a frame the way an owner does that lost the
// partition and cannot send: the records are in PARKED, the journal knows nothing.
func (w *harness) formerly(events []event.Event) {
	ctx, cancel := context.WithCancel(w.t.Context())
	pr := &process{w: w, stale: true, life: ctx}
	for k := range pr.logs {
		pr.logs[k] = w.disk[k].Restart()
	}
	pr.open()
	made, err := pr.lanes(pipeline.Reports{
		Settle: func([]delivery.Settled) {}, Drained: func(id.Destination, uint64) {}, Held: func() bool { return false },
	})
	if err != nil {
		w.t.Fatalf("lanes: %v", err)
	}
	if err := made.Recover(ctx, delivery.Recovery{}); err != nil {
		w.t.Fatalf("recover: %v", err)
	}
	ended := make(chan error)
	go func() { ended <- made.Run(ctx) }()
	var ds []delivery.Delivery
	for i, e := range events {
		for _, d := range []id.Destination{steady, shaky} {
			ds = append(ds, delivery.Delivery{Ref: delivery.Ref{Frame: 1, Index: uint32(i)}, Destination: d, Revision: 1, Read: time.Now(), Event: e})
		}
	}
	if err := made.Offer(ctx, ds); err != nil {
		w.t.Errorf("offer: %v", err)
	}
	w.wait("all is parked", func() bool { return len(w.disk[queue.Parked].Snapshot().Records) >= 2 })
	cancel()
	if err := <-ended; err != nil {
		w.t.Errorf("lanes: %v", err)
	}
}

// some accepts one frame of n good events.
func (w *harness) some(n int) []event.Event {
	var events []event.Event
	for range n {
		w.serial++
		events = append(events, event.Event{
			Workspace: ws, Source: source, MessageID: id.Event(fmt.Sprint("m", w.serial)), User: "u",
			ReceivedAt: time.Now().UTC(), JSON: fmt.Appendf(nil, `"u %d"`, w.serial),
		})
		w.accepted["u"] = append(w.accepted["u"], fmt.Sprintf(`"u %d"`, w.serial))
	}
	w.append(events)
	return events
}

func TestWhatWasParkedBeforeItsFrameWasOpenedIsCountedAndSentOnce(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		w.checkpoint = 1 // as often as there can be one
		events := w.some(5)
		w.formerly(events)
		w.loading = time.Hour
		w.load(false) // so that the next owner drains PARKED before it opens the frame
		pr := w.start()
		w.wait("drained", func() bool { return len(w.at(steady)) == 5 && len(w.at(shaky)) == 5 })
		time.Sleep(time.Second)
		pr.crash()
		pr = w.start()
		time.Sleep(time.Second)
		w.balanced(pr)
		w.load(true)
		w.settled(pr)
		w.balanced(pr)
		for _, d := range []id.Destination{steady, shaky} {
			if got := w.at(d); len(got) != 5 {
				t.Errorf("%s got %v, want 5 events once", d, got)
			}
			if r := row(pr, d); r.Routed != 5 || r.Delivered != 5 || r.Added != 0 {
				t.Errorf("entry %+v, want 5 routed and delivered", r)
			}
		}
		pr.stop()
	})
}

func TestCopiesThatAFormerOwnerParkedAreNotSent(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		pr := w.start()
		events := w.some(5)
		w.settled(pr)
		pr.stop()
		w.formerly(events)
		for range 2 {
			pr = w.start()
			w.wait("recovery", func() bool { return pr.p.Entries() != nil })
			time.Sleep(5 * time.Second)
			w.balanced(pr)
			if got := w.at(steady); len(got) != 5 {
				t.Errorf("%d arrived, want 5: %v", len(got), got)
			}
			if r := row(pr, steady); r.Routed != 5 || r.Delivered != 5 || r.Added != 0 || r.Parked != 0 {
				t.Errorf("entry %+v, want 5 routed and delivered", r)
			}
			w.some(1)
			w.settled(pr)
			w.arrived[steady] = w.arrived[steady][:5]
			events = nil
			pr.stop()
			if r := row(pr, steady); r.Delivered == 6 {
				break
			}
		}
	})
}

func TestAGracefulStopRepeatsNothing(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		w.grace = 5 * time.Second
		w.answers(shaky, always(200, 700*time.Millisecond))
		pr := w.start()
		w.answers(steady, func() (int, time.Duration) { return 200, time.Duration(1+w.dice.IntN(30)) * time.Millisecond })
		for i := range 40 {
			w.accept(6)
			time.Sleep(time.Duration(w.rng.IntN(10+290*(i%2))) * time.Millisecond)
			pr.stop()
			pr = w.start()
		}
		w.settled(pr)
		w.complete(steady, false, 0) // there are no cuts, so every repetition is an error
		w.complete(shaky, false, 0)
		pr.stop()
	})
}

func TestAFrameThatCannotBeReadIsKeptAndCounted(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		damaged := queue.EncodeFrame(w.some(3))
		damaged[len(damaged)-1] ^= 1
		if _, err := w.disk[queue.Events].Append(t.Context(), "", damaged); err != nil {
			t.Fatal(err)
		}
		w.some(2)
		pr := w.start()
		w.settled(pr)
		w.complete(steady, false, 0)
		if kept := w.disk[queue.Bad].Snapshot().Records; len(kept) != 1 || string(kept[0].Data) != string(damaged) {
			t.Errorf("BAD has %d records, want the damaged frame", len(kept))
		}
		if pr.raised("frame_damaged") != 1 {
			t.Errorf("no alarm frame_damaged")
		}
		nobody := ledger.Row{}
		for _, r := range pr.p.Entries() {
			if r.Workspace == "" {
				nobody = r
			}
		}
		if nobody.Accepted != 1 || nobody.Quarantined != 1 || !nobody.Balanced {
			t.Errorf("the entry of nobody is %+v, want one bad frame", nobody)
		}
		w.wait("EVENTS is purged", func() bool { return len(w.disk[queue.Events].Snapshot().Records) == 0 })
		pr.stop()
		w.audit()
	})
}

func TestAFrameOfANewerVersionWaits(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		w.some(3)
		newer := queue.EncodeFrame(nil)
		newer[0]++
		if _, err := w.disk[queue.Events].Append(t.Context(), "", newer); err != nil {
			t.Fatal(err)
		}
		pr := w.start()
		w.wait("the alarm", func() bool {
			for _, a := range pr.p.Problems() {
				if a.Code == "too_new" {
					return true
				}
			}
			return false
		})
		w.settled(pr)
		if n := len(w.disk[queue.Bad].Snapshot().Records); n > 0 {
			t.Errorf("BAD has %d records, want none", n)
		}
		time.Sleep(time.Second)
		if left := w.disk[queue.Events].Snapshot().Records; len(left) != 1 || left[0].Seq != 2 {
			t.Errorf("EVENTS has %d records, want only the newer frame", len(left))
		}
		pr.stop()
	})
}

func TestAClockThatJumpedIsAnAlarmUntilItIsBack(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		on := func(pr *process) bool {
			return slices.ContainsFunc(pr.p.Problems(), func(a pipeline.Alarm) bool { return a.Code == "clock_jump" })
		}
		pr := w.start()
		w.some(3)
		w.settled(pr)
		if on(pr) {
			t.Error("the alarm is on while the clock is right")
		}
		w.jumped.Store(true)
		w.some(3)
		w.settled(pr)
		if !on(pr) || pr.raised("clock_jump") == 0 {
			t.Error("want the alarm clock_jump")
		}
		w.jumped.Store(false)
		w.some(3)
		w.settled(pr)
		if on(pr) {
			t.Error("the alarm is on after the clock is back")
		}
		pr.stop()
	})
}

func TestEveryLostSettlementAndRecordIsNoticed(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		pr := w.start()
		for i := range 12 {
			w.accept(4)
			w.answers(shaky, always(200+300*(i/4%2), time.Duration(i)*7*time.Millisecond))
			time.Sleep(30 * time.Millisecond)
		}
		w.answers(shaky, nil)
		w.settled(pr)
		time.Sleep(time.Second)
		checked := len(w.disk[queue.Journal].Snapshot().Records)
		w.accept(1) // records after all others, which say where the floor was
		w.settled(pr)
		pr.stop()
		w.audit()
		written := w.disk[queue.Journal].Snapshot()
		changed := func(records []queue.Record) bool {
			copied := queuetest.NewLog(1, queuetest.Faults{})
			copied.Restore(queuetest.Snapshot{Records: records, Last: written.Last})
			found, err := journal.Audit(t.Context(), copied)
			if err != nil {
				t.Errorf("audit: %v", err)
			}
			return !found.Sound()
		}
		settlements := 0
		for i := range written.Records[:checked] {
			without := append(append([]queue.Record{}, written.Records[:i]...), written.Records[i+1:]...)
			if !changed(without) {
				t.Errorf("the journal without record %d is called sound", i)
			}
			for n := 0; ; n++ {
				data, ok := withoutSettlement(written.Records[i].Data, n, false)
				if !ok {
					break
				}
				settlements++
				balanced, _ := withoutSettlement(written.Records[i].Data, n, true)
				for how, data := range map[string][]byte{"a settlement": data, "a settlement and what it counts": balanced} {
					records := append([]queue.Record{}, written.Records...)
					records[i].Data = data
					if !changed(records) {
						t.Errorf("the journal without %s of record %d is called sound", how, i)
					}
				}
			}
		}
		if settlements < 20 {
			t.Errorf("%d settlements were taken away, want more", settlements)
		}
	})
}

func TestAJournalWithAHoleAlarmsAndLosesNoEvent(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		w.answers(steady, always(200, time.Minute))
		w.answers(shaky, always(200, time.Minute))
		pr := w.start()
		for range 6 {
			w.some(3)
			time.Sleep(100 * time.Millisecond)
		}
		pr.crash()
		journal := w.disk[queue.Journal].Snapshot()
		for i, r := range journal.Records {
			if openings(r.Data) > 0 && i > 2 {
				journal.Records = append(journal.Records[:i], journal.Records[i+1:]...)
				break
			}
		}
		w.disk[queue.Journal].Restore(journal)
		w.arrived = map[id.Destination][]arrival{}
		w.answers(steady, nil)
		w.answers(shaky, nil)
		pr = w.start()
		w.wait("all arrive", func() bool { return len(w.at(steady)) >= 18 && len(w.at(shaky)) >= 18 })
		w.complete(steady, false, time.Hour)
		if pr.raised("journal_damaged") == 0 {
			t.Error("want the alarm journal_damaged")
		}
		for _, r := range pr.p.Entries() {
			if r.Balanced {
				t.Errorf("the entry %+v is called balanced after a hole", r)
			}
		}
		pr.stop()
	})
}

func TestTheJournalIsTrimmedToWhatARecoveryReads(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		w.checkpoint = 2000
		pr := w.start()
		most := 0
		for range 300 {
			w.accept(5)
			time.Sleep(20 * time.Millisecond)
			most = max(most, len(w.disk[queue.Journal].Snapshot().Records))
		}
		w.settled(pr)
		time.Sleep(time.Second)
		all := w.disk[queue.Journal].Snapshot()
		if tail := tailOf(all.Records); tail > 60 || all.Last < 200 || most > 250 || len(all.Records) > 120 {
			t.Errorf("a recovery reads %d of %d records that were written; %d are kept, %d once", tail, all.Last, len(all.Records), most)
		}
		w.restarted(pr)
	})
}

func TestAJournalThatKeepsKeysIsTrimmedAfterItsWindow(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		w.checkpoint, w.keep = 2000, 7*24*time.Hour
		pr := w.start()
		for range 300 {
			w.accept(5)
			time.Sleep(20 * time.Millisecond)
		}
		w.settled(pr)
		time.Sleep(2 * time.Hour)
		all := w.disk[queue.Journal].Snapshot().Records
		tail := tailOf(all)
		const most = 60 // what lies behind the newest checkpoint, at most
		if tail > most || len(all) < 4*most {
			t.Errorf("a recovery reads %d of %d records", tail, len(all))
		}
		time.Sleep(7*24*time.Hour + 2*time.Hour)
		w.some(1) // a newest record
		w.settled(pr)
		time.Sleep(2 * time.Hour)
		kept := w.disk[queue.Journal].Snapshot().Records
		if len(kept) > 2*most {
			t.Errorf("%d of %d records are kept after the window, want those behind the newest checkpoint but one, %d at most", len(kept), len(all), 2*most)
		}
		w.restarted(pr)
	})
}

// restarted wants a ledger after a crash that is the one before.
func (w *harness) restarted(pr *process) {
	before := pr.p.Entries()
	pr.crash()
	pr = w.start()
	w.balanced(pr)
	if after := pr.p.Entries(); fmt.Sprint(after) != fmt.Sprint(before) {
		w.t.Errorf("ledger after a restart\n%v, want\n%v", after, before)
	}
	pr.stop()
}

func TestDuplicatesAreKnownAfterARestart(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		pr := w.start()
		events := w.some(10)
		w.settled(pr)
		pr.crash() // before any snapshot of the index covers them
		w.snapshot, w.position = nil, 0
		w.append(events)
		pr = w.start()
		w.settled(pr)
		if own := row(pr, ""); own.Duplicate != 10 || len(w.at(steady)) != 10 {
			t.Errorf("%d duplicates and %d arrivals, want 10 and 10", own.Duplicate, len(w.at(steady)))
		}
		pr.stop()
	})
}

func TestACorrectedEventIsNoDuplicateOfItsQuarantinedForm(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		pr := w.start()
		events := w.some(1)
		w.settled(pr)
		broken := []event.Event{events[0], events[0]}
		broken[0].MessageID, broken[1].MessageID = "x", "x"
		broken[0].Quarantine = "too_deep"
		broken[1].JSON = []byte(`"u x"`)
		w.append(broken[:1])
		w.append(broken[1:])
		w.settled(pr)
		if own := row(pr, ""); own.Quarantined != 1 || own.Duplicate != 0 || len(w.at(steady)) != 2 {
			t.Errorf("entry %+v and %d arrivals, want 1 quarantined and 2 arrivals", own, len(w.at(steady)))
		}
		kept := w.disk[queue.Quarantine].Snapshot().Records
		if len(kept) != 1 || kept[0].Key != string(source) {
			t.Errorf("QUARANTINE has %d records, want one under its source", len(kept))
		} else if f, err := queue.DecodeFrame(kept[0].Data); err != nil || len(f.Events) != 1 || f.Events[0].Quarantine != "too_deep" {
			t.Errorf("QUARANTINE has %+v, %v, want the event", f, err)
		}
		pr.stop()
	})
}

func TestKeysThatTheDedupeIndexMissesStayInTheJournal(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		w.checkpoint, w.forgets = 2000, true
		pr := w.start()
		for range 50 {
			w.accept(5)
			time.Sleep(20 * time.Millisecond)
		}
		w.settled(pr)
		time.Sleep(9 * 24 * time.Hour)
		w.some(1)
		w.settled(pr)
		time.Sleep(2 * time.Hour)
		if first := w.disk[queue.Journal].Snapshot().Records[0].Seq; first != 1 {
			t.Errorf("the journal begins at %d, want 1", first)
		}
		pr.stop()
	})
}

// TestAWorkspaceThatIsNotLoadedHoldsUpNobody: its events are set aside, those of
// its neighbour are delivered, and EVENTS is purged. What comes of it while others
// come back stays behind them, also over restarts.
func TestAWorkspaceThatIsNotLoadedHoldsUpNobody(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		pr := w.start()
		w.answers(shaky, always(200, time.Hour))
		w.some(3)
		w.wait("some are delivered and some not", func() bool { return len(w.at(steady)) == 3 })
		pr.crash() // so that outputs are open
		w.answers(shaky, nil)
		w.load(false)
		pr = w.start()
		w.some(40)
		begun := time.Now()
		other := queue.EncodeFrame([]event.Event{{Workspace: neighbour, Source: source, MessageID: "n1", User: "n", JSON: []byte(`"n 1"`)}})
		if _, err := w.disk[queue.Events].Share().Append(t.Context(), "", other); err != nil {
			t.Fatal(err)
		}
		w.wait("the neighbour has its event", func() bool { return len(w.of(steady, "n")) == 1 })
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("the neighbour waited %v", took)
		}
		w.wait("EVENTS is purged", func() bool { return len(w.disk[queue.Events].Snapshot().Records) == 0 })
		w.balanced(pr)
		if !w.board.Workspaces()[ws] || w.board.Workspaces()[neighbour] {
			t.Errorf("set aside: %v, want that of %s", w.board.Workspaces(), ws)
		}
		refused := w.board.Refuse(func(context.Context, []event.Event) error { return nil })
		if err := refused(t.Context(), []event.Event{{Workspace: ws}}); fault.KindOf(err) != fault.Limited {
			t.Errorf("more of the workspace: %v, want kind %v", err, fault.Limited)
		}
		if err := refused(t.Context(), []event.Event{{Workspace: neighbour}}); err != nil {
			t.Errorf("more of the neighbour: %v", err)
		}
		pr.crash()
		pr = w.start()
		w.some(5)
		w.wait("those are set aside too", func() bool { return row(pr, "").Quarantined == 45 })
		w.load(true)
		for range 20 {
			w.some(2)
			time.Sleep(10 * time.Millisecond)
		}
		w.wait("all came back", func() bool { return !w.board.Workspaces()[ws] })
		w.some(1)
		w.settled(pr)
		w.balanced(pr)
		w.arrived[steady] = slices.DeleteFunc(w.arrived[steady], func(a arrival) bool { return a.what == `"n 1"` })
		w.arrived[shaky] = slices.DeleteFunc(w.arrived[shaky], func(a arrival) bool { return a.what == `"n 1"` })
		w.complete(steady, false, time.Minute)
		w.complete(shaky, false, time.Minute)
		for _, e := range pr.kept() {
			if e.Quarantine == aside.Code {
				t.Errorf("%s is still set aside", e.JSON)
			}
		}
		pr.stop()
	})
}

func TestADeadDestinationHoldsUpNothingAndMemoryIsBounded(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		w.answers(shaky, always(0, time.Millisecond))
		pr := w.start()
		for range 400 { // of which 50 may be open
			w.some(2)
			time.Sleep(5 * time.Millisecond)
		}
		w.wait("the others have all", func() bool { return len(w.at(steady)) == 800 })
		w.wait("the rest is parked", func() bool { return row(pr, shaky).Parked == 800 })
		w.balanced(pr)
		w.wait("EVENTS is purged", func() bool { return len(w.disk[queue.Events].Snapshot().Records) == 0 })
		w.answers(shaky, nil)
		w.settled(pr)
		w.complete(shaky, false, 0)
		pr.stop()
	})
}

func TestAnEmptiedEventLogIsNotTakenForANewOne(t *testing.T) {
	in(t, func(t *testing.T, w *harness) {
		pr := w.start()
		for range 3 {
			w.some(1)
		}
		w.settled(pr)
		pr.stop()
		w.disk[queue.Events].Restore(queuetest.Snapshot{})
		pr = w.start()
		time.Sleep(time.Second)
		if _, err := pr.p.Lag(t.Context()); err == nil || fault.KindOf(err) != fault.Unavailable {
			t.Errorf("the partition runs on an EVENTS that ends before the floor (%v)", err)
		}
		if pr.raised("partition_stopped") == 0 {
			t.Error("want the alarm partition_stopped")
		}
		pr.stop()
	})
}

func TestConfigNamesEverythingThatIsMissing(t *testing.T) {
	t.Parallel()
	if _, err := pipeline.New(pipeline.Config{}); err == nil {
		t.Error("an empty Config was taken")
	}
}
