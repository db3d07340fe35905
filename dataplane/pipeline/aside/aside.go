// Package aside keeps the events of workspaces that a plane cannot load: its guard
// forbids them, their state is damaged, a secret does not open. A partition's loop
// gives them away and goes on for everybody else; when their workspace is loaded
// they come back by themselves.
//
// They lie in QUARANTINE under a key of their workspace (queue.AsideKey), and are
// booked as quarantined with Code. They come back through EVENTS, booked as
// replayed, what was routed before first, then in the order of EVENTS. Until the last of them was
// read, what the loop reads of the workspace is set aside behind them, so each
// user's order holds; and so that this comes to an end, the gateway takes nothing of
// the workspace meanwhile (Board).
//
// It guarantees that an event comes back only after the journal says that it was set
// aside, since another owner would send it from its first place, too, and out of order;
// and that it leaves QUARANTINE only after the loop has read it again: a death in
// between repeats the last ones and loses nothing.
package aside

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/queue"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/id"
)

// Code is what events are booked and kept with while their workspace is not loaded.
const Code = "workspace_unloaded"

// Paces and bounds of Run.
const (
	look     = 100 * time.Millisecond // between two looks for workspaces that are loaded
	readPoll = 2 * time.Millisecond   // between two looks at what the loop has read
	pause    = time.Second            // after a log did not do what was asked
	batch    = 32                     // records that come back at once, which a death may repeat
)

// Config is what a Store works with. Every field is required.
type Config struct {
	Partition  int
	Events     queue.Log
	Quarantine queue.Log
	Known      func(id.Workspace) bool // whether the workspace is loaded, or known to be removed
	Read       func() uint64           // the newest frame of Events that went through the loop
	Barrier    func() <-chan struct{}  // closed when all bookings that the journal got are in it
	Board      *Board
	Log        *slog.Logger
}

// Store is what one owner of a partition has set aside. It is safe for concurrent use.
type Store struct {
	c    Config
	some chan struct{} // something is set aside; holds one token

	mu   sync.Mutex
	held map[id.Workspace]*held // a workspace is there until all of its events came back
}

// held is what is set aside of one workspace.
type held struct {
	owed  int  // calls of Enter whose events are not there
	older bool // this owner set something of it aside that was routed
	cut   bool // a former owner did, and may have died before it had done all of that

	unbooked map[*Pile]struct{} // added, or about to be, and the journal has not got their booking
}

// Open finds what former owners set aside. fault.Unavailable: the log is unreachable.
func Open(ctx context.Context, c Config) (*Store, error) {
	keys, err := c.Quarantine.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for events that were set aside: %w", err)
	}
	s := &Store{c: c, some: make(chan struct{}, 1), held: map[id.Workspace]*held{}}
	for key := range keys {
		if ws, routed, ok := queue.AsideOf(key); ok {
			if s.held[ws] == nil {
				s.held[ws] = &held{}
			}
			s.held[ws].cut = s.held[ws].cut || routed
		}
	}
	s.post()
	return s, nil
}

// Enter reports whether e has to be set aside: its workspace is not known, or others
// of it have to come back first. Then the caller owes a call of Add. former: a former
// owner has routed e, or had it come back, so that nothing comes first but what was
// routed before it.
func (s *Store) Enter(e *event.Event, known, former bool) bool {
	ws := e.Workspace
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[ws]
	if known && (h == nil || former && !h.older && !(h.cut && !e.Replayed)) {
		return false
	}
	if h == nil {
		ws = id.Workspace(strings.Clone(string(ws))) // it is a part of a frame
		h = &held{}
		s.held[ws] = h
		s.post()
		select {
		case s.some <- struct{}{}:
		default:
		}
		s.c.Log.Warn("events of a workspace that is not loaded are set aside", "partition", s.c.Partition, "workspace", ws)
	}
	h.owed++
	h.older = h.older || former
	return true
}

// Pile is events of one workspace, of one frame, that are set aside together.
type Pile struct {
	Workspace id.Workspace
	Routed    bool // they were on their way to a destination
	Entered   int  // calls of Enter
	events    []event.Event
}

// Note adds e. to is the destination that has not got it, "" for all.
func (p *Pile) Note(e event.Event, to id.Destination) {
	e.Quarantine = Code
	if to != "" {
		e.Destination = to
	}
	p.events = append(p.events, e)
}

// Add sets a pile aside. It may be repeated after an error of the log until it
// succeeds: only then it is done. The caller owes a call of Booked.
func (s *Store) Add(ctx context.Context, p *Pile) error {
	s.mu.Lock()
	h := s.held[p.Workspace]
	if h.unbooked == nil {
		h.unbooked = map[*Pile]struct{}{}
	}
	h.unbooked[p] = struct{}{}
	s.mu.Unlock()
	if _, err := s.c.Quarantine.Append(ctx, queue.AsideKey(p.Workspace, p.Routed), queue.EncodeFrame(p.events)); err != nil {
		return fmt.Errorf("set events of %s aside: %w", p.Workspace, err)
	}
	s.mu.Lock()
	s.held[p.Workspace].owed -= p.Entered
	s.mu.Unlock()
	return nil
}

// Booked notes that the journal got the booking of a pile: that its events are
// quarantined.
func (s *Store) Booked(p *Pile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.held[p.Workspace]; h != nil {
		delete(h.unbooked, p)
	}
}

// journaled waits until what was set aside of ws before is in the journal as such;
// false: ctx ended before.
func (s *Store) journaled(ctx context.Context, ws id.Workspace) bool {
	s.mu.Lock()
	waits := maps.Clone(s.held[ws].unbooked)
	s.mu.Unlock()
	for len(waits) > 0 {
		if !delay.For(ctx, readPoll) {
			return false
		}
		s.mu.Lock()
		maps.DeleteFunc(waits, func(p *Pile, _ struct{}) bool { _, still := s.held[ws].unbooked[p]; return !still })
		s.mu.Unlock()
	}
	select {
	case <-s.c.Barrier():
		return true
	case <-ctx.Done():
		return false
	}
}

// Run brings events back until ctx ends.
func (s *Store) Run(ctx context.Context) {
	for wait := look; s.anything(ctx) && delay.For(ctx, wait); {
		wait = look
		for _, ws := range s.loaded() {
			if err := s.bring(ctx, ws); err != nil && ctx.Err() == nil {
				wait = pause
				s.c.Log.WarnContext(ctx, "events that were set aside do not come back now", "partition", s.c.Partition, "workspace", ws, "error", err)
			}
		}
	}
}

// anything waits until something is set aside; false: ctx ended before.
func (s *Store) anything(ctx context.Context) bool {
	for {
		s.mu.Lock()
		n := len(s.held)
		s.mu.Unlock()
		if n > 0 {
			return true
		}
		select {
		case <-s.some:
		case <-ctx.Done():
			return false
		}
	}
}

// loaded lists the workspaces whose events may come back.
func (s *Store) loaded() (all []id.Workspace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ws := range s.held {
		if s.c.Known(ws) {
			all = append(all, ws)
		}
	}
	return all
}

// bring brings back what is set aside of ws, and lets its events pass when nothing is left.
func (s *Store) bring(ctx context.Context, ws id.Workspace) error {
	for s.c.Known(ws) {
		sent, last, err := s.send(ctx, ws, queue.AsideKey(ws, true)) // what was routed is older than all else
		if len(sent) == 0 && err == nil {
			sent, last, err = s.send(ctx, ws, queue.AsideKey(ws, false))
		}
		if len(sent) == 0 {
			if err == nil {
				err = s.finish(ctx, ws)
			}
			return err
		}
		for s.c.Read() < last {
			if !delay.For(ctx, readPoll) {
				return nil
			}
		}
		for failed := s.c.Quarantine.Delete(ctx, sent...); failed != nil; failed = s.c.Quarantine.Delete(ctx, sent...) {
			if !delay.For(ctx, look) { // what came back must not come twice, so nothing else is done before
				return failed
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// send appends some of what is set aside of ws under key to EVENTS and returns the
// numbers of its records and of the last frame. With an error it returns what it came to.
func (s *Store) send(ctx context.Context, ws id.Workspace, key string) (sent []uint64, last uint64, err error) {
	var records []queue.Record
	for rec, err := range s.c.Quarantine.ReadTo(ctx, 1, key) {
		if err != nil {
			return nil, 0, fmt.Errorf("read what is set aside: %w", err)
		}
		if records = append(records, rec); len(records) == batch {
			break
		}
	}
	if len(records) > 0 && !s.journaled(ctx, ws) {
		return nil, 0, ctx.Err()
	}
	for _, rec := range records {
		frame := rec.Data // one that cannot be read ends as every damaged frame does
		if decoded, err := queue.DecodeFrame(rec.Data); err == nil {
			for i := range decoded.Events {
				e := &decoded.Events[i]
				e.Quarantine, e.Detail, e.Replayed = "", "", true
			}
			frame = queue.EncodeFrame(decoded.Events)
		}
		seq, err := s.c.Events.Append(ctx, "", frame)
		if err != nil {
			return sent, last, fmt.Errorf("append what was set aside: %w", err)
		}
		last, sent = max(last, seq), append(sent, rec.Seq)
	}
	return sent, last, nil
}

// finish lets the events of ws pass when nothing of them is set aside any more.
func (s *Store) finish(ctx context.Context, ws id.Workspace) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[ws].owed > 0 {
		return nil
	}
	keys, err := s.c.Quarantine.Keys(ctx)
	if err != nil {
		return fmt.Errorf("look for what is set aside: %w", err)
	}
	if keys[queue.AsideKey(ws, true)]+keys[queue.AsideKey(ws, false)] > 0 {
		return nil
	}
	delete(s.held, ws)
	s.post()
	s.c.Log.InfoContext(ctx, "all events that were set aside came back", "partition", s.c.Partition, "workspace", ws)
	return nil
}

// post tells the board whose events are set aside; mu is held, or nobody else has s.
func (s *Store) post() {
	all := make([]id.Workspace, 0, len(s.held))
	for ws := range s.held {
		all = append(all, ws)
	}
	s.c.Board.set(s.c.Partition, all)
}

// Board says of which workspaces events are set aside, over the partitions of a
// process. The zero Board is empty; a nil one hears nothing. It is safe for
// concurrent use.
type Board struct {
	mu   sync.Mutex
	of   map[int][]id.Workspace
	held atomic.Pointer[map[id.Workspace]bool] // never changed
}

// set replaces what a partition has set aside.
func (b *Board) set(partition int, all []id.Workspace) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of == nil {
		b.of = map[int][]id.Workspace{}
	}
	b.of[partition] = all
	held := map[id.Workspace]bool{}
	for _, of := range b.of {
		for _, ws := range of {
			held[ws] = true
		}
	}
	b.held.Store(&held)
}

// Workspaces returns the workspaces of which events are set aside. The map must not
// be changed.
func (b *Board) Workspaces() map[id.Workspace]bool {
	if held := b.held.Load(); held != nil {
		return *held
	}
	return nil
}

// Refuse makes append refuse the events of workspaces of which others have to come
// back first: fault.Limited with Code. All events of a call are of one workspace.
func (b *Board) Refuse(append func(context.Context, []event.Event) error) func(context.Context, []event.Event) error {
	const text = "Events of this workspace that wait since it could not be loaded come first; send it again."
	return func(ctx context.Context, events []event.Event) error {
		if len(events) > 0 && b.Workspaces()[events[0].Workspace] {
			return &fault.Error{Kind: fault.Limited, Text: text, Problems: []fault.Problem{{Code: Code, Text: text}}}
		}
		return append(ctx, events)
	}
}
