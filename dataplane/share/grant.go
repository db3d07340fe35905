package share

import (
	"math"
	"time"
)

// use is slot-seconds, which fade.
type use struct {
	seconds float64
	at      time.Time
}

// settle adds what so many slots used since the last call, and returns the sum.
func (u *use) settle(now time.Time, slots int) float64 {
	if u.at.IsZero() {
		u.at = now
	}
	left := math.Exp(-now.Sub(u.at).Seconds() / fading.Seconds())
	u.seconds = u.seconds*left + float64(slots)*fading.Seconds()*(1-left)
	u.at = now
	return u.seconds
}

// grant gives free slots to who waits and moves aside who holds theirs for long;
// mu is held.
func (s *Slots) grant(now time.Time) {
	for {
		t := s.next(aside, s.c.Aside-s.taken[aside], now)
		if t == nil {
			break
		}
		s.give(t, aside, now)
	}
	for {
		free := s.c.Slots - s.taken[ordinary]
		if t := s.next(ordinary, free, now); t != nil {
			s.give(t, ordinary, now)
			continue
		}
		if s.next(ordinary, free+1, now) == nil {
			break
		}
		h := s.longest(now)
		if h == nil {
			break
		}
		s.move(h, now)
	}
	s.wake(now)
}

// next returns the workspace that gets a slot when so many of a class are free, nil
// for none.
func (s *Slots) next(c class, free int, now time.Time) *tenant {
	var best *tenant
	var least float64
	for _, t := range s.tenants {
		if len(t.waiting[c]) == 0 || !s.may(t, c, free, now) {
			continue
		}
		used := t.use.settle(now, t.held())
		if best == nil || used < least || used == least && t.waiting[c][0].number < best.waiting[c][0].number {
			best, least = t, used
		}
	}
	return best
}

// may reports whether a workspace may take a slot when so many of a class are free.
func (s *Slots) may(t *tenant, c class, free int, now time.Time) bool {
	switch {
	case free <= 0:
		return false
	case c == aside:
		return s.mayAside(t)
	}
	return free > 1 || s.c.Slots == 1 || !t.isSlow(now)
}

// mayAside reports whether a workspace has its part of the slots aside not yet.
func (s *Slots) mayAside(t *tenant) bool {
	return len(t.holds[aside]) < max(1, s.c.Aside/2)
}

// give gives a slot to a workspace's first call that waits.
func (s *Slots) give(t *tenant, c class, now time.Time) {
	w := t.waiting[c][0]
	t.waiting[c] = t.waiting[c][1:]
	h := &hold{tenant: t, class: c, since: now}
	s.take(t, h, now)
	w.got <- h
}

// longest returns the holder to be moved aside: that of the workspace with the most
// use which has its slot for the longest time; nil when there is none, or no room.
func (s *Slots) longest(now time.Time) *hold {
	if s.taken[aside] >= s.c.Aside {
		return nil
	}
	var found *hold
	var most float64
	for _, t := range s.tenants {
		if len(t.holds[ordinary]) == 0 || !s.mayAside(t) {
			continue
		}
		h := t.holds[ordinary][0]
		if now.Sub(h.since) < s.c.Patience {
			continue
		}
		used := t.use.settle(now, t.held())
		if found == nil || used > most || used == most && h.since.Before(found.since) {
			found, most = h, used
		}
	}
	return found
}

// move moves a holder aside.
func (s *Slots) move(h *hold, now time.Time) {
	t := h.tenant
	t.use.settle(now, t.held())
	t.holds[ordinary] = t.holds[ordinary][1:] // it is the oldest
	t.holds[aside] = append(t.holds[aside], h)
	s.taken[ordinary]--
	s.taken[aside]++
	h.class, t.slow = aside, now
}

// wake has grant called when the patience with a holder ends, if somebody waits.
func (s *Slots) wake(now time.Time) {
	var soonest time.Time
	waits := false
	for _, t := range s.tenants {
		waits = waits || len(t.waiting[ordinary]) > 0
		for _, h := range t.holds[ordinary] {
			if ripe := h.since.Add(s.c.Patience); ripe.After(now) {
				if soonest.IsZero() || ripe.Before(soonest) {
					soonest = ripe
				}
				break
			}
		}
	}
	if !waits || soonest.IsZero() {
		return
	}
	if s.timer == nil {
		s.timer = time.AfterFunc(soonest.Sub(now), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.grant(time.Now())
		})
		return
	}
	s.timer.Reset(soonest.Sub(now))
}
