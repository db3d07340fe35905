package backlog_test

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/backlog"
	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/parked"
)

// lane takes what it is fed, in memory of two deliveries.
type lane struct {
	*backlog.Backlog
	records []parked.Record
	memory  atomic.Int64
	evict   func() bool
	fed     []string // users
	at      []delivery.Place
}

const size = 100 // of a delivery

// written is when a record of newLane was.
func written(seq int) time.Time { return time.Unix(int64(seq), 0) }

// newLane has a record for each text, with a delivery for each of its letters,
// which are users.
func newLane(t *testing.T, last uint64, texts ...string) *lane {
	ln := &lane{evict: func() bool { return false }}
	for i, text := range texts {
		r := parked.Record{Seq: uint64(i + 1), At: written(i + 1)}
		for _, user := range text {
			r.Items = append(r.Items, parked.Item{Delivery: delivery.Delivery{Event: event.Event{User: string(user)}}})
		}
		ln.records = append(ln.records, r)
	}
	ln.Backlog = backlog.New(backlog.Config{
		Destination: "dst", Window: 2, Memory: &ln.memory, MemoryBytes: 1 << 20, Last: last, Log: slog.New(slog.DiscardHandler), Feed: ln.feed,
		Spawn: func(read func(context.Context)) bool { go read(t.Context()); return true },
		Read: func(_ context.Context, from, to uint64) iter.Seq2[parked.Record, error] {
			return func(yield func(parked.Record, error) bool) {
				for _, r := range ln.records {
					if r.Seq >= from && r.Seq <= to && !yield(r, nil) {
						return
					}
				}
			}
		},
	})
	return ln
}

func (ln *lane) feed(it *parked.Item, at delivery.Place) bool {
	for {
		switch ln.Admit(at, size, backlog.Counter(&it.Delivery), true, false) {
		case backlog.Unwanted:
			return true
		case backlog.Admitted:
			ln.fed, ln.at = append(ln.fed, it.Delivery.Event.User), append(ln.at, at)
			return true
		case backlog.Full:
			if !ln.evict() {
				return false
			}
		}
	}
}

// deliver settles the i-th delivery that was fed.
func (ln *lane) deliver(i int) {
	ln.Leave(size)
	ln.Done(ln.at[i], counter(ln.fed[i]))
}

func counter(user string) uint16 {
	return backlog.Counter(&delivery.Delivery{Event: event.Event{User: user}})
}

// wants compares who was fed so far.
func (ln *lane) wants(t *testing.T, users ...string) {
	t.Helper()
	synctest.Wait()
	if !slices.Equal(ln.fed, users) {
		t.Errorf("fed %q, want %q", ln.fed, users)
	}
}

func TestWhatAnEarlierOwnerLeftIsFedInOrderAsThereIsRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ln := newLane(t, 3, "ab", "cde", "f")
		ln.Resume(delivery.Drained{Floor: 1, Done: map[delivery.Place]struct{}{{Seq: 2, Item: 1}: {}}}, true)
		if _, unknown := ln.Parked(counter("c")); !unknown {
			t.Error("before it is read, all is known")
		}
		ln.Tick(time.Now(), false)
		ln.wants(t, "c", "e")
		if n, unknown := ln.Parked(counter("e")); n != 1 || unknown {
			t.Errorf("of e %d are parked, unknown %v; want 1, and all known: f was read and has no room", n, unknown)
		}
		ln.deliver(1)
		ln.wants(t, "c", "e", "f")
		if floor, risen := ln.Risen(); risen {
			t.Errorf("the floor rose to %d before c was settled", floor)
		}
		ln.deliver(0)
		if floor, risen := ln.Risen(); floor != 2 || !risen {
			t.Errorf("floor %d, risen %v; want 2", floor, risen)
		}
		if ln.Idle() {
			t.Error("idle before f is settled")
		}
		ln.deliver(2)
		if _, risen := ln.Risen(); !risen || !ln.Idle() || ln.memory.Load() != 0 {
			t.Errorf("risen %v, idle %v, %d bytes; want all settled", risen, ln.Idle(), ln.memory.Load())
		}
	})
}

func TestWhatIsEvictedIsFedAgainLaterWithWhatFollowsIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ln := newLane(t, 2, "abc", "ad")
		ln.evict = func() bool {
			if len(ln.fed) != 2 || !ln.Crowded() {
				return false
			}
			ln.Evict(ln.at[0], size, counter("a"), true)
			ln.evict = func() bool { return false }
			return true
		}
		ln.Resume(delivery.Drained{}, true)
		ln.Tick(time.Now(), true)
		ln.wants(t, "a", "b", "c")
		ln.deliver(1)
		ln.wants(t, "a", "b", "c", "d") // the second of a waits behind the first
		ln.deliver(2)
		ln.deliver(3)
		time.Sleep(time.Minute)
		ln.Tick(time.Now(), true)
		ln.wants(t, "a", "b", "c", "d", "a", "a")
		ln.deliver(4)
		ln.deliver(5)
		if floor, _ := ln.Risen(); floor != 2 || !ln.Idle() {
			t.Errorf("floor %d, idle %v; want 2 and idle", floor, ln.Idle())
		}
	})
}

func TestARecordThatHasRoomIsNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ln := newLane(t, 0, "ab", "cd")
		for _, user := range "abcd" {
			ln.Add(counter(string(user)))
		}
		if !ln.Wrote(1, 2, false) {
			t.Fatal("the first record is not direct, in an empty window")
		}
		if got := ln.Since(); !got.Equal(time.Now()) {
			t.Errorf("the oldest waits since %v, want since it was written", got)
		}
		for i, user := range "ab" {
			at := delivery.Place{Seq: 1, Item: uint32(i)}
			ln.Enter(at, size)
			ln.fed, ln.at = append(ln.fed, string(user)), append(ln.at, at)
		}
		if ln.Wrote(2, 2, false) {
			t.Fatal("the second record is direct, in a full window")
		}
		ln.Tick(time.Now(), false)
		ln.wants(t, "a", "b") // nothing can be done with it
		ln.Tick(time.Now(), true)
		ln.wants(t, "a", "b")
		if floor, places := ln.Settled(); floor != 0 || len(places) != 0 {
			t.Errorf("settled: %d and %v, want nothing", floor, places)
		}
		ln.deliver(1)
		if _, places := ln.Settled(); fmt.Sprint(places) != "map[{1 1}:{}]" {
			t.Errorf("settled: %v, want the second", places)
		}
		ln.deliver(0)
		ln.wants(t, "a", "b", "c", "d")
		if got := ln.Since(); !got.Equal(written(2)) {
			t.Errorf("when the first record is settled, the oldest waits since %v, want %v", got, written(2))
		}
		ln.deliver(2)
		ln.deliver(3)
		if got := ln.Since(); !got.IsZero() {
			t.Errorf("when all is settled, the oldest waits since %v", got)
		}
	})
}
