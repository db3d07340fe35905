package overflow_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
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

// overflowing opens log with a small quota on the folder dir.
func overflowing(t testing.TB, ctx context.Context, log queue.Log, dir string, quota int64) *overflow.Log {
	t.Helper()
	blobs, err := blob.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for {
		o, err := overflow.New(ctx, overflow.Config{
			Log: log, Limit: 4 * quota, Blobs: blobs, Folder: "0", Stored: 1 << 30, Segment: 1 + quota/4, Every: 100 * time.Millisecond,
		})
		if fault.KindOf(err) != fault.Unavailable {
			if err != nil {
				t.Fatal(err)
			}
			return o
		}
	}
}

func TestOverflowKeepsTheContractOfLogs(t *testing.T) {
	t.Parallel()
	queuetest.Kit(t, func(t *testing.T) queue.Log {
		return overflowing(t, t.Context(), queuetest.NewLog(1, queuetest.Faults{}), t.TempDir(), 1<<30)
	})
}

// TestOverflowReadsAsIfAllHadStayed appends, purges and reads while records move
// to the blob store, and while the process dies at any moment, and wants the same
// as of a log from which nothing moves.
func TestOverflowReadsAsIfAllHadStayed(t *testing.T) {
	t.Parallel()
	queuetest.Simulate(t, 30, func(t testing.TB, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 7))
		log := queuetest.NewLog(seed, queuetest.Faults{Lost: 5, Refused: 5, Delayed: 10, Slow: 5})
		dir := t.TempDir()
		var o *overflow.Log
		var stop func()
		start := func() {
			ctx, cancel := context.WithCancel(context.Background())
			o = overflowing(t, ctx, log, dir, 4000)
			done := make(chan struct{})
			go func() { defer close(done); o.Run(ctx) }()
			stop = func() { cancel(); <-done }
		}
		start()
		defer func() { stop() }()
		var want []queue.Record // what is there
		purged := map[uint64]queue.Record{}
		keys, moved := []string{"a", "b", "c"}, int64(0)
		last := uint64(0)
		for step := range 600 {
			key := keys[min(rng.IntN(6), 2)]
			switch n := rng.IntN(100); {
			case n < 70:
				data := fmt.Appendf(nil, "%d %s", step, make([]byte, rng.IntN(300)))
				seq, err := o.AppendAfter(t.Context(), last, key, data)
				if err != nil { // whether it was done, its number tells
					if st := insist(t, func() (queue.State, error) { return o.State(t.Context()) }); st.Last == last {
						continue
					}
					seq = last + 1
				}
				last = seq
				want = append(want, queue.Record{Seq: seq, Key: key, Data: data})
			case n < 75:
				before := uint64(rng.IntN(int(last) + 2))
				insist(t, func() (bool, error) { return true, o.Purge(t.Context(), before, key) })
				want = slices.DeleteFunc(want, func(r queue.Record) bool {
					gone := r.Key == key && r.Seq < before
					if gone {
						purged[r.Seq] = r
					}
					return gone
				})
			case n < 78:
				log.Crash()
				stop()
				log = log.Restart()
				start()
			case n < 80 && len(want) > 0:
				var seqs []uint64
				for range 1 + rng.IntN(5) {
					i := rng.IntN(len(want))
					seqs = append(seqs, want[i].Seq)
					want = slices.Delete(want, i, i+1)
					if len(want) == 0 {
						break
					}
				}
				insist(t, func() (bool, error) { return true, o.Delete(t.Context(), seqs...) })
			case n < 90:
				time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
			default:
				if rng.IntN(3) == 0 {
					key = ""
				}
				from := uint64(rng.IntN(int(last) + 2))
				same(t, fmt.Sprintf("seed %d, step %d, from %d of %q", seed, step, from, key), o.ReadTo(t.Context(), from, key), slices.DeleteFunc(slices.Clone(want), func(r queue.Record) bool {
					return r.Seq < from || key != "" && r.Key != key
				}), purged)
			}
			moved = max(moved, o.Bytes())
		}
		if moved == 0 {
			t.Errorf("seed %d: nothing ever moved", seed)
		}
		counts := map[string]uint64{}
		for _, r := range want {
			counts[r.Key]++
		}
		has := insist(t, func() (map[string]uint64, error) { return o.Keys(t.Context()) })
		for key, n := range counts {
			if has[key] < n {
				t.Errorf("seed %d: Keys says %d of %s, want %d", seed, has[key], key, n)
			}
		}
		for _, key := range keys {
			insist(t, func() (bool, error) { return true, o.Purge(t.Context(), last+1, key) })
		}
		left, _ := filepath.Glob(filepath.Join(dir, "*/*/*")) // the pattern is sound
		if o.Bytes() != 0 || len(left) != 0 {
			t.Errorf("seed %d: %d bytes and %v left after all was purged", seed, o.Bytes(), left)
		}
	})
}

// insist repeats a call of a log that is away for moments.
func insist[T any](t testing.TB, call func() (T, error)) T {
	t.Helper()
	for range 1000 {
		if v, err := call(); err == nil {
			return v
		}
	}
	t.Fatal("it failed a thousand times")
	panic("unreachable")
}

// same wants got to yield want, in order. It may yield purged records too: an
// object is removed when all of it is purged.
func same(t testing.TB, what string, got iter.Seq2[queue.Record, error], want []queue.Record, purged map[uint64]queue.Record) {
	t.Helper()
	n, next := 0, uint64(0)
	for r, err := range got {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		be, gone := purged[r.Seq]
		if !gone && n == len(want) {
			t.Fatalf("%s: record %d is too much", what, r.Seq)
		}
		if !gone {
			be = want[n]
			n++
		}
		if r.Seq < next || r.Seq != be.Seq || r.Key != be.Key || !bytes.Equal(r.Data, be.Data) || r.At.IsZero() {
			t.Fatalf("%s: got %d of %s at %v, want %d of %s, at least %d", what, r.Seq, r.Key, r.At, be.Seq, be.Key, next)
		}
		next = r.Seq + 1
	}
	if n != len(want) {
		t.Fatalf("%s: %d records, want %d", what, n, len(want))
	}
}

// TestDamagedObjects wants the sound records before the damage, and one that
// nobody takes for sound in place of the rest.
func TestDamagedObjects(t *testing.T) {
	t.Parallel()
	const size, of = 1000, 4 // bytes of a record with its head, records of an object
	for name, damage := range map[string]func([]byte) []byte{
		"a flipped bit":     func(b []byte) []byte { b[2*size+size/2] ^= 1; return b },
		"a missing end":     func(b []byte) []byte { return b[:2*size+size/2] },
		"a length too long": func(b []byte) []byte { b[2*size] = 0xff; return b },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				dir, content := t.TempDir(), func(n uint64) []byte { return bytes.Repeat([]byte{byte(n)}, size-24) }
				o := overflowing(t, t.Context(), queuetest.NewLog(1, queuetest.Faults{}), dir, 4*of*size)
				for n := range uint64(40) {
					if _, err := o.Append(t.Context(), "a", content(n+1)); err != nil {
						t.Fatal(err)
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				o.Run(ctx)
				objects, err := filepath.Glob(filepath.Join(dir, "0/a/*"))
				if err != nil || len(objects) < 2 {
					t.Fatalf("objects %v, %v", objects, err)
				}
				was, err := os.ReadFile(objects[0])
				if err != nil || len(was) != of*size {
					t.Fatalf("an object of %d bytes, %v", len(was), err)
				}
				if err := os.WriteFile(objects[0], damage(was), 0o600); err != nil {
					t.Fatal(err)
				}
				var sound, unsound []uint64
				for r, err := range o.ReadTo(t.Context(), 1, "a") {
					switch {
					case err != nil:
						t.Fatal(err)
					case bytes.Equal(r.Data, content(r.Seq)):
						sound = append(sound, r.Seq)
					default:
						unsound = append(unsound, r.Seq)
					}
				}
				want := []uint64{1, 2}
				for n := uint64(of + 1); n <= 40; n++ {
					want = append(want, n)
				}
				if !slices.Equal(sound, want) || !slices.Equal(unsound, []uint64{of}) {
					t.Errorf("sound %v, unsound %v; want %v and %d", sound, unsound, want, of)
				}
			})
		})
	}
}
