package remote

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// How long a call that was asked to wait does so at most, in all and how often.
const (
	longestWait = 2 * time.Minute
	mostWaits   = 20
)

// patience tells people what calls wait for. Calls that wait at once are told of once.
type patience struct {
	mu    sync.Mutex
	tell  func(text string) // nil tells nobody
	until time.Time         // up to when it was told
}

// say tells of a wait.
func (p *patience) say(text string, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.tell == nil || now.Before(p.until) {
		return
	}
	p.until = now.Add(d)
	p.tell(text)
}

// OnWait has tell hear what calls wait for where the control plane asks them to.
func (c *Control) OnWait(tell func(text string)) {
	c.patience.mu.Lock()
	defer c.patience.mu.Unlock()
	c.patience.tell = tell
}

// busy is a refusal after which the same call may be made again after a time.
type busy struct {
	error
	after time.Duration
}

func (b busy) Unwrap() error { return b.error }

// again wraps the refusal of a call that may be made again: of one over the caller's quota,
// which nobody worked on, and of one that may be repeated where the server is busy. What refuses
// strangers, or failures beside the quota, is not asked again.
func (e end) again(err error, repeatable bool, res *http.Response) error {
	after, ok := retryAfter(res.Header.Get("Retry-After"), time.Now())
	if !ok || e.token == "" {
		return err
	}
	switch limits := res.Header.Get("RateLimit"); {
	case res.StatusCode == http.StatusTooManyRequests && (limits == "" || strings.Contains(limits, ";r=0;")):
	case res.StatusCode == http.StatusServiceUnavailable && repeatable:
	default:
		return err
	}
	return busy{err, after}
}

// retryAfter reads the header: seconds, or a time. Source: RFC 9110, section 10.2.3.
func retryAfter(text string, now time.Time) (time.Duration, bool) {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second, true
	}
	at, err := http.ParseTime(text)
	return max(at.Sub(now), 0), err == nil
}
