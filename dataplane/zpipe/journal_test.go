package pipeline_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/dedupe"
	"weir/dataplane/deliver"
	"weir/dataplane/ledger"
	pipeline "weir/dataplane/zpipe"
	"weir/shared/fault"
)

// full is a record with something of everything.
func full() pipeline.Entry {
	set := func(n int, in ...int) pipeline.Set {
		var s pipeline.Set
		for _, i := range in {
			s.Add(i, n)
		}
		return s
	}
	settled := func(index uint32, end deliver.End) deliver.Settled {
		return deliver.Settled{Workspace: "ws", Source: "src", Destination: "dst", Ref: deliver.Ref{Frame: 7, Index: index}, Stage: deliver.Live, End: end}
	}
	parked, drained, dead := settled(3, deliver.EndParked), settled(9, deliver.EndDelivered), settled(4, deliver.EndDead)
	parked.To = deliver.Place{Seq: 11, Item: 2}
	drained.Stage, drained.From = deliver.FromParked, deliver.Place{Seq: 5}
	dead.To, dead.Code = deliver.Place{Seq: 2}, "rejected"
	dropped := settled(5, deliver.EndDropped)
	dropped.Code = "filtered"
	e := pipeline.Entry{
		Epoch: 3, Counter: 41, Base: 12, Floor: 6, Opened: 7, Parked: 11, Dead: 2,
		Openings: []pipeline.Opening{{Frame: 7, At: 1_700_000_000_123, Events: 10, Keys: make([]dedupe.Key, 7), Groups: []pipeline.Group{{
			Workspace: "ws", Source: "src", Of: set(10, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9), Duplicate: set(10, 8), Quarantined: set(10, 7, 9), Unrouted: set(10, 6),
			Routes: []pipeline.Route{{Destination: "dst", Set: set(10, 0, 1, 2, 3, 4, 5)}},
		}}}},
		Settled: []deliver.Settled{settled(0, deliver.EndDelivered), settled(1, deliver.EndDelivered), settled(2, deliver.EndDelivered), parked, dead, dropped, drained},
		Drains:  []pipeline.Drain{{Destination: "dst", Floor: 4, Done: []deliver.Place{{Seq: 5, Item: 1}}}},
	}
	e.Openings[0].Keys[3][2] = 9
	e.Deltas = e.Recount()
	return e
}

func TestARecordComesBackAsItWas(t *testing.T) {
	want := full()
	got, err := pipeline.Decode(want.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

func TestARecordBooksWhatItSays(t *testing.T) {
	d := func(dst string, a ledger.Account, code string, n int64) ledger.Delta {
		delta := ledger.Delta{Workspace: "ws", Source: "src", Account: a, Code: code, N: n}
		if dst != "" {
			delta.Destination = "dst"
		}
		return delta
	}
	want := []ledger.Delta{
		d("", ledger.Accepted, "", 10), d("", ledger.Duplicate, "", 1), d("", ledger.Quarantined, "door", 2), d("", ledger.SourceRouted, "", 6), d("", ledger.Unrouted, "", 1),
		d("dst", ledger.Dropped, "filtered", 1), d("dst", ledger.Routed, "", 6), d("dst", ledger.Delivered, "", 4), d("dst", ledger.Dead, "", 1),
	}
	// Parked: one more and one less.
	e := full()
	if diff := cmp.Diff(ledger.Sum(want), e.Recount()); diff != "" {
		t.Errorf("Recount (-want +got):\n%s", diff)
	}
}

func TestASettlementTakenOutOfARecordIsNoticed(t *testing.T) {
	e := full()
	for i := range e.Settled {
		copied := full()
		copied.Settled = append(copied.Settled[:i:i], copied.Settled[i+1:]...)
		back, err := pipeline.Decode(copied.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if cmp.Equal(back.Recount(), back.Deltas) {
			t.Errorf("the record without settlement %d (%+v) still balances", i, e.Settled[i])
		}
	}
}

func TestDamageIsRefused(t *testing.T) {
	e := full()
	whole := e.Encode()
	for i := range whole {
		for _, bad := range [][]byte{whole[:i], flip(whole, i)} {
			if _, err := pipeline.Decode(bad); err == nil || fault.KindOf(err) != fault.Invalid {
				t.Fatalf("damage at byte %d of %d: %v, want Invalid", i, len(whole), err)
			}
		}
	}
}

func flip(b []byte, i int) []byte {
	c := append([]byte(nil), b...)
	c[i] ^= 0x40
	return c
}

// TestAHealthyFrameIsCheap bounds what the journal writes for 500 delivered
// events: their keys and little else.
func TestAHealthyFrameIsCheap(t *testing.T) {
	const n = 500
	op := pipeline.Opening{Frame: 1, At: 1, Events: n, Keys: make([]dedupe.Key, n), Groups: []pipeline.Group{{Workspace: "ws", Source: "src", Routes: []pipeline.Route{{Destination: "dst"}}}}}
	e := pipeline.Entry{Epoch: 1, Counter: 1}
	for i := range n {
		op.Groups[0].Of.Add(i, n)
		op.Groups[0].Routes[0].Set.Add(i, n)
		e.Settled = append(e.Settled, deliver.Settled{Workspace: "ws", Source: "src", Destination: "dst", Ref: deliver.Ref{Frame: 1, Index: uint32(i)}, Stage: deliver.Live, End: deliver.EndDelivered})
	}
	e.Openings = []pipeline.Opening{op}
	e.Deltas = e.Recount()
	if size := len(e.Encode()); size > n*17 {
		t.Errorf("%d bytes for %d events, want at most 17 each", size, n)
	}
}

func FuzzDecode(f *testing.F) {
	e := full()
	f.Add(e.Encode())
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := pipeline.Decode(data)
		if err != nil {
			return
		}
		again, err := pipeline.Decode(got.Encode())
		if err != nil || !cmp.Equal(got.Recount(), again.Recount()) {
			t.Errorf("what was decoded does not survive: %v", err)
		}
	})
}
