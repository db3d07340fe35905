package ingest

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"weir/dataplane/event"
	"weir/dataplane/ingest/body"
	"weir/dataplane/ingest/ratelimit"
	"weir/shared/fault"
)

// failure is why a request was refused. The message is a constant sentence.
type failure struct {
	status  int
	code    string
	message string
	retry   time.Duration // for Retry-After, 0 for none, retrySoon for a few seconds
}

// retrySoon asks for a repetition after 1 to 4 seconds, so that many clients do
// not come back together.
const retrySoon time.Duration = -1

// The failures that need no words of their own.
var (
	failPath       = failure{http.StatusNotFound, "not_found", "There is nothing at this path.", 0}
	failMethod     = failure{http.StatusMethodNotAllowed, "method_not_allowed", "This path does not take this method.", 0}
	failInternal   = failure{http.StatusInternalServerError, "internal", "The plane made a mistake.", 0}
	failNoKey      = failure{http.StatusUnauthorized, "no_write_key", "There is no write key: send it as the Basic user name, or as writeKey in the query or the body.", 0}
	failUnknownKey = failure{http.StatusUnauthorized, "unknown_write_key", "No source of this plane has this write key.", 0}
	failUnloaded   = failure{http.StatusServiceUnavailable, "workspace_unloaded", "The workspace of this write key, or one of which the plane does not know the write keys, cannot be loaded now; send it again.", retrySoon}
	failDisabled   = failure{http.StatusNotFound, "source_disabled", "The source is disabled.", 0}
	failSignature  = failure{http.StatusUnauthorized, "bad_signature", "The source wants a signature over the body, and there is none or it does not fit.", 0}
	failTooLarge   = failure{http.StatusRequestEntityTooLarge, "request_too_large", "The body has more than 4 MiB, unzipped.", 0}
	failBody       = failure{http.StatusBadRequest, "unreadable_body", "The body could not be read to its end.", 0}
	failZip        = failure{http.StatusBadRequest, "bad_encoding", "The body is not in the encoding that Content-Encoding names.", 0}
	failEncoding   = failure{http.StatusBadRequest, "unsupported_encoding", "The body may be plain, gzip, deflate, br or zstd.", 0}
	failRate       = failure{http.StatusTooManyRequests, "rate_limited", "The source sends more than it may; wait as long as Retry-After says.", 0}
	failSlow       = failure{http.StatusRequestTimeout, "request_timeout", "The body did not come in time; send it again.", 0}
	failDraining   = failure{http.StatusServiceUnavailable, "draining", "The plane is about to stop.", retrySoon}
	failBusy       = failure{http.StatusServiceUnavailable, "overloaded", "The plane has too many requests under way; send it again.", retrySoon}
	failNoneKept   = failure{http.StatusBadRequest, "no_valid_event", "No event of the batch could be kept; rejected says why.", 0}
)

// success is the whole answer to a request without bad members.
var success = []byte(`{"success":true}`)

// jsonType is the header value of every answer; it is shared and never changed.
var jsonType = []string{"application/json"}

// answer writes a whole answer.
func answer(w http.ResponseWriter, status int, text []byte) {
	h := w.Header()
	h["Content-Type"] = jsonType
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that went away repeats the request
}

// refuse writes an error.
func refuse(w http.ResponseWriter, f failure, rejected []Reject) {
	if f.retry != 0 {
		wait := 1 + rand.Int64N(4)
		if f.retry > 0 {
			wait = ratelimit.Seconds(f.retry)
		}
		w.Header().Set("Retry-After", strconv.FormatInt(wait, 10))
	}
	out := append([]byte(`{"success":false,"error":{"code":`), quote(f.code)...)
	out = append(append(out, `,"message":`...), quote(f.message)...)
	out = append(out, '}')
	answer(w, f.status, appendRejected(out, rejected))
}

// appendRejected ends the object out, which is open, with the rejected members.
func appendRejected(out []byte, rejected []Reject) []byte {
	if len(rejected) > 0 {
		out = append(out, `,"rejected":[`...)
		for i, r := range rejected {
			if i > 0 {
				out = append(out, ',')
			}
			out = strconv.AppendInt(append(out, `{"index":`...), int64(r.Index), 10)
			out = append(append(out, `,"code":`...), quote(r.Code)...)
			out = append(append(out, `,"message":`...), quote(r.Message)...)
			out = append(out, '}')
		}
		out = append(out, ']')
	}
	return append(out, '}')
}

// quote returns s as a JSON string.
func quote(s string) []byte {
	out, _ := jsontext.AppendQuote(nil, s) // an error only says that bad UTF-8 was replaced
	return out
}

// parseFailure returns the answer to a request of which nothing was kept.
func parseFailure(err error) failure {
	switch fault.KindOf(err) {
	case fault.Invalid:
		f := failure{http.StatusBadRequest, "invalid", "The request was refused.", 0}
		if ps := fault.ProblemsOf(err); len(ps) > 0 {
			f.code, f.message = ps[0].Code, ps[0].Text
		}
		switch event.Code(f.code) {
		case event.TooLarge, event.TooMany, event.TooExpanded:
			f.status = http.StatusRequestEntityTooLarge
		}
		return f
	case fault.Unavailable, fault.Limited:
		return failBusy
	}
	return failInternal
}

// bodyFailure returns the answer to a request whose body was refused.
func bodyFailure(err error) failure {
	for _, known := range []struct {
		err    error
		answer failure
	}{
		{body.ErrTooLarge, failTooLarge}, {body.ErrBroken, failBody}, {body.ErrSlow, failSlow},
		{body.ErrZip, failZip}, {body.ErrEncoding, failEncoding}, {body.ErrOverloaded, failBusy},
	} {
		if errors.Is(err, known.err) {
			return known.answer
		}
	}
	return failInternal
}

// codeOf returns the code of err's first problem, otherwise when there is none.
func codeOf(err error, otherwise string) string {
	if ps := fault.ProblemsOf(err); len(ps) > 0 {
		return ps[0].Code
	}
	return otherwise
}
