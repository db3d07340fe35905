package ingest

import (
	"encoding/json"
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

// Rate reads the limit out of settings of this kind in which the defaults are
// filled in. A kind without such fields has no limit.
func (k Kind) Rate(settings []byte) Rate {
	var r struct{ Rate, Burst int64 }
	if len(settings) > 0 {
		_ = json.Unmarshal(settings, &r) // they were checked against the Spec
	}
	return Rate{Events: max(r.Rate, 0), Burst: max(r.Burst, 0)}
}

// size is how many events fit into the bucket.
func (r Rate) size() float64 {
	if r.Burst > 0 {
		return float64(r.Burst)
	}
	return float64(r.Events)
}

// limits hold a token bucket for each source that has a Rate. A bucket belongs
// to the source, not to its configuration: a change of the rate changes how it
// fills from then on. A request that is larger than the bucket passes when that
// is full, and leaves a debt: otherwise it could never be sent.
type limits struct {
	mu      sync.Mutex
	buckets map[bookKey]*bucket
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

// allowance is what a sender is told of its limit. The zero one says nothing.
type allowance struct {
	limit, remaining int64
	reset            time.Duration // until all of limit is there again
	wait             time.Duration // until the refused request may come again
}

// peek is take for a request of which nobody knows yet what is in it: it takes
// nothing, and is not ok when not even one event may be sent.
func (l *limits) peek(e Entry, now time.Time) (allowance, bool) {
	if e.Rate.Events <= 0 {
		return allowance{}, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.of(e, now)
	if b.tokens >= 1 {
		return allowance{}, true
	}
	return b.allowance(1), false
}

// take takes n events out of the bucket of a source, or none.
func (l *limits) take(e Entry, n int, now time.Time) (allowance, bool) {
	if e.Rate.Events <= 0 {
		return allowance{}, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.of(e, now)
	need := min(float64(n), b.rate.size())
	if b.tokens < need {
		return b.allowance(need), false
	}
	b.tokens -= float64(n)
	return b.allowance(0), true
}

// give puts n events back that could not be kept.
func (l *limits) give(e Entry, n int, now time.Time) {
	if e.Rate.Events <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.of(e, now)
	b.tokens = min(b.tokens+float64(n), b.rate.size())
}

// of returns the bucket of a source, filled up to now; l.mu is held.
func (l *limits) of(e Entry, now time.Time) *bucket {
	key := bookKey{e.Workspace, e.Source}
	b := l.buckets[key]
	if b == nil {
		l.forget(now)
		b = &bucket{rate: e.Rate, tokens: e.Rate.size(), at: now}
		l.buckets[key] = b
	}
	b.fill(now)
	if b.rate != e.Rate {
		b.rate = e.Rate
		b.tokens = min(b.tokens, b.rate.size())
	}
	return b
}

// forget drops the buckets that are full, which a new one equals, once there are
// many. What is left was used lately, so there are never more than sources.
func (l *limits) forget(now time.Time) {
	if l.buckets == nil {
		l.buckets, l.most = map[bookKey]*bucket{}, manyBuckets
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
func (b *bucket) allowance(need float64) allowance {
	until := func(tokens float64) time.Duration {
		seconds := (tokens - b.tokens) / float64(b.rate.Events)
		return time.Duration(min(max(seconds, 0), math.MaxInt32) * float64(time.Second))
	}
	return allowance{
		limit: int64(b.rate.size()), remaining: int64(max(b.tokens, 0)),
		reset: until(b.rate.size()), wait: max(until(need), time.Millisecond),
	}
}

// tell writes the limit into the headers of an answer.
//
// Source: draft-ietf-httpapi-ratelimit-headers-03, the fields that clients know.
func (a allowance) tell(h http.Header) {
	if a.limit == 0 {
		return
	}
	// In one piece of memory, and spelled as people know them.
	values := []string{strconv.FormatInt(a.limit, 10), strconv.FormatInt(a.remaining, 10), strconv.FormatInt(seconds(a.reset), 10)}
	h["RateLimit-Limit"], h["RateLimit-Remaining"], h["RateLimit-Reset"] = values[0:1:1], values[1:2:2], values[2:3:3]
}

// seconds is d in whole seconds, rounded up.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
