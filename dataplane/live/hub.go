package live

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/shared/fault"
	"weir/shared/id"
)

// How many watches there may be at once.
const (
	MaxWorkspace = 16 // of one workspace
	MaxPlane     = 64
)

// Stage is where an event was seen.
type Stage string

// The stages, in the order of an event's way.
const (
	Gateway   Stage = "gateway"
	Pipeline  Stage = "pipeline"
	Transform Stage = "transform"
	Deliver   Stage = "deliver"
	Load      Stage = "load"
)

// Stages lists all stages.
func Stages() []Stage { return []Stage{Gateway, Pipeline, Transform, Deliver, Load} }

// Outcome is what happened to it there.
type Outcome string

// The outcomes.
const (
	Accepted    Outcome = "accepted"
	Duplicate   Outcome = "duplicate"
	Quarantined Outcome = "quarantined"
	Dropped     Outcome = "dropped"
	Unrouted    Outcome = "unrouted"
	Routed      Outcome = "routed"
	Transformed Outcome = "transformed"
	Delivered   Outcome = "delivered"
	Retrying    Outcome = "retrying"
	Parked      Outcome = "parked"
	Dead        Outcome = "dead"
	Staged      Outcome = "staged"
	Loaded      Outcome = "loaded"
)

// Outcomes lists all outcomes.
func Outcomes() []Outcome {
	return []Outcome{Accepted, Duplicate, Quarantined, Dropped, Unrouted, Routed, Transformed, Delivered, Retrying, Parked, Dead, Staged, Loaded}
}

// Sighting is one event at one step. Destination and Code are empty where they
// do not apply. Event is JSON, or any bytes of an event that broke a rule at the
// door.
type Sighting struct {
	At          time.Time
	Workspace   id.Workspace
	Source      id.Source
	Destination id.Destination
	MessageID   id.Event
	Stage       Stage
	Outcome     Outcome
	Code        string
	Event       []byte
}

// Filter chooses sightings. Workspace is required; an empty list chooses all. A
// filter by destinations leaves out what concerns no destination yet.
type Filter struct {
	Workspace    id.Workspace
	Sources      []id.Source
	Destinations []id.Destination
	Stages       []Stage
	Outcomes     []Outcome
	// Search chooses events whose messageId, userId, anonymousId, event or name contains
	// it, case included, and what happens to them from then on. "" chooses all.
	Search string
}

// matches reports whether f, of the same workspace, chooses s, its Search aside.
func (f *Filter) matches(s *Sighting) bool {
	return chooses(f.Sources, s.Source) && chooses(f.Destinations, s.Destination) && chooses(f.Stages, s.Stage) && chooses(f.Outcomes, s.Outcome)
}

func chooses[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }

// Hub brings sightings to watches. The zero Hub is ready, a nil one shows
// nothing; it must not be copied. It is safe for concurrent use.
type Hub struct {
	watched atomic.Pointer[map[id.Workspace][]*Watch] // immutable; nil while nobody watches

	changing sync.Mutex // held while watches come and go
	closed   bool
}

// Watching reports whether anybody watches the workspace: whether a sighting is
// worth making.
func (h *Hub) Watching(ws id.Workspace) bool {
	if h == nil {
		return false
	}
	m := h.watched.Load()
	return m != nil && len((*m)[ws]) > 0
}

// See shows s to the watches whose filter chooses it. It never waits for a
// reader and keeps no reference to s's Event or MessageID.
func (h *Hub) See(s Sighting) {
	if h == nil {
		return
	}
	m := h.watched.Load()
	if m == nil {
		return
	}
	owned := false
	for _, w := range (*m)[s.Workspace] {
		if !w.wants(&s) || !w.reserve(&s) {
			continue
		}
		if !owned { // of the frame that it is a part of nothing is kept
			s.Event, s.MessageID, owned = bytes.Clone(s.Event), id.Event(strings.Clone(string(s.MessageID))), true
		}
		w.put(s)
	}
}

// Watch begins to watch what f chooses. The caller must Close it. When there are
// MaxPlane watches already, the oldest one of the workspace with the most ends for
// it, unless that workspace would have fewer than the new one's then.
//
// fault.Invalid: f names no workspace, or searches for a text over maxSearch. fault.Limited: there are too many
// watches. fault.Unavailable: the hub was closed.
func (h *Hub) Watch(f Filter) (*Watch, error) {
	if f.Workspace == "" {
		return nil, fault.New(fault.Invalid, "A watch is of one workspace.")
	}
	if len(f.Search) > maxSearch {
		return nil, fault.New(fault.Invalid, "search is longer than %d bytes; a part of the text is enough.", maxSearch)
	}
	if h == nil {
		return nil, fault.New(fault.Unavailable, "This plane shows no live events.")
	}
	h.changing.Lock()
	defer h.changing.Unlock()
	if h.closed {
		return nil, errClosed
	}
	old, all := h.current(), 0
	for _, ws := range old {
		all += len(ws)
	}
	if len(old[f.Workspace]) >= MaxWorkspace || all >= MaxPlane && !h.makeRoom(f.Workspace) {
		return nil, fault.New(fault.Limited, "Too many watch this plane's live events already; close another page or 'weir tail'.")
	}
	f.Sources, f.Destinations, f.Stages, f.Outcomes = slices.Clone(f.Sources), slices.Clone(f.Destinations), slices.Clone(f.Stages), slices.Clone(f.Outcomes)
	w := &Watch{hub: h, filter: f, search: search{text: f.Search}, woken: make(chan struct{}, 1), ended: make(chan struct{})}
	h.set(f.Workspace, append(slices.Clone(h.current()[f.Workspace]), w))
	return w, nil
}

// makeRoom ends a watch of the workspace with the most for one more of ws, unless it
// would have fewer than ws then; h.changing is held.
func (h *Hub) makeRoom(ws id.Workspace) bool {
	most := ws
	watched := h.current()
	for other, list := range watched {
		if n := len(watched[most]); len(list) > n || len(list) == n && other < most {
			most = other
		}
	}
	list := watched[most]
	if len(list)-1 < len(watched[ws])+1 {
		return false
	}
	list[0].end(errOthers)
	h.set(most, slices.Clone(list[1:]))
	return true
}

// Close ends all watches; there will be no new ones. A plane that stops calls
// it so that no stream holds it up.
func (h *Hub) Close() {
	h.changing.Lock()
	defer h.changing.Unlock()
	h.closed = true
	for _, ws := range h.current() {
		for _, w := range ws {
			w.end(errClosed)
		}
	}
	h.watched.Store(nil)
}

func (h *Hub) current() map[id.Workspace][]*Watch {
	if m := h.watched.Load(); m != nil {
		return *m
	}
	return nil
}

// set makes list the watches of ws; h.changing is held.
func (h *Hub) set(ws id.Workspace, list []*Watch) {
	next := map[id.Workspace][]*Watch{}
	for k, v := range h.current() {
		next[k] = v
	}
	if next[ws] = list; len(list) == 0 {
		delete(next, ws)
	}
	if len(next) == 0 {
		h.watched.Store(nil)
		return
	}
	h.watched.Store(&next)
}

// remove takes w out.
func (h *Hub) remove(w *Watch) {
	h.changing.Lock()
	defer h.changing.Unlock()
	list := h.current()[w.filter.Workspace]
	if i := slices.Index(list, w); i >= 0 {
		h.set(w.filter.Workspace, slices.Delete(slices.Clone(list), i, i+1))
	}
}
