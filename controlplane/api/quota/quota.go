// Package quota limits how many requests a caller makes in a window, and says so in the
// headers RateLimit-Policy and RateLimit of draft-ietf-httpapi-ratelimit-headers-10.
//
// It counts in this process alone: behind several control planes a caller has as much at
// each. Its memory is bounded by the callers of one window, which were authenticated.
package quota

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"weir/shared/fault"
)

// Quota is what each caller may. It is safe for concurrent use.
type Quota struct {
	most   int
	window time.Duration
	now    func() time.Time

	mu    sync.Mutex
	since time.Time
	used  map[string]int
}

// New returns a quota of most requests in each window.
func New(most int, window time.Duration, now func() time.Time) *Quota {
	return &Quota{most: most, window: window, now: now, used: map[string]int{}}
}

// Take counts one request of a caller and says in header what is left.
//
// fault.Limited: there was nothing left.
func (q *Quota) Take(caller string, header http.Header) error {
	q.mu.Lock()
	now := q.now()
	if passed := now.Sub(q.since); passed >= q.window || passed < 0 {
		q.since = now
		clear(q.used)
	}
	over := q.used[caller] >= q.most
	if !over {
		q.used[caller]++
	}
	left, reset := q.most-q.used[caller], seconds(q.window-now.Sub(q.since))
	q.mu.Unlock()
	header.Set("RateLimit-Policy", fmt.Sprintf(`"default";q=%d;w=%d`, q.most, seconds(q.window)))
	header.Set("RateLimit", fmt.Sprintf(`"default";r=%d;t=%d`, left, reset))
	if over {
		header.Set("Retry-After", strconv.Itoa(reset))
		return fault.New(fault.Limited, "you made %d requests in %d seconds, which is all that a caller may; go on in %d seconds", q.most, seconds(q.window), reset)
	}
	return nil
}

func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }
