// Package ratelimit holds sources to a rate of events: a token bucket for each, and
// what the answers say of it. Nothing is counted across processes.
package ratelimit

import (
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Rate is how much a source may send to one gateway.
type Rate struct {
	Events int64 // a second, on average; 0 means no limit
	Burst  int64 // events at once after a pause; 0 means Events
}

// size is how many events fit into the bucket.
func (r Rate) size() float64 {
	if r.Burst > 0 {
		return float64(r.Burst)
	}
	return float64(r.Events)
}

// Limits hold a token bucket for each source, by a key of its, that has a Rate. A
// bucket belongs to the source, not to its configuration: a change of the rate
// changes how it fills from then on. A request that is larger than the bucket passes when that
// is full, and leaves a debt: otherwise it could never be sent.
type Limits[K comparable] struct {
	mu      sync.Mutex
	buckets map[K]*bucket
	most    int // buckets at which the full ones are forgotten
}

// bucket is how many events a source may send now; less than 0 is a debt.
type bucket struct {
	rate   Rate
	tokens float64
	at     time.Time // when it was filled last
}

// manyBuckets is how many buckets are kept without looking for full ones.
const manyBuckets = 1024

// Allowance is what an answer says of a limit. The zero one says nothing.
type Allowance struct {
	Limit, Remaining int64         // events
	Reset            time.Duration // until all of Limit is there again
	Wait             time.Duration // until the refused request may come again
}

// Peek is Take for a request of which nobody knows yet what is in it: it takes
// nothing, and is not ok when not even one event may be sent.
func (l *Limits[K]) Peek(key K, rate Rate, now time.Time) (Allowance, bool) {
	if rate.Events <= 0 {
		return Allowance{}, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.of(key, rate, now)
	if b.tokens >= 1 {
		return Allowance{}, true
	}
	return b.allowance(1), false
}

// Take takes n events out of the bucket of a source, or none.
func (l *Limits[K]) Take(key K, rate Rate, n int, now time.Time) (Allowance, bool) {
	if rate.Events <= 0 {
		return Allowance{}, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.of(key, rate, now)
	need := min(float64(n), b.rate.size())
	if b.tokens < need {
		return b.allowance(need), false
	}
	b.tokens -= float64(n)
	return b.allowance(0), true
}

// Give puts n events back that could not be kept.
func (l *Limits[K]) Give(key K, rate Rate, n int, now time.Time) {
	if rate.Events <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.of(key, rate, now)
	b.tokens = min(b.tokens+float64(n), b.rate.size())
}

// of returns the bucket of a source, filled up to now; l.mu is held.
func (l *Limits[K]) of(key K, rate Rate, now time.Time) *bucket {
	b := l.buckets[key]
	if b == nil {
		l.forget(now)
		b = &bucket{rate: rate, tokens: rate.size(), at: now}
		l.buckets[key] = b
	}
	b.fill(now)
	if b.rate != rate {
		b.rate = rate
		b.tokens = min(b.tokens, b.rate.size())
	}
	return b
}

// forget drops the buckets that are full, which a new one equals, once there are
// many. What is left was used lately, so there are never more than sources.
func (l *Limits[K]) forget(now time.Time) {
	if l.buckets == nil {
		l.buckets, l.most = map[K]*bucket{}, manyBuckets
	}
	if len(l.buckets) < l.most {
		return
	}
	for key, b := range l.buckets {
		if b.fill(now); b.tokens >= b.rate.size() {
			delete(l.buckets, key)
		}
	}
	l.most = max(manyBuckets, 2*len(l.buckets))
}

func (b *bucket) fill(now time.Time) {
	if past := now.Sub(b.at); past > 0 {
		b.tokens = min(b.tokens+past.Seconds()*float64(b.rate.Events), b.rate.size())
		b.at = now
	}
}

// allowance tells of b; need is how many events the next request wants.
func (b *bucket) allowance(need float64) Allowance {
	until := func(tokens float64) time.Duration {
		seconds := (tokens - b.tokens) / float64(b.rate.Events)
		return time.Duration(min(max(seconds, 0), math.MaxInt32) * float64(time.Second))
	}
	return Allowance{
		Limit: int64(b.rate.size()), Remaining: int64(max(b.tokens, 0)),
		Reset: until(b.rate.size()), Wait: max(until(need), time.Millisecond),
	}
}

// Write writes the limit into the headers of an answer.
//
// Source: draft-ietf-httpapi-ratelimit-headers-03, the fields that clients know.
func (a Allowance) Write(h http.Header) {
	if a.Limit == 0 {
		return
	}
	// In one piece of memory, and spelled as people know them.
	values := []string{strconv.FormatInt(a.Limit, 10), strconv.FormatInt(a.Remaining, 10), strconv.FormatInt(Seconds(a.Reset), 10)}
	h["RateLimit-Limit"], h["RateLimit-Remaining"], h["RateLimit-Reset"] = values[0:1:1], values[1:2:2], values[2:3:3]
}

// Seconds is d in whole seconds, rounded up.
func Seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
