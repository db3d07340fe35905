package overflow_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/overflow"
	"weir/dataplane/queue"
	"weir/dataplane/queue/queuetest"
	"weir/shared/fault"
)

const limit = 1 << 20

// shared opens a log of limit bytes that runs; stored 0: without a blob store.
func shared(t *testing.T, disk *queuetest.Log, stored int64) *overflow.Log {
	t.Helper()
	c := overflow.Config{Log: disk, Limit: limit, Stored: stored, Segment: 64 << 10}
	if stored > 0 {
		blobs, err := blob.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		c.Blobs, c.Folder = blobs, "0"
	}
	o, err := overflow.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	run(t, o)
	return o
}

// run lets o look after its shares until the test ends.
func run(t *testing.T, o *overflow.Log) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); o.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

// fill appends records of size bytes until n bytes of key were taken, and returns the
// first refusal.
func fill(t *testing.T, o *overflow.Log, key string, size, n int) error {
	t.Helper()
	for ; n > 0; n -= size {
		if _, err := o.Append(t.Context(), key, make([]byte, size)); err != nil {
			return err
		}
		synctest.Wait() // Run keeps up
	}
	return nil
}

func looked() { time.Sleep(3 * time.Second); synctest.Wait() }

// TestNobodyMeetsAFullLog: whoever appends, and however many there are, the log itself
// refuses nothing while the blob store takes objects.
func TestNobodyMeetsAFullLog(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]int{"one": 1, "two": 2, "many": 100} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				disk := queuetest.NewLog(1, queuetest.Faults{MaxBytes: limit})
				o := shared(t, disk, 10*limit)
				for i := range 4 * limit / 4096 {
					if err := fill(t, o, fmt.Sprint("k", i%keys), 4096, 4096); err != nil {
						t.Fatalf("after %d records: %v", i, err)
					}
				}
				looked()
				st, err := disk.State(t.Context())
				if err != nil || st.Bytes > limit/2 || keys == 1 && st.Bytes > limit/4 {
					t.Errorf("%d bytes stay in the log, %v", st.Bytes, err)
				}
			})
		})
	}
}

// TestWhoHoldsMoreThanItsShareIsNamed until it holds clearly less, and nobody else.
func TestWhoHoldsMoreThanItsShareIsNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := shared(t, queuetest.NewLog(1, queuetest.Faults{MaxBytes: limit}), 2*limit)
		named := func(when string, want ...string) {
			t.Helper()
			looked()
			if got := o.Full(); !slices.Equal(got, want) {
				t.Errorf("%s: full %v, want %v", when, got, want)
			}
		}
		for _, step := range []struct {
			key string
			n   int
		}{{"good", limit / 8}, {"evil", limit}} {
			if err := fill(t, o, step.key, 4096, step.n); err != nil {
				t.Fatal(err)
			}
		}
		named("below half of what both may hold")
		if err := fill(t, o, "evil", 4096, limit/2); err != nil {
			t.Fatal(err)
		}
		named("above half", "evil")
		if err := fill(t, o, "other", 4096, limit); err != nil {
			t.Fatal(err)
		}
		named("all together near the end", "evil", "other")
		if err := fill(t, o, "good", 4096, limit/8); err != nil {
			t.Errorf("who has little is refused: %v", err)
		}
		purge(t, o, "other", 1)
		named("after one of them left", "evil")
		purge(t, o, "evil", 2)
		named("after half of the other left, too")
	})
}

// purge removes a part of what there is of key, the oldest first.
func purge(t *testing.T, o *overflow.Log, key string, part int) {
	t.Helper()
	var seqs []uint64
	for rec, err := range o.ReadTo(t.Context(), 1, key) {
		if err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, rec.Seq)
	}
	if err := o.Purge(t.Context(), seqs[len(seqs)/part-1]+1, key); err != nil {
		t.Fatal(err)
	}
}

// TestWithoutABlobStoreOnlyTheLargestAreRefused, and what lets records leave is
// written to a log that is full for all others.
func TestWithoutABlobStoreOnlyTheLargestAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := shared(t, queuetest.NewLog(1, queuetest.Faults{MaxBytes: limit}), 0)
		if err := fill(t, o, "good", 1024, limit/32); err != nil {
			t.Fatal(err)
		}
		if err := fill(t, o, "evil", 1024, limit); fault.KindOf(err) != fault.Limited {
			t.Fatalf("evil fills the log: %v, want Limited", err)
		}
		looked()
		if got := o.Full(); !slices.Equal(got, []string{"evil"}) {
			t.Errorf("full %v, want evil", got)
		}
		if err := fill(t, o, "good", 1024, limit/32); err != nil {
			t.Errorf("good beside evil: %v", err)
		}
		if err := fill(t, o, "third", 1024, limit); fault.KindOf(err) != fault.Limited {
			t.Fatalf("third fills the log: %v, want Limited", err)
		}
		if o.Takes("good", 1024) {
			t.Error("the log has room for more, and refuses it")
		}
		st := insist(t, func() (queue.State, error) { return o.State(t.Context()) })
		seq, err := o.AppendAfter(t.Context(), st.Last, "evil", make([]byte, limit/20))
		if err != nil {
			t.Errorf("what lets others leave is refused: %v", err)
		}
		if err := o.Purge(t.Context(), seq, "evil"); err != nil {
			t.Fatal(err)
		}
		if err := fill(t, o, "third", 1024, limit/32); err != nil {
			t.Errorf("there is room at once: %v", err)
		}
	})
}

// TestSizesAreKnownAfterARestart: few large records of one key weigh more than many
// small ones of another, though nothing was appended since.
func TestSizesAreKnownAfterARestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := queuetest.NewLog(1, queuetest.Faults{MaxBytes: limit})
		for key, sizes := range map[string][2]int{"many": {100, 500}, "large": {limit / 16, 13}} {
			for range sizes[1] {
				if _, err := disk.Append(t.Context(), key, make([]byte, sizes[0])); err != nil {
					t.Fatal(err)
				}
			}
		}
		o := shared(t, disk.Restart(), 0)
		looked()
		if got := o.Full(); !slices.Equal(got, []string{"large"}) {
			t.Errorf("full %v, want large", got)
		}
	})
}
