package aside_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/pipeline/aside"
	"weir/dataplane/queue"
	"weir/dataplane/queue/queuetest"
	"weir/shared/id"
)

const ws id.Workspace = "ws_a"

// partition is the logs of a partition, and what its loop knows and has read.
type partition struct {
	t                  *testing.T
	events, quarantine *queuetest.Log
	known              atomic.Bool
	read               atomic.Uint64
	board              aside.Board
	journaled          chan struct{} // closed: the journal has all that it got
}

func newPartition(t *testing.T) *partition {
	return &partition{t: t, events: queuetest.NewLog(1, queuetest.Faults{}), quarantine: queuetest.NewLog(2, queuetest.Faults{}), journaled: closed()}
}

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func (p *partition) open() *aside.Store {
	p.t.Helper()
	s, err := aside.Open(p.t.Context(), aside.Config{
		Events: p.events, Quarantine: p.quarantine, Known: func(id.Workspace) bool { return p.known.Load() }, Read: p.read.Load,
		Barrier: func() <-chan struct{} { return p.journaled },
		Board:   &p.board, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

// add sets an event aside.
func (p *partition) add(s *aside.Store, what string, routed bool) {
	p.t.Helper()
	e := event.Event{Workspace: ws, Source: "src_a", Quarantine: aside.Code, JSON: []byte(what)}
	if !s.Enter(&e, p.known.Load(), routed) {
		p.t.Fatalf("%s may pass", what)
	}
	pile := aside.Pile{Workspace: ws, Routed: routed, Entered: 1}
	pile.Note(e, "")
	if err := s.Add(p.t.Context(), &pile); err != nil {
		p.t.Fatal(err)
	}
	s.Booked(&pile)
}

// came returns what is in EVENTS.
func (p *partition) came() (all []string) {
	p.t.Helper()
	for _, rec := range p.events.Snapshot().Records {
		frame, err := queue.DecodeFrame(rec.Data)
		if err != nil {
			all = append(all, string(rec.Data))
		}
		for _, e := range frame.Events {
			if !e.Replayed || e.Quarantine != "" {
				p.t.Errorf("came back: %+v", e)
			}
			all = append(all, string(e.JSON))
		}
	}
	return all
}

// within runs s until the test function ends.
func (p *partition) within(s *aside.Store, fn func()) {
	ctx, stop := context.WithCancel(p.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	fn()
	stop()
	<-done
}

func TestWhatWasSetAsideComesBackInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPartition(t)
		s := p.open()
		for i := range 70 {
			p.add(s, fmt.Sprint("new ", i), false)
		}
		p.add(s, "routed", true)
		if _, err := p.quarantine.Append(t.Context(), queue.AsideKey(ws, false), []byte("damaged")); err != nil {
			t.Fatal(err)
		}
		if _, err := p.quarantine.Append(t.Context(), "src_a", []byte("another's")); err != nil {
			t.Fatal(err)
		}
		s = p.open() // another owner
		p.within(s, func() {
			time.Sleep(time.Minute)
			if n := len(p.came()); n > 0 || !p.board.Workspaces()[ws] {
				t.Errorf("%d came back before the workspace was loaded", n)
			}
			p.known.Store(true)
			time.Sleep(time.Second)
			if got := p.came(); len(got) != 1 || got[0] != "routed" {
				t.Errorf("before the loop reads: %v, want what had been routed alone", got)
			}
			p.add(s, "late", false) // the loop has found another one
			for range 100 {
				p.read.Store(uint64(len(p.events.Snapshot().Records)))
				time.Sleep(100 * time.Millisecond)
			}
		})
		want := []string{"routed"}
		for i := range 70 {
			want = append(want, fmt.Sprint("new ", i))
		}
		if got := p.came(); !slices.Equal(got, append(want, "damaged", "late")) {
			t.Errorf("came back: %v", got)
		}
		if left := p.quarantine.Snapshot().Records; len(left) != 1 || left[0].Key != "src_a" {
			t.Errorf("%d records are in QUARANTINE, want another's", len(left))
		}
		if e := (event.Event{Workspace: ws}); s.Enter(&e, true, false) || p.board.Workspaces()[ws] {
			t.Error("all came back, and events are set aside")
		}
	})
}

// TestWhatWasRoutedBeforeWaitsForNothingNewer: an owner that died while it set aside
// what was on its way left the rest to the next one, for which the workspace is loaded.
func TestWhatWasRoutedBeforeWaitsForNothingNewer(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	p.add(p.open(), "new", false)
	p.known.Store(true)
	e, back := event.Event{Workspace: ws}, event.Event{Workspace: ws, Replayed: true}
	s := p.open()
	if s.Enter(&e, true, true) || s.Enter(&back, true, true) {
		t.Error("what was routed before waits for what was not")
	}
	p.known.Store(false)
	p.add(p.open(), "on its way", true)
	p.known.Store(true)
	s = p.open()
	if s.Enter(&back, true, true) || !s.Enter(&e, true, true) {
		t.Error("what was on its way must wait for what was set aside of that, and what came back must not")
	}
}

// TestNothingComesBackBeforeItIsJournaled: what the journal does not know to be set
// aside would be sent from its first place by the next owner, behind what came back.
func TestNothingComesBackBeforeItIsJournaled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPartition(t)
		p.journaled = make(chan struct{})
		s := p.open()
		p.add(s, "one", false)
		e := event.Event{Workspace: ws, Source: "src_a", Quarantine: aside.Code, JSON: []byte("two")}
		s.Enter(&e, false, false)
		pile := aside.Pile{Workspace: ws, Entered: 1}
		pile.Note(e, "")
		if err := s.Add(t.Context(), &pile); err != nil {
			t.Fatal(err)
		}
		p.known.Store(true)
		p.within(s, func() {
			time.Sleep(time.Minute)
			if came := p.came(); len(came) > 0 {
				t.Errorf("%q came back before the journal got that it was set aside", came)
			}
			s.Booked(&pile)
			time.Sleep(time.Minute)
			if came := p.came(); len(came) > 0 {
				t.Errorf("%q came back before that was in the journal", came)
			}
			close(p.journaled)
			time.Sleep(time.Second)
			if came := p.came(); !slices.Equal(came, []string{"one", "two"}) {
				t.Errorf("%q came back, want both", came)
			}
			p.read.Store(2)
		})
	})
}
