package live

import (
	"context"
	"sync"

	"weir/shared/fault"
)

// What one watch holds at most until its reader takes it.
const (
	MaxSightings = 4096
	MaxBytes     = 4 << 20
)

// overhead is about what a sighting costs beside its event, in bytes.
const overhead = 256

// Why a watch ends.
var (
	errClosed = fault.New(fault.Unavailable, "The live events of this plane ended.")
	errOthers = fault.New(fault.Limited, "So many watch this plane's live events that other workspaces had no room; close another page or 'weir tail'.")
)

// Watch is one reader's bounded queue of sightings.
type Watch struct {
	hub    *Hub
	filter Filter
	woken  chan struct{} // holds one token when something came
	ended  chan struct{}
	why    error // set before ended is closed
	once   sync.Once

	searching sync.Mutex // held while search is used
	search    search

	mu       sync.Mutex
	queue    []Sighting // from head on
	head     int
	reserved int // sightings that were counted in and are being copied
	bytes    int // of queue and reserved
	missed   uint64
}

func size(s *Sighting) int { return overhead + len(s.Event) + len(s.MessageID) }

// wants reports whether the filter chooses s. A search sees every step of an event,
// so that it knows the event again where the other choices take one.
func (w *Watch) wants(s *Sighting) bool {
	if w.filter.Search == "" {
		return w.filter.matches(s)
	}
	w.searching.Lock()
	found := w.search.chooses(s)
	w.searching.Unlock()
	return found && w.filter.matches(s)
}

// reserve makes room for s, or counts it as missed.
func (w *Watch) reserve(s *Sighting) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.queue) - w.head + w.reserved; n >= MaxSightings || n > 0 && w.bytes+size(s) > MaxBytes {
		w.missed++
		return false
	}
	w.reserved++
	w.bytes += size(s)
	return true
}

// put fills the room that reserve made.
func (w *Watch) put(s Sighting) {
	w.mu.Lock()
	w.reserved--
	if w.head > len(w.queue)/2 && len(w.queue) == cap(w.queue) { // move up instead of growing
		n := copy(w.queue, w.queue[w.head:])
		clear(w.queue[n:])
		w.queue, w.head = w.queue[:n], 0
	}
	w.queue = append(w.queue, s)
	w.mu.Unlock()
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

// Next returns the oldest sighting that was not taken yet and waits for one. A
// watch has one reader.
//
// The error is that of ctx, fault.Unavailable after Close, or fault.Limited when the
// watch ended for those of other workspaces.
func (w *Watch) Next(ctx context.Context) (Sighting, error) {
	for {
		if s, ok := w.Take(); ok {
			return s, nil
		}
		select {
		case <-w.woken:
		case <-w.ended:
			return Sighting{}, w.why
		case <-ctx.Done():
			return Sighting{}, ctx.Err()
		}
	}
}

// Take is Next that does not wait; ok is false when there is none.
func (w *Watch) Take() (s Sighting, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.head == len(w.queue) {
		return Sighting{}, false
	}
	s, w.queue[w.head] = w.queue[w.head], Sighting{}
	w.head++
	w.bytes -= size(&s)
	if w.head == len(w.queue) {
		w.queue, w.head = w.queue[:0], 0
	}
	return s, true
}

// Missed returns how many sightings were left out since it was asked last.
func (w *Watch) Missed() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.missed
	w.missed = 0
	return n
}

// Close ends the watch; it may be called again.
func (w *Watch) Close() {
	w.end(errClosed)
	w.hub.remove(w)
}

func (w *Watch) end(why error) {
	w.once.Do(func() {
		w.why = why
		close(w.ended)
	})
}
