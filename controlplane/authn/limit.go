package authn

import (
	"net/netip"
	"sync"
	"time"
)

// How many failed sign-ins are tolerated in a window.
const (
	window        = 5 * time.Minute
	mostPerPeer   = 30
	mostPerPerson = 10     // of one account from one peer, so that nobody can lock out another's account
	mostPerDevice = 10     // of one account from one device that signed in before
	mostTracked   = 10_000 // keys kept in memory

	// acquainted is how long an address is known as one that an account signed in
	// from: what strangers behind the same proxy do counts less there.
	acquainted = 30 * 24 * time.Hour
)

// limiter counts events, such as failed sign-ins, per key in fixed windows. It is
// safe for concurrent use and its memory is bounded: when it is full, keys whose
// window has passed go first, then any.
type limiter struct {
	now    func() time.Time
	window time.Duration

	mu   sync.Mutex
	seen map[string]tally
}

type tally struct {
	since time.Time
	n     int
}

func newLimiter(now func() time.Time, window time.Duration) *limiter {
	return &limiter{now: now, window: window, seen: map[string]tally{}}
}

// open reports whether key was counted fewer than most times in its window.
func (l *limiter) open(key string, most int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, ok := l.seen[key]
	return !ok || l.now().Sub(t.since) >= l.window || t.n < most
}

// count counts one event of key.
func (l *limiter) count(key string) {
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

func (l *limiter) makeRoom(now time.Time) {
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

// forget drops what is known of key.
func (l *limiter) forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.seen, key)
}

// peerKey groups addresses that one person can have: an IPv4 address, or the
// /64 of an IPv6 one.
func peerKey(addr netip.Addr) string {
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
