package deliver

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Codes of verdicts and settlements. Further ones are rejected_<status> for the
// statuses of Codes, and the codes that a kind declares itself.
const (
	CodeRemoved       = "destination_removed" // dropped: the destination is no longer in its workspace
	CodeDiscarded     = "discarded"           // dropped: a person discarded the dead letter
	CodeRetransformed = "retransformed"       // dropped: its original was sent through its transformations again
	CodeEgress        = "egress_denied"       // dead: the plane's policy forbids the address
	CodeRedirect      = "redirected"          // dead: redirects are not followed
	CodeRejected      = "rejected_4xx"        // dead: a 4xx without a code of its own
	CodeFault         = "kind_fault"          // dead: the kind's code failed on this event
	CodeNetwork       = "network"             // retry: no answer
	CodeTimeout       = "timeout"             // retry: no answer in time
	CodeBusy          = "busy"                // retry: 408, 425, 429
	CodeServer        = "server_error"        // retry: 5xx
	CodeUnknown       = "unexpected_status"   // retry: 1xx
)

// rejections are the statuses with a code of their own.
// Source: https://www.iana.org/assignments/http-status-codes
const rejections = "400 401 402 403 404 405 406 407 409 410 411 412 413 414 415 416 417 421 422 423 424 426 428 431 451 "

// Codes returns every code that this package gives to a verdict or settlement.
// The list is closed: other texts never become codes.
func Codes() []string {
	all := []string{CodeRemoved, CodeDiscarded, CodeRetransformed, CodeEgress, CodeRedirect, CodeRejected, CodeFault,
		CodeNetwork, CodeTimeout, CodeBusy, CodeServer, CodeUnknown}
	for _, s := range strings.Fields(rejections) {
		all = append(all, "rejected_"+s)
	}
	return all
}

// Classify gives each item of the request the verdict that HTTP itself suggests:
// 2xx delivered; 408, 425, 429, 5xx and 1xx retry; 3xx dead, since redirects
// are not followed; other 4xx dead with the answer's beginning as detail. Most
// kinds return it from Judge as it is.
func Classify(req Request, res Response) []Verdict {
	v := Verdict{Outcome: Delivered}
	switch s := res.Status; {
	case s >= 200 && s < 300:
	case s == 408 || s == 425 || s == 429:
		v = Verdict{Outcome: Retry, Code: CodeBusy}
	case s >= 500:
		v = Verdict{Outcome: Retry, Code: CodeServer}
	case s < 200:
		v = Verdict{Outcome: Retry, Code: CodeUnknown}
	case s < 400:
		v = Verdict{Outcome: Dead, Code: CodeRedirect}
	default:
		v = Verdict{Outcome: Dead, Code: CodeRejected}
		if text := strconv.Itoa(s); strings.Contains(rejections, text+" ") {
			v.Code = "rejected_" + text
		}
	}
	if v.Outcome == Dead {
		v.Detail = detail(res.Body)
	}
	all := make([]Verdict, len(req.Items))
	for i, item := range req.Items {
		all[i] = v
		all[i].Item = item
	}
	return all
}

// maxDetail is how much of an answer a dead letter keeps, in bytes.
const maxDetail = 2 << 10

// detail is the beginning of an answer as text.
func detail(body []byte) string {
	return strings.ToValidUTF8(string(body[:min(len(body), maxDetail)]), "\uFFFD")
}

// maxRetryAfter is the longest that a destination can ask us to wait.
const maxRetryAfter = time.Hour

// RetryAfter reads the header Retry-After, seconds or an HTTP date, as a time
// from now: 0 when absent, unreadable or past, one hour at most.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, min(at.Sub(now), maxRetryAfter))
	}
	n, err := strconv.ParseFloat(text, 64) // some servers send fractions
	if err != nil || !(n > 0) {
		return 0
	}
	if n >= maxRetryAfter.Seconds() {
		return maxRetryAfter
	}
	return time.Duration(n * float64(time.Second))
}

// Backoff returns how long to wait before attempt n, counting from 1: a random
// time in (0, min(5 min, 1 s * 2^n)], taken from seed, so that equal seeds give
// equal schedules and a thousand lanes do not knock together (full jitter).
func Backoff(n int, seed uint64) time.Duration {
	return jitter(time.Second, 5*time.Minute, n, seed)
}

// jitter is a random time in (0, min(most, unit * 2^n)].
func jitter(unit, most time.Duration, n int, seed uint64) time.Duration {
	window := most
	if n < 20 {
		window = min(most, unit<<max(n, 0))
	}
	// splitmix64: https://prng.di.unimi.it/splitmix64.c
	z := seed + uint64(n)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return time.Duration(z%uint64(window)) + 1
}
