package unread_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/dataplane/pipeline/unread"
	"weir/dataplane/queue"
	"weir/dataplane/queue/queuetest"
	"weir/shared/id"
)

// loop is the books of a partition whose frames are read one by one.
type loop struct {
	t    *testing.T
	log  *queuetest.Log
	book ledger.Book
	read uint64
}

func (l *loop) entries() ([]ledger.Row, uint64) { return l.book.Rows(nil), l.read }

// append appends a frame with an event of each source; "again" is one of src_a
// that is accepted again.
func (l *loop) append(sources ...id.Source) {
	l.t.Helper()
	events := make([]event.Event, len(sources))
	for i, s := range sources {
		events[i] = event.Event{Workspace: "ws_a", Source: s, MessageID: id.Event(fmt.Sprint(i)), JSON: []byte(`{}`)}
		if s == "again" {
			events[i].Source, events[i].Replayed = "src_a", true
		}
	}
	if _, err := l.log.Append(l.t.Context(), "", queue.EncodeFrame(events)); err != nil {
		l.t.Fatal(err)
	}
}

// next reads a frame: what it holds of source was accepted and found to be duplicate.
func (l *loop) next(source id.Source, accepted, replayed int64) {
	l.read++
	of := func(a ledger.Account, n int64) ledger.Delta {
		return ledger.Delta{Workspace: "ws_a", Source: source, Account: a, N: n}
	}
	l.book.Apply([]ledger.Delta{of(ledger.Accepted, accepted), of(ledger.Replayed, replayed), of(ledger.Duplicate, accepted+replayed)})
}

// purge removes what was read.
func (l *loop) purge() {
	l.t.Helper()
	if err := l.log.Purge(l.t.Context(), l.read+1, ""); err != nil {
		l.t.Fatal(err)
	}
}

// want checks accepted, replayed and waiting of each source, and that all balance.
func (l *loop) want(c *unread.Counter, want map[id.Source][3]int64) {
	l.t.Helper()
	got := map[id.Source][3]int64{}
	for _, r := range c.Entries() {
		got[r.Source] = [3]int64{r.Accepted, r.Replayed, r.Waiting}
		if !r.Balanced {
			l.t.Errorf("not balanced: %+v", r)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		l.t.Errorf("accepted, replayed, waiting by source (-want +got):\n%s", d)
	}
}

func TestFramesAreCountedUntilTheyAreRead(t *testing.T) {
	t.Parallel()
	l := &loop{t: t, log: queuetest.NewLog(1, queuetest.Faults{})}
	c := unread.New(l.log, nil, l.entries)
	l.want(c, map[id.Source][3]int64{})
	l.append("src_a", "src_a", "src_b")
	l.append("src_a", "again")
	l.want(c, map[id.Source][3]int64{"src_a": {3, 1, 4}, "src_b": {1, 0, 1}})
	l.next("src_a", 2, 0)
	l.book.Apply([]ledger.Delta{{Workspace: "ws_a", Source: "src_b", Account: ledger.Accepted, N: 1}, {Workspace: "ws_a", Source: "src_b", Account: ledger.Unrouted, N: 1}})
	l.want(c, map[id.Source][3]int64{"src_a": {3, 1, 2}, "src_b": {1, 0, 0}})
	l.want(unread.New(l.log, nil, l.entries), map[id.Source][3]int64{"src_a": {3, 1, 2}, "src_b": {1, 0, 0}}) // another owner
	l.next("src_a", 1, 1)
	l.purge()
	l.want(c, map[id.Source][3]int64{"src_a": {3, 1, 0}, "src_b": {1, 0, 0}})
	l.append("src_a")
	l.next("src_a", 1, 0)
	l.purge()
	l.append("src_b")
	l.want(c, map[id.Source][3]int64{"src_a": {4, 1, 0}, "src_b": {2, 0, 1}})
}

// TestWhatTheLoopReadsMeanwhileIsCountedOnce lets the loop read and purge frames
// while they are counted.
func TestWhatTheLoopReadsMeanwhileIsCountedOnce(t *testing.T) {
	t.Parallel()
	l := &loop{t: t, log: queuetest.NewLog(1, queuetest.Faults{})}
	for range 5 {
		l.append("src_a")
	}
	asked := 0
	c := unread.New(l.log, nil, func() ([]ledger.Row, uint64) {
		if asked++; asked%2 == 0 && l.read < 5 {
			l.next("src_a", 1, 0)
			l.purge()
		}
		return l.entries()
	})
	for range 12 {
		rows := c.Entries()
		if r := rows[0]; len(rows) != 1 || r.Accepted != 5 || r.Waiting != 5-int64(l.read) || !r.Balanced {
			t.Errorf("behind frame %d: %+v, want 5 accepted and the rest waiting", l.read, rows)
		}
	}
}

func TestAFrameThatNobodyCanReadCountsAsOneEvent(t *testing.T) {
	t.Parallel()
	l := &loop{t: t, log: queuetest.NewLog(1, queuetest.Faults{})}
	if _, err := l.log.Append(t.Context(), "", []byte("damaged")); err != nil {
		t.Fatal(err)
	}
	l.want(unread.New(l.log, nil, l.entries), map[id.Source][3]int64{"": {1, 0, 1}})
}

func TestAnUnreachableLogLeavesTheLedgerAsItIs(t *testing.T) {
	t.Parallel()
	l := &loop{t: t, log: queuetest.NewLog(1, queuetest.Faults{})}
	l.append("src_a")
	l.next("src_a", 1, 0)
	l.append("src_a")
	l.log.Crash()
	l.want(unread.New(l.log, nil, l.entries), map[id.Source][3]int64{"src_a": {1, 0, 0}})
}

// TestWhatIsOnTheDetourWaitsToo counts frames of the detour, and each once while they
// are moved.
func TestWhatIsOnTheDetourWaitsToo(t *testing.T) {
	t.Parallel()
	l := &loop{t: t, log: queuetest.NewLog(1, queuetest.Faults{})}
	side := &loop{t: t, log: queuetest.NewLog(2, queuetest.Faults{})}
	asked := func() {}
	c := unread.New(l.log, side.log, func() ([]ledger.Row, uint64) {
		asked()
		return l.entries()
	})
	l.append("src_a")
	side.append("src_a", "src_b")
	l.want(c, map[id.Source][3]int64{"src_a": {2, 0, 2}, "src_b": {1, 0, 1}})
	side.append("src_b", "again")
	l.want(c, map[id.Source][3]int64{"src_a": {2, 1, 3}, "src_b": {2, 0, 2}})
	l.next("src_a", 1, 0)
	l.want(c, map[id.Source][3]int64{"src_a": {2, 1, 2}, "src_b": {2, 0, 2}})
	asked = func() { // the first frame of the detour is moved while frames are counted
		asked = func() {}
		l.append("src_a", "src_b")
		side.read = 1
		side.purge()
	}
	l.want(c, map[id.Source][3]int64{"src_a": {2, 1, 2}, "src_b": {2, 0, 2}})
	l.append("src_b", "again")
	side.read = 2
	side.purge()
	l.want(c, map[id.Source][3]int64{"src_a": {2, 1, 2}, "src_b": {2, 0, 2}})
	side.log.Crash()
	l.want(c, map[id.Source][3]int64{"src_a": {2, 1, 2}, "src_b": {2, 0, 2}})
}
