// Package answer reads what HTTP itself says in the answers of destinations.
package answer

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxRetryAfter is the longest that a destination can ask us to wait.
const MaxRetryAfter = time.Hour

// RetryAfter reads the header Retry-After, seconds or an HTTP date, as a time
// from now: 0 when absent, unreadable or past, one hour at most.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, min(at.Sub(now), MaxRetryAfter))
	}
	n, err := strconv.ParseFloat(text, 64) // some servers send fractions
	if err != nil || !(n > 0) {
		return 0
	}
	if n >= MaxRetryAfter.Seconds() {
		return MaxRetryAfter
	}
	return time.Duration(n * float64(time.Second))
}
