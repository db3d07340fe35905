package ledger_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/ledger"
)

func own(a ledger.Account, code string, n int64) ledger.Delta {
	return ledger.Delta{Workspace: "ws_a", Source: "src_a", Account: a, Code: code, N: n}
}

func at(a ledger.Account, code string, n int64) ledger.Delta {
	d := own(a, code, n)
	d.Destination = "dst_a"
	return d
}

// day is what a source and its destination may have seen.
func day() []ledger.Delta {
	return []ledger.Delta{
		own(ledger.Accepted, "", 10), own(ledger.Duplicate, "", 1), own(ledger.Quarantined, "no_id", 1),
		own(ledger.Dropped, "consent", 2), own(ledger.Unrouted, "", 1), own(ledger.SourceRouted, "", 5),
		at(ledger.Routed, "", 5), at(ledger.Added, "", 1), at(ledger.Parked, "", 2), at(ledger.Parked, "", -1),
		at(ledger.Delivered, "", 2), at(ledger.Dropped, "destination_removed", 1), at(ledger.Dead, "", 1),
	}
}

func TestBooksBalanceWithWhatIsInFlight(t *testing.T) {
	t.Parallel()
	key := ledger.Key{Workspace: "ws_a", Source: "src_a", Destination: "dst_a"}
	var b ledger.Book
	b.Apply(day())
	for inFlight, want := range map[int64]bool{0: false, 1: true, 2: false, -1: false} {
		rows := b.Rows(map[ledger.Key]int64{key: inFlight})
		if len(rows) != 2 {
			t.Fatalf("%d rows, want 2", len(rows))
		}
		if !rows[0].Balanced {
			t.Errorf("the source's own book %+v is not balanced", rows[0])
		}
		if rows[1].Balanced != want {
			t.Errorf("with %d in flight balanced = %v, want %v: %+v", inFlight, rows[1].Balanced, want, rows[1])
		}
	}
}

func TestEveryMissingDeltaUnbalances(t *testing.T) {
	t.Parallel()
	key := ledger.Key{Workspace: "ws_a", Source: "src_a", Destination: "dst_a"}
	for i, left := range day() {
		var b ledger.Book
		all := day()
		b.Apply(append(all[:i], all[i+1:]...))
		good := true
		for _, r := range b.Rows(map[ledger.Key]int64{key: 1}) {
			good = good && r.Balanced
		}
		if good {
			t.Errorf("the books balance without %+v", left)
		}
	}
}

func TestTotalsMakeAnEqualBook(t *testing.T) {
	t.Parallel()
	var b, again ledger.Book
	b.Apply(day())
	again.Apply(b.Totals())
	if d := cmp.Diff(b.Rows(nil), again.Rows(nil)); d != "" {
		t.Errorf("rows after Totals and Apply (-want +got):\n%s", d)
	}
	if d := cmp.Diff(ledger.Sum(day()), b.Totals()); d != "" {
		t.Errorf("Sum differs from Totals (-want +got):\n%s", d)
	}
}

func TestMergeAddsPartitions(t *testing.T) {
	t.Parallel()
	key := ledger.Key{Workspace: "ws_a", Source: "src_a", Destination: "dst_a"}
	var b, twice ledger.Book
	b.Apply(day())
	twice.Apply(append(day(), day()...))
	one := map[ledger.Key]int64{key: 1}
	got := ledger.Merge(b.Rows(one), b.Rows(one))
	if d := cmp.Diff(twice.Rows(map[ledger.Key]int64{key: 2}), got); d != "" {
		t.Errorf("merged rows (-want +got):\n%s", d)
	}
	if got := ledger.Merge(b.Rows(one), b.Rows(nil)); got[1].Balanced {
		t.Errorf("a merged row with an unbalanced part is balanced: %+v", got[1])
	}
}

func TestStageMovesWhatWaitsForALoad(t *testing.T) {
	t.Parallel()
	key := ledger.Key{Workspace: "ws_a", Source: "src_a", Destination: "dst_a"}
	var b ledger.Book
	b.Apply(day())
	for waits, want := range map[int64][2]int64{0: {2, 0}, 1: {1, 1}, 2: {0, 2}, 3: {0, 2}} {
		rows := b.Rows(map[ledger.Key]int64{key: 1})
		ledger.Stage(rows, map[ledger.Key]int64{key: waits, {Workspace: "ws_b"}: 9})
		if got := [2]int64{rows[1].Delivered, rows[1].Staged}; got != want || !rows[0].Balanced || !rows[1].Balanced {
			t.Errorf("of 2 delivered, %d wait: delivered and staged are %v, want %v, in balanced rows: %+v", waits, got, want, rows)
		}
	}
}
