package share

import (
	"context"
	"slices"
	"sync"
	"time"

	"weir/shared/fault"
	"weir/shared/id"
)

// Config is how many slots there are.
type Config struct {
	Slots    int           // at once; 0: one
	Aside    int           // further ones, for who is moved aside; 0: one
	Patience time.Duration // after which who holds a slot is moved aside when somebody waits; 0: 2 s
	Waiting  int           // calls of one workspace that may wait; 0: any number
}

// How long use is remembered.
const (
	fading     = time.Minute // after which use counts for a third
	remembered = time.Minute // how long a workspace counts as slow after it was
)

// Slots is a number of slots. It is safe for concurrent use.
type Slots struct {
	c Config

	mu      sync.Mutex
	tenants map[id.Workspace]*tenant
	taken   [2]int // slots, by class
	calls   uint64 // so far
	swept   time.Time
	timer   *time.Timer // of the next holder whose patience ends
}

// class tells ordinary slots from those aside.
type class int

const (
	ordinary class = iota
	aside
)

// tenant is a workspace that uses slots, or used some lately.
type tenant struct {
	workspace id.Workspace
	holds     [2][]*hold // by class, the oldest first
	waiting   [2][]*call // in order
	use       use
	asked     time.Time
	slow      time.Time // when a holder was moved aside last
}

// hold is a slot that is taken.
type hold struct {
	tenant *tenant
	class  class
	since  time.Time
}

// call is one that waits for a slot.
type call struct {
	number uint64
	got    chan *hold // of one
}

// New returns slots that nobody holds.
func New(c Config) *Slots {
	c.Slots, c.Aside = max(c.Slots, 1), max(c.Aside, 1)
	if c.Patience == 0 {
		c.Patience = 2 * time.Second
	}
	return &Slots{c: c, tenants: map[id.Workspace]*tenant{}}
}

// Acquire waits for a slot. release gives it back and may be called again.
//
// fault.Limited: Config.Waiting calls of the workspace wait already. When ctx ends
// first, the error is its cause.
func (s *Slots) Acquire(ctx context.Context, ws id.Workspace) (release func(), err error) {
	return s.acquire(ctx, ws, ordinary)
}

// AcquireAside is Acquire for work that was slow before: it has the slots of those
// that were moved aside, and no others.
func (s *Slots) AcquireAside(ctx context.Context, ws id.Workspace) (release func(), err error) {
	return s.acquire(ctx, ws, aside)
}

func (s *Slots) acquire(ctx context.Context, ws id.Workspace, c class) (release func(), err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	s.mu.Lock()
	now := time.Now()
	s.sweep(now)
	t := s.tenants[ws]
	if t == nil {
		t = &tenant{workspace: ws}
		s.tenants[ws] = t
	}
	t.asked = now
	if n := len(t.waiting[c]); s.c.Waiting > 0 && n >= s.c.Waiting {
		s.mu.Unlock()
		return nil, fault.New(fault.Limited, "This plane runs %d of these at once, and %d of this workspace wait already; try again in a moment.", s.c.Slots, n)
	}
	s.calls++
	w := &call{number: s.calls, got: make(chan *hold, 1)}
	t.waiting[c] = append(t.waiting[c], w)
	s.grant(now)
	s.mu.Unlock()
	select {
	case h := <-w.got:
		return sync.OnceFunc(func() { s.release(h) }), nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(t.waiting[c], w); i >= 0 {
		t.waiting[c] = slices.Delete(t.waiting[c], i, i+1)
	} else {
		s.drop(<-w.got, time.Now())
	}
	return nil, context.Cause(ctx)
}

func (s *Slots) release(h *hold) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(h, time.Now())
}

// drop frees a slot; mu is held.
func (s *Slots) drop(h *hold, now time.Time) {
	t := h.tenant
	t.use.settle(now, t.held())
	t.holds[h.class] = slices.DeleteFunc(t.holds[h.class], func(x *hold) bool { return x == h })
	s.taken[h.class]--
	s.grant(now)
}

// take fills a slot; mu is held.
func (s *Slots) take(t *tenant, h *hold, now time.Time) {
	t.use.settle(now, t.held())
	t.holds[h.class] = append(t.holds[h.class], h)
	s.taken[h.class]++
}

// Slow returns the workspaces that held slots for long while others waited, a
// minute ago at most.
func (s *Slots) Slow() []id.Workspace {
	s.mu.Lock()
	defer s.mu.Unlock()
	var slow []id.Workspace
	for ws, t := range s.tenants {
		if within(t.slow, time.Now()) {
			slow = append(slow, ws)
		}
	}
	slices.Sort(slow)
	return slow
}

// Busy returns the workspaces that used at least so much time of slots in the last
// minute: that of two slots counts twice, and what is past fades.
func (s *Slots) Busy(least time.Duration) []id.Workspace {
	s.mu.Lock()
	defer s.mu.Unlock()
	var busy []id.Workspace
	for ws, t := range s.tenants {
		if t.use.settle(time.Now(), t.held()) >= least.Seconds() {
			busy = append(busy, ws)
		}
	}
	slices.Sort(busy)
	return busy
}

// within reports whether at is remembered.
func within(at, now time.Time) bool { return !at.IsZero() && now.Sub(at) < remembered }

// sweep forgets workspaces that use nothing and whose use counts no more; mu is held.
func (s *Slots) sweep(now time.Time) {
	if now.Sub(s.swept) < fading {
		return
	}
	s.swept = now
	for ws, t := range s.tenants {
		if t.held() == 0 && len(t.waiting[ordinary])+len(t.waiting[aside]) == 0 && now.Sub(t.asked) > remembered+10*fading {
			delete(s.tenants, ws)
		}
	}
}

// held is how many slots the workspace has.
func (t *tenant) held() int { return len(t.holds[ordinary]) + len(t.holds[aside]) }

// isSlow reports whether the workspace has work that is slow.
func (t *tenant) isSlow(now time.Time) bool { return len(t.holds[aside]) > 0 || within(t.slow, now) }
