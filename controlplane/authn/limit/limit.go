// Package limit counts failures of keys, such as an address, in memory that is bounded.
package limit

import (
	"net/netip"
	"sync"
	"time"
)

// mostTracked is how many keys are kept in memory.
const mostTracked = 10_000

// Limiter counts events, such as failed sign-ins, per key in fixed windows. It is
// safe for concurrent use and its memory is bounded: when it is full, keys whose
// window has passed go first, then any.
type Limiter struct {
	now    func() time.Time
	window time.Duration

	mu   sync.Mutex
	seen map[string]tally
}

type tally struct {
	since time.Time
	n     int
}

// New returns a limiter with windows of a length.
func New(now func() time.Time, window time.Duration) *Limiter {
	return &Limiter{now: now, window: window, seen: map[string]tally{}}
}

// Open reports whether key was counted fewer than most times in its window.
func (l *Limiter) Open(key string, most int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, ok := l.seen[key]
	return !ok || l.now().Sub(t.since) >= l.window || t.n < most
}

// Count counts one event of key.
func (l *Limiter) Count(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	t, ok := l.seen[key]
	if !ok || now.Sub(t.since) >= l.window {
		t = tally{since: now}
	}
	t.n++
	if !ok && len(l.seen) >= mostTracked {
		l.makeRoom(now)
	}
	l.seen[key] = t
}

func (l *Limiter) makeRoom(now time.Time) {
	for key, t := range l.seen {
		if now.Sub(t.since) >= l.window {
			delete(l.seen, key)
		}
	}
	for key := range l.seen {
		if len(l.seen) < mostTracked {
			return
		}
		delete(l.seen, key)
	}
}

// Forget drops what is known of key.
func (l *Limiter) Forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.seen, key)
}

// Peer groups addresses that one person can have: an IPv4 address, or the
// /64 of an IPv6 one.
func Peer(addr netip.Addr) string {
	if !addr.IsValid() {
		return "?"
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		prefix, _ := addr.Prefix(64) // 64 is a length that every IPv6 address has
		return prefix.String()
	}
	return addr.String()
}
