// Package notices tells callers what changed while they watch, as server-sent events: that
// a workspace has a revision, that a plane said something new, that members or tokens
// changed. A notice names what changed and holds nothing of it but the few words that a
// plane says about itself; who wants more asks for it.
//
// It guarantees that nobody is told of what he may not read, also when that was taken from
// him while he watched: who calls is asked anew before anything is sent. Rows of the audit
// log are the source, so every control plane on a database tells the same, and a stream that
// broke off goes on behind the last row that it told of. Where something may have been missed it says so by a
// notice of kind sync.
//
// It refuses more streams than the process or a caller may have. What a slow reader has not
// taken is bounded: past the bound it gets a sync in its place.
package notices

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"weir/controlplane/policy"
	"weir/controlplane/store"
	"weir/controlplane/store/audit"
	"weir/shared/fault"
	"weir/shared/id"
)

// Config is what Handlers stand on. All but Log and what has a default is required.
type Config struct {
	Store  *store.Store
	Policy *policy.Policy
	// Known says who calls, anew; an error when nobody does any more.
	Known func(c echo.Context) (store.Actor, error)
	// Judge returns a plane as it is to be shown now: whether it is heard, and its alarms.
	Judge func(p store.Plane) store.Plane
	Every time.Duration // between looks for what other processes changed, 0 means 1 s
	Log   *slog.Logger  // nil discards
}

// Limits of streams.
const (
	mostStreams   = 2000 // of the process
	mostPerCaller = 20
	mostPending   = 500              // changes that a stream has not told of yet
	longest       = time.Hour        // of a stream; a caller then asks again
	quiet         = 10 * time.Second // between signs of life, and at most between looks who calls
	apart         = 200 * time.Millisecond
)

// Handlers answer this part of the API.
type Handlers struct {
	Config
	nudge chan struct{}

	mu        sync.Mutex
	ended     bool
	listeners map[*listener]bool
	callers   map[string]int    // streams by caller
	told      map[string]uint64 // the newest row of each organization that somebody listens to

	// Of Run alone.
	planes     map[id.Plane]heard
	workspaces map[id.Workspace]store.Workspace
}

// New returns handlers. Streams are told of something while Run runs.
func New(cfg Config) *Handlers {
	if cfg.Every == 0 {
		cfg.Every = time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	h := &Handlers{Config: cfg, nudge: make(chan struct{}, 1), listeners: map[*listener]bool{}, callers: map[string]int{},
		told: map[string]uint64{}, planes: map[id.Plane]heard{}, workspaces: map[id.Workspace]store.Workspace{}}
	cfg.Store.Audit().OnAppend(func() {
		select {
		case h.nudge <- struct{}{}:
		default:
		}
	})
	return h
}

// listener is one stream, and what it has not told of yet.
type listener struct {
	caller       string
	organization string
	wake         chan struct{} // has room for one
	over         chan struct{} // closed when the process ends

	mu      sync.Mutex
	pending []change
	missed  bool // more happened than pending holds
}

// hear adds what changed, if it is about the listener's organization or the installation.
func (l *listener) hear(list []change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range list {
		switch {
		case c.organization != "" && c.organization != l.organization:
			continue
		case len(l.pending) >= mostPending:
			l.pending, l.missed = nil, true
		}
		l.pending = append(l.pending, c)
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// lose has the listener say that something may have been missed.
func (l *listener) lose() {
	l.mu.Lock()
	l.missed = true
	l.mu.Unlock()
	l.hear(nil)
}

func (l *listener) take() (list []change, missed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list, missed = l.pending, l.missed
	l.pending, l.missed = nil, false
	return list, missed
}

// join adds a listener, and returns up to which rows the others were told.
//
// fault.Limited: the caller has too many streams. fault.Unavailable: the process has, or ends.
func (h *Handlers) join(l *listener, newest map[string]uint64) (map[string]uint64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.ended:
		return nil, fault.New(fault.Unavailable, "the control plane ends; try again")
	case h.callers[l.caller] >= mostPerCaller:
		return nil, fault.New(fault.Limited, "you listen to notices %d times already", mostPerCaller)
	case len(h.listeners) >= mostStreams:
		return nil, fault.New(fault.Unavailable, "too many listen to notices now; ask for what you need now and then")
	}
	at := map[string]uint64{}
	for _, org := range []string{"", l.organization} {
		if _, ok := h.told[org]; !ok {
			h.told[org] = newest[org]
		}
		at[org] = h.told[org]
	}
	h.listeners[l] = true
	h.callers[l.caller]++
	return at, nil
}

// through is up to which rows streams of an organization were told.
func (h *Handlers) through(org string) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.told[org]
}

func (h *Handlers) leave(l *listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.listeners[l] {
		return
	}
	delete(h.listeners, l)
	if h.callers[l.caller]--; h.callers[l.caller] == 0 {
		delete(h.callers, l.caller)
	}
	wanted := map[string]bool{"": len(h.listeners) > 0}
	for other := range h.listeners {
		wanted[other.organization] = true
	}
	for org := range h.told {
		if !wanted[org] {
			delete(h.told, org)
		}
	}
}

// Run tells streams of what changes until ctx ends; then they end too.
func (h *Handlers) Run(ctx context.Context) error {
	tick := time.NewTicker(h.Every)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := h.look(ctx); err != nil && ctx.Err() == nil {
			h.Log.WarnContext(ctx, "what changed not found", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-h.nudge:
			select {
			case <-ctx.Done():
			case <-time.After(apart / 2): // writes that come close together are looked at once
			}
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	for l := range h.listeners {
		close(l.over)
	}
	return nil
}

// audience lists who listens, and up to which row each organization was told.
func (h *Handlers) audience() ([]*listener, map[string]uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]*listener, 0, len(h.listeners))
	for l := range h.listeners {
		list = append(list, l)
	}
	told := make(map[string]uint64, len(h.told))
	for org, n := range h.told {
		told[org] = n
	}
	return list, told
}

// tell hands rows of an organization to who listens, and remembers how far they go.
func (h *Handlers) tell(org string, through uint64, list []change, lost bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.told[org]; ok {
		h.told[org] = through
	}
	for l := range h.listeners {
		if org != "" && org != l.organization {
			continue
		}
		if lost {
			l.lose()
		} else {
			l.hear(list)
		}
	}
}

// entries are rows as changes.
func (h *Handlers) entries(ctx context.Context, rows []audit.Entry) ([]change, error) {
	out := make([]change, 0, len(rows))
	names := map[id.Workspace]string{}
	for _, e := range rows {
		c := changeOf(e)
		if _, known := names[c.workspace]; !known && c.workspace != "" {
			ws, err := h.Store.Workspace(ctx, c.workspace)
			if err != nil && fault.KindOf(err) != fault.Missing {
				return nil, err
			}
			names[c.workspace] = ws.Name
		}
		c.name = names[c.workspace]
		out = append(out, c)
	}
	return out, nil
}
