package journal_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/dedupe"
	"weir/dataplane/delivery"
	"weir/dataplane/journal"
	"weir/dataplane/journal/record"
	"weir/dataplane/ledger"
	"weir/dataplane/queue/queuetest"
	"weir/shared/fault"
	"weir/shared/id"
)

var (
	source = ledger.Key{Workspace: "ws_test", Source: "src_test"}
	to     = ledger.Key{Workspace: "ws_test", Source: "src_test", Destination: "dst_test"}
)

// index is a dedupe index that keeps every key in memory.
type index map[dedupe.Key]dedupe.Pos

func (x index) First(_ dedupe.Owner, k dedupe.Key, pos dedupe.Pos, _ time.Time) (bool, error) {
	had, ok := x[k]
	x[k] = pos
	return !ok || had == pos, nil
}

func (x index) Snapshot(context.Context, uint64) error { return nil }

func (x index) Position() uint64 { return 0 }

// owner is one ownership of a journal.
type owner struct {
	*journal.Journal
	keys    index
	alarms  []string
	settled []uint64 // frames, as the Observer heard of them
	sealed  chan struct{}
	ended   chan error
}

// recovered returns the next owner of the journal, which writes nothing before run.
func recovered(t *testing.T, log *queuetest.Log, epoch uint64, checkpoint int) *owner {
	t.Helper()
	o := &owner{keys: index{}, sealed: make(chan struct{}), ended: make(chan error, 1)}
	j, err := journal.Recover(t.Context(), journal.Config{
		Log: log, Epoch: epoch, Index: o.keys, Checkpoint: checkpoint,
		Raise: func(code string) { o.alarms = append(o.alarms, code) },
		Clear: func(...string) {},
	})
	if err != nil {
		t.Fatalf("Recover: %v", err)
	}
	o.Journal = j
	return o
}

func (o *owner) run(t *testing.T) *owner {
	go func() {
		o.ended <- o.Run(t.Context(), o.sealed, journal.Observer{
			Settled: func(frames []uint64) { o.settled = append(o.settled, frames...) },
			Drained: func(id.Destination, uint64) {}, Read: func() uint64 { return 0 },
		})
	}()
	return o
}

// stop ends the owner in peace.
func (o *owner) stop(t *testing.T) {
	t.Helper()
	close(o.sealed)
	if err := <-o.ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	o.Close()
	if len(o.alarms) > 0 {
		t.Errorf("alarms %v, want none", o.alarms)
	}
}

// opening is that of a frame of count events that all go to one destination.
func opening(frame uint64, count uint32) record.Opening {
	var d record.Decisions
	for i := range count {
		d.Key(i, dedupe.Key{byte(frame), byte(frame >> 8), byte(i)})
		d.End(i, source, ledger.SourceRouted, "", false)
		d.Route(i, to)
	}
	return d.Opening(frame, time.Now(), count, false)
}

func delivered(frame uint64, index uint32) delivery.Settled {
	return delivery.Settled{
		Ref: delivery.Ref{Frame: frame, Index: index}, Workspace: to.Workspace, Source: to.Source, Destination: to.Destination,
		Stage: delivery.Live, End: delivery.EndDelivered,
	}
}

// entry is the ledger's entry of the destination.
func entry(o *owner) ledger.Row {
	for _, r := range o.Entries() {
		if r.Destination == to.Destination {
			return r
		}
	}
	return ledger.Row{}
}

// in runs a test with an empty log, in a bubble.
func in(t *testing.T, test func(t *testing.T, log *queuetest.Log)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { test(t, queuetest.NewLog(1, queuetest.Faults{})) })
}

func TestTheNextOwnerKnowsWhatIsOpen(t *testing.T) {
	in(t, func(t *testing.T, log *queuetest.Log) {
		first := recovered(t, log, 1, 1<<20).run(t)
		first.Open(opening(1, 2))
		first.Open(opening(2, 1))
		first.Settle([]delivery.Settled{delivered(1, 1), delivered(2, 0)})
		first.stop(t)
		if !slices.Equal(first.settled, []uint64{2}) {
			t.Errorf("frames %v are settled, want 2 alone", first.settled)
		}

		next := recovered(t, log, 2, 1<<20)
		if d := cmp.Diff([]journal.Output{{Index: 0, Entry: to}}, next.Left(1, "")); d != "" || next.Floor() != 0 || len(next.Left(2, "")) > 0 {
			t.Errorf("left of frame 1 (-want +got):\n%s, floor %d, want 0", d, next.Floor())
		}
		if r := entry(next); r.Routed != 3 || r.Delivered != 2 || r.InFlight != 1 || !r.Balanced {
			t.Errorf("the entry is %+v, want 3 routed, 2 delivered, 1 in flight", r)
		}
		if len(next.keys) != 3 {
			t.Errorf("the dedupe index got %d keys, want 3", len(next.keys))
		}
		next.run(t)
		next.Settle([]delivery.Settled{delivered(1, 0)})
		next.stop(t)
		if next.Floor() != 2 {
			t.Errorf("the floor is %d when all is settled, want 2", next.Floor())
		}
	})
}

func TestAFormerOwnerCannotWrite(t *testing.T) {
	in(t, func(t *testing.T, log *queuetest.Log) {
		former := recovered(t, log, 1, 1<<20).run(t)
		next := recovered(t, log, 2, 1<<20).run(t)
		former.Open(opening(1, 1))
		if err := <-former.ended; fault.KindOf(err) != fault.Conflict {
			t.Errorf("the former owner's Run: %v, want kind %v", err, fault.Conflict)
		}
		if fresh, _ := next.Frame(1); !fresh {
			t.Error("the next owner has what the former one wrote after it")
		}
		next.stop(t)
	})
}

func TestAFanIsJournaledBeforeItsOutputs(t *testing.T) {
	in(t, func(t *testing.T, log *queuetest.Log) {
		o := recovered(t, log, 1, 1<<20).run(t)
		o.Open(opening(1, 1))
		fan := record.Fan{Frame: 1, Entry: to}
		fan.Split(0, 2)
		<-o.Fan([]record.Fan{fan})
		if left := o.Left(1, to.Destination); len(left) != 2 || left[0].Number != 1 || left[1].Number != 2 {
			t.Errorf("left %+v, want outputs 1 and 2", left)
		}
		o.stop(t)
		if r := entry(recovered(t, log, 2, 1<<20)); r.Routed != 1 || r.Added != 1 || r.InFlight != 2 {
			t.Errorf("the entry is %+v, want 1 routed, 1 added, 2 in flight", r)
		}
	})
}

func TestARecoveryFromACheckpointIsThatFromAllRecords(t *testing.T) {
	in(t, func(t *testing.T, log *queuetest.Log) {
		o := recovered(t, log, 1, 500).run(t)
		for frame := range uint64(200) {
			o.Open(opening(frame+1, 3))
			if frame%5 > 0 {
				o.Settle([]delivery.Settled{delivered(frame+1, 0), delivered(frame+1, 1), delivered(frame+1, 2)})
			}
			time.Sleep(15 * time.Millisecond)
		}
		o.stop(t)
		records := log.Snapshot().Records
		newest, err := record.Decode(records[len(records)-1].Data)
		if err != nil || newest.Base < 100 {
			t.Fatalf("a recovery reads from record %d of %d, %v, want few", newest.Base, len(records), err)
		}
		next := recovered(t, log, 2, 500)
		if d := cmp.Diff(o.Entries(), next.Entries()); d != "" {
			t.Errorf("entries (-before +after):\n%s", d)
		}
		for frame := range uint64(200) {
			if d := cmp.Diff(o.Left(frame+1, ""), next.Left(frame+1, "")); d != "" {
				t.Errorf("left of frame %d (-before +after):\n%s", frame+1, d)
			}
		}
		found, err := journal.Audit(t.Context(), log)
		if err != nil || !found.Sound() {
			t.Errorf("Audit: %+v, %v", found, err)
		}
	})
}

func TestReportsWaitWhileTooManyDoAndCloseLetsThemGo(t *testing.T) {
	in(t, func(t *testing.T, log *queuetest.Log) {
		o := recovered(t, log, 1, 1<<20) // it does not run, so nothing is taken
		o.Settle(make([]delivery.Settled, 64<<10))
		done := make(chan struct{})
		go func() {
			o.Settle(make([]delivery.Settled, 1))
			close(done)
		}()
		synctest.Wait()
		select {
		case <-done:
			t.Error("a report did not wait")
		default:
		}
		o.Close()
		<-done
	})
}

func TestRecoverEndsWhenTheLogIsUnreachable(t *testing.T) {
	in(t, func(t *testing.T, log *queuetest.Log) {
		log.SetFaults(queuetest.Faults{Refused: 100})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := journal.Recover(ctx, journal.Config{
			Log: log, Epoch: 1, Index: index{}, Checkpoint: 1 << 20, Raise: func(string) {}, Clear: func(...string) {},
		})
		if fault.KindOf(err) != fault.Unavailable {
			t.Errorf("Recover: %v, want kind %v", err, fault.Unavailable)
		}
	})
}

// TestWhatExpiresIsQuarantinedNoLonger ends events of QUARANTINE, one of them
// twice, as a copy that a death left there, and wants the ledger to balance.
func TestWhatExpiresIsQuarantinedNoLonger(t *testing.T) {
	in(t, func(t *testing.T, log *queuetest.Log) {
		o := recovered(t, log, 1, 1<<20).run(t)
		var d record.Decisions
		for i := range uint32(3) {
			d.End(i, source, ledger.Quarantined, "no_id", false)
		}
		o.Open(d.Opening(1, time.Now(), 3, false))
		var expired []delivery.Settled
		for i := range uint32(4) {
			expired = append(expired, delivery.Settled{
				Workspace: source.Workspace, Source: source.Source, Stage: delivery.FromQuarantine,
				From: delivery.Place{Seq: 1, Item: i}, End: delivery.EndDropped, Code: delivery.CodeExpired,
			})
		}
		wants := func(o *owner, quarantined, dropped int64) {
			t.Helper()
			for _, r := range o.Entries() {
				if r.Quarantined != quarantined || r.Dropped[delivery.CodeExpired] != dropped || !r.Balanced {
					t.Errorf("the entry is %+v, want %d quarantined, %d expired", r, quarantined, dropped)
				}
			}
		}
		o.stop(t)
		o = recovered(t, log, 2, 1<<20).run(t)
		o.Settle(expired[:2])
		o.stop(t)
		wants(o, 1, 2)
		o = recovered(t, log, 3, 1<<20).run(t)
		wants(o, 1, 2)
		o.Settle(expired[2:])
		o.stop(t)
		wants(o, 0, 3)
		if o = recovered(t, log, 4, 1<<20); len(o.Entries()) != 1 {
			t.Errorf("entries %+v, want one", o.Entries())
		}
		wants(o, 0, 3)
	})
}
