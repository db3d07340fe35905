// Package rate decides when a destination gets its next request, for all lanes of a
// plane together: by the rate that its limits name, and by what its answers say of
// how much is left. In no time of the length that the limits name do more requests
// go than they allow, and no more are under way than an answer said are left. When the
// time is over of which answers said something, one request goes first and brings more.
//
// It has no goroutine or timer: who may not send now is told for how long.
package rate

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destination/answer"
	"weir/shared/id"
)

// Rates are those of the destinations of a plane. The zero Rates is ready. It is safe
// for concurrent use.
type Rates struct{ buckets sync.Map } // *bucket by id.Destination

// bucket is one destination's: a token for each request that may go now.
type bucket struct {
	mu     sync.Mutex
	limits destination.Limits
	tokens float64
	filled time.Time
	paused time.Time // until then the destination asked for none

	away int       // requests that went and have no answer
	left int       // how many may be away until told, by what answers said
	told time.Time // zero: they said nothing
	seen uint64    // how often left changed
}

// Turn is the permission for one request, which ends with Learn. The zero Turn is none.
type Turn struct {
	bucket *bucket
	seen   uint64 // what was known when the request went
}

func (r *Rates) of(d id.Destination) *bucket {
	b, ok := r.buckets.Load(d)
	if !ok {
		b, _ = r.buckets.LoadOrStore(d, &bucket{})
	}
	return b.(*bucket)
}

// Times to wait for answers that say how much is left.
const (
	someTime  = 20 * time.Millisecond // until who waits asks again
	firstTime = time.Second           // for the answer of one that goes first
)

// Take lets a request go and returns its turn, or after how long to ask again.
func (r *Rates) Take(d id.Destination, l destination.Limits, now time.Time) (Turn, time.Duration) {
	b := r.of(d)
	b.mu.Lock()
	defer b.mu.Unlock()
	if wait := b.paused.Sub(now); wait > 0 {
		return Turn{}, wait
	}
	switch wait := b.told.Sub(now); {
	case b.told.IsZero():
	case wait > 0 && b.away >= b.left:
		return Turn{}, min(wait, someTime)
	case wait <= 0:
		b.learn(b.away+1, now.Add(firstTime))
	}
	if wait := b.spend(l, now); wait > 0 {
		return Turn{}, wait
	}
	b.away++
	return Turn{b, b.seen}, 0
}

// spend takes a token of the rate of l, or returns when there is one.
func (b *bucket) spend(l destination.Limits, now time.Time) time.Duration {
	if l.Rate <= 0 || l.RatePer <= 0 {
		return 0
	}
	most, perSecond := shape(l)
	if b.limits.Rate != l.Rate || b.limits.RatePer != l.RatePer {
		if b.filled.IsZero() {
			b.tokens = most
		}
		b.limits, b.filled = l, now
	}
	b.tokens = min(most, b.tokens+max(0, now.Sub(b.filled).Seconds())*perSecond)
	b.filled = now
	if b.tokens < 1 {
		return max(time.Duration(math.Ceil((1-b.tokens)/perSecond*float64(time.Second))), time.Millisecond)
	}
	b.tokens--
	return 0
}

// shape is how many requests may go at once, a tenth, and how many a second after
// that, so that both together stay within the rate.
func shape(l destination.Limits) (most, perSecond float64) {
	if l.Rate < 10 {
		return 1, float64(l.Rate) / l.RatePer.Seconds()
	}
	most = max(math.Floor(float64(l.Rate)/10), 2)
	return most, (float64(l.Rate) - most) / l.RatePer.Seconds()
}

// Longest pauses.
const (
	maxPause     = time.Hour       // of an answer that refused a request
	maxForesight = 5 * time.Minute // of one that says that nothing is left
)

// Learn ends a turn and takes in what the answer says, the zero Response where there is
// none: Retry-After of one that asks to come again, and how many requests are left
// until some time, by RateLimit-Remaining and RateLimit-Reset, their forms with X-, or
// RateLimit.
// Source: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
func (t Turn) Learn(res destination.Response, now time.Time) {
	var pause time.Duration
	if res.Status == 429 || res.Status == 503 {
		pause = min(answer.RetryAfter(res.Header, now), maxPause)
	}
	most := maxForesight
	if res.Status == 429 {
		most = maxPause
	}
	left, reset := remaining(res.Header, now)
	if left == 0 {
		pause = max(pause, min(reset, most))
	}
	b := t.bucket
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away--
	latest := t.seen == b.seen // answers that overlap come in any order; this one's request went after all that was learned
	switch until := now.Add(pause); {
	case pause > 0 && until.After(b.paused):
		b.paused = until
		b.learn(0, until)
	case pause > 0:
	case left > 0 && reset > 0 && reset <= maxForesight:
		if latest || left < b.left || !now.Before(b.told) {
			b.learn(left, now.Add(reset))
		}
	case latest && res.Status != 0:
		b.told = time.Time{} // it says nothing of what is left
	}
}

func (b *bucket) learn(left int, until time.Time) {
	b.left, b.told = left, until
	b.seen++
}

// names are the headers of how many requests are left and when there are more.
var names = [...][2]string{
	{"Ratelimit-Remaining", "Ratelimit-Reset"}, {"X-Ratelimit-Remaining", "X-Ratelimit-Reset"}, {"X-Rate-Limit-Remaining", "X-Rate-Limit-Reset"},
}

// remaining returns how many requests are left, -1 when that is not said, and in how
// long there are more.
func remaining(h http.Header, now time.Time) (left int, reset time.Duration) {
	for _, n := range names {
		if text := first(h, n[0]); text != "" {
			if left, err := strconv.Atoi(text); err == nil {
				return left, after(first(h, n[1]), now)
			}
		}
	}
	text := first(h, "Ratelimit")
	if text == "" {
		return -1, 0
	}
	left = -1
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ';' || r == ',' || r == ' ' }) {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "r", "remaining":
			if n, err := strconv.Atoi(value); err == nil {
				left = n
			}
		case "t", "reset":
			reset = after(value, now)
		}
	}
	return left, reset
}

func first(h http.Header, name string) string {
	if all := h[name]; len(all) > 0 {
		return strings.TrimSpace(all[0])
	}
	return ""
}

// after reads seconds from now, or a time in seconds or milliseconds since 1970.
func after(text string, now time.Time) time.Duration {
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || !(n > 0) || n > 1e14:
		return 0
	case n > 1e11:
		return max(0, time.UnixMilli(int64(n)).Sub(now))
	case n > 1e8:
		return max(0, time.Unix(int64(n), 0).Sub(now))
	}
	return time.Duration(n * float64(time.Second))
}
