package overflow_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"weir/dataplane/blob"
	"weir/dataplane/overflow"
	"weir/dataplane/queue/queuetest"
)

// TestWhatHasNoOtherPlaceIsTaken appends several times the limit beside a blob store
// that takes nothing, and on a disk that is almost full. All of it is read, whoever fed
// it is named, and once the blob store answers again it moves.
func TestWhatHasNoOtherPlaceIsTaken(t *testing.T) {
	t.Parallel()
	for name, low := range map[string]bool{"a broken blob store": false, "a full disk": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				blobs, err := blob.Open(t.TempDir())
				if err != nil {
					t.Fatal(err)
				}
				store, full := &away{Store: blobs}, atomic.Bool{}
				store.back.Store(low)
				full.Store(low)
				o, err := overflow.New(t.Context(), overflow.Config{
					Log: queuetest.NewLog(1, queuetest.Faults{}), Limit: limit, Blobs: store, Folder: "0", Stored: 8 * limit, Segment: 64 << 10,
					Insist: true, Low: full.Load,
				})
				if err != nil {
					t.Fatal(err)
				}
				run(t, o)
				const size, records = 4096, 4 * limit / 4096
				for n := range records {
					if n%2 == 0 {
						_, err = o.Append(t.Context(), "evil", make([]byte, size))
					} else {
						_, err = o.AppendAfter(t.Context(), uint64(n), "evil", make([]byte, size))
					}
					if err != nil {
						t.Fatalf("record %d: %v", n, err)
					}
				}
				if _, err := o.Append(t.Context(), "good", make([]byte, 100<<10)); err != nil {
					t.Fatalf("another key's: %v", err)
				}
				looked()
				if full := o.Full(); len(full) != 1 || full[0] != "evil" || o.Takes("evil", 1) {
					t.Errorf("full: %v, want evil alone", full)
				}
				store.back.Store(true)
				full.Store(false)
				looked()
				if o.Bytes() < 3*limit {
					t.Errorf("%d bytes moved when they could", o.Bytes())
				}
				read := 0
				for _, err := range o.ReadTo(t.Context(), 1, "") {
					if err != nil {
						t.Fatal(err)
					}
					read++
				}
				if read != records+1 {
					t.Errorf("%d records are read, want %d", read, records+1)
				}
			})
		})
	}
}

// TestBoundsMayGrow: who was named under a small limit is not under a large one.
func TestBoundsMayGrow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := atomic.Int64{}
		now.Store(limit / 8)
		o, err := overflow.New(t.Context(), overflow.Config{
			Log: queuetest.NewLog(1, queuetest.Faults{}), Limit: limit / 8, Bounds: func() (int64, int64) { return now.Load(), 0 },
		})
		if err != nil {
			t.Fatal(err)
		}
		run(t, o)
		_ = fill(t, o, "evil", 4096, limit/8) // until it is refused
		looked()
		if full := o.Full(); len(full) != 1 {
			t.Fatalf("full: %v, want evil", full)
		}
		now.Store(limit)
		looked()
		if full := o.Full(); len(full) != 0 || !o.Takes("evil", limit/8) {
			t.Errorf("full: %v, want nobody once there is room", full)
		}
	})
}

// away is a blob store that takes nothing until it is back.
type away struct {
	blob.Store
	back atomic.Bool
}

func (a *away) Put(ctx context.Context, r blob.Ref, write func(io.Writer) error) error {
	if !a.back.Load() {
		return errors.New("the blob store does not answer")
	}
	return a.Store.Put(ctx, r, write)
}
