package overflow_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"weir/dataplane/blob"
	"weir/dataplane/overflow"
	"weir/dataplane/queue/queuetest"
)

// TestWhatHasNoOtherPlaceIsTaken appends several times what log and blob store may
// hold, while nothing looks after the shares and the disk is almost full. Readers find
// all of it, and whoever fed it is named.
func TestWhatHasNoOtherPlaceIsTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		blobs, err := blob.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		o, err := overflow.New(t.Context(), overflow.Config{
			Log: queuetest.NewLog(1, queuetest.Faults{MaxBytes: limit}), Limit: limit, Blobs: blobs, Folder: "0", Stored: limit / 4, Segment: 64 << 10,
			Insist: true, Low: func() bool { return true },
		})
		if err != nil {
			t.Fatal(err)
		}
		const size, records = 4096, 4 * limit / 4096
		for n := range records {
			if _, err := o.Append(t.Context(), "evil", make([]byte, size)); err != nil {
				t.Fatalf("record %d: %v", n, err)
			}
		}
		for n := range 3 { // of others, larger than an object
			if _, err := o.Append(t.Context(), fmt.Sprint("good", n), make([]byte, 100<<10)); err != nil {
				t.Fatalf("another key's: %v", err)
			}
		}
		read := 0
		for _, err := range o.ReadTo(t.Context(), 1, "") {
			if err != nil {
				t.Fatal(err)
			}
			read++
		}
		if read != records+3 {
			t.Errorf("%d records are read, want %d", read, records+3)
		}
		run(t, o)
		looked()
		if full := o.Full(); len(full) != 1 || full[0] != "evil" {
			t.Errorf("full: %v, want evil alone", full)
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

// TestWhoFillsALogBesideABrokenBlobStoreIsNamed has nowhere to move records to: whoever
// feeds the log is named, so that it is refused at its source, while there is room for
// the records of others. Once the blob store answers again everybody's are taken.
func TestWhoFillsALogBesideABrokenBlobStoreIsNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		blobs, err := blob.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		store := &away{Store: blobs}
		o, err := overflow.New(t.Context(), overflow.Config{
			Log: queuetest.NewLog(1, queuetest.Faults{MaxBytes: limit}), Limit: limit, Blobs: store, Folder: "0", Stored: limit, Segment: 64 << 10, Insist: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		run(t, o)
		const size = 4096
		for held := 0; len(o.Full()) == 0; held += size {
			if held > limit*6/10 {
				t.Fatalf("nobody is named, and the log has %d of %d bytes", held, limit)
			}
			if _, err := o.Append(t.Context(), "evil", make([]byte, size)); err != nil {
				t.Fatalf("after %d bytes: %v", held, err)
			}
			looked()
		}
		for n := range limit / 5 / size {
			if _, err := o.Append(t.Context(), fmt.Sprint("good", n%3), make([]byte, size)); err != nil {
				t.Fatalf("record %d of others: %v", n, err)
			}
		}
		looked()
		if full := o.Full(); len(full) != 1 || full[0] != "evil" {
			t.Errorf("full: %v, want evil alone", full)
		}
		store.back.Store(true)
		looked()
		for n := range limit / size {
			if _, err := o.Append(t.Context(), "evil", make([]byte, size)); err != nil {
				t.Fatalf("record %d once the blob store answers again: %v", n, err)
			}
		}
	})
}
