package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/problems"
	"weir/controlplane/authn"
	"weir/controlplane/authn/logincode"
	"weir/shared/fault"
)

// problem is a problem detail. Source: RFC 9457, section 3.1.
type problem struct {
	Type     string          `json:"type"`
	Title    string          `json:"title"`
	Status   int             `json:"status"`
	Detail   string          `json:"detail"`
	Kind     string          `json:"kind"`
	Code     string          `json:"code"`
	Problems []fault.Problem `json:"problems,omitempty"`
	// Revisions are what others committed meanwhile, the newest first.
	Revisions any `json:"revisions,omitempty"`
}

// overtaken is a Conflict with what others did meanwhile.
type overtaken struct {
	error
	revisions any
}

func (o *overtaken) Unwrap() error { return o.error }

// Overtaken returns err, a Conflict, with the revisions that others committed meanwhile.
func Overtaken(err error, revisions any) error { return &overtaken{err, revisions} }

// rejected is a fault that HTTP itself has a status for, such as a body that is
// no JSON.
type rejected struct {
	status int
	err    error
}

func (r *rejected) Error() string { return r.err.Error() }
func (r *rejected) Unwrap() error { return r.err }

// Reject returns a fault of kind Invalid that is answered with status.
func Reject(status int, format string, args ...any) error {
	return &rejected{status, fault.New(fault.Invalid, format, args...)}
}

// status is the one place where a fault becomes a status.
func status(err error) int {
	var r *rejected
	if errors.As(err, &r) {
		return r.status
	}
	if errors.Is(err, authn.ErrUnknown) || errors.Is(err, authn.ErrLogin) || errors.Is(err, authn.ErrCodeNeeded) || errors.Is(err, authn.ErrCode) {
		return http.StatusUnauthorized
	}
	for _, waiting := range programs {
		if errors.Is(err, waiting.err) {
			return http.StatusBadRequest // RFC 8628, section 3.5
		}
	}
	switch fault.KindOf(err) {
	case fault.Invalid:
		return http.StatusUnprocessableEntity
	case fault.Denied:
		return http.StatusForbidden
	case fault.Missing:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Limited:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// coded is an error with the stable name of its own.
type coded struct {
	err  error
	code string
}

// programs are the answers to programs that wait for a person to let them in.
var programs = []coded{
	{logincode.ErrPending, "authorization_pending"}, {logincode.ErrEarly, "slow_down"},
	{logincode.ErrRefused, "access_denied"}, {logincode.ErrExpired, "expired_token"},
}

// code is the stable name of what stood against a request.
func code(err error, status int) string {
	for _, known := range slices.Concat(programs, []coded{{authn.ErrLogin, "bad_login"}, {authn.ErrCodeNeeded, "code_needed"}, {authn.ErrCode, "wrong_code"}}) {
		if errors.Is(err, known.err) {
			return known.code
		}
	}
	return problems.Of(status)
}

// retryAfter is how long a caller is asked to wait, in seconds.
const retryAfter = "5"

// describe turns an error into what the caller may know of it.
func describe(err error) problem {
	var known *fault.Error
	var plain *echo.HTTPError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		err = Reject(http.StatusRequestEntityTooLarge, "the body is longer than %d bytes", large.Limit)
	case errors.As(err, &known):
	case errors.As(err, &plain):
		err = fromEcho(plain)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		err = fault.New(fault.Unavailable, "this took longer than a request may; try again")
	}
	p := problem{Status: status(err), Kind: fault.KindOf(err).String(), Problems: fault.ProblemsOf(err)}
	p.Code = code(err, p.Status)
	p.Type = problems.Type(p.Code)
	p.Title = http.StatusText(p.Status)
	if others := (*overtaken)(nil); errors.As(err, &others) {
		p.Revisions = others.revisions
	}
	p.Detail = "something broke here; the control plane's log says what"
	if errors.As(err, &known) && known.Kind != fault.Internal {
		p.Detail = known.Text
	}
	return p
}

// fromEcho gives the router's own refusals a kind.
func fromEcho(err *echo.HTTPError) error {
	switch err.Code {
	case http.StatusNotFound:
		return fault.New(fault.Missing, "there is nothing at this address; /api/openapi.json lists what there is")
	case http.StatusMethodNotAllowed:
		return Reject(err.Code, "this address does not know this method")
	default:
		return Reject(err.Code, "%s", http.StatusText(err.Code))
	}
}

// Failures answers requests that failed. Log is required.
type Failures struct{ Log *slog.Logger }

// Answer answers with a problem. What only the operator can act on is logged.
func (f Failures) Answer(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	p := describe(err)
	r := c.Request()
	if p.Status == http.StatusInternalServerError {
		f.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "route", c.Path(), "error", err)
	}
	head := c.Response().Header()
	head.Set("Content-Type", "application/problem+json")
	head.Set("Cache-Control", "no-store")
	switch p.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if head.Get("Retry-After") == "" {
			head.Set("Retry-After", retryAfter)
		}
	case http.StatusUnauthorized:
		head.Set("WWW-Authenticate", `Bearer realm="weir"`)
	}
	c.Response().WriteHeader(p.Status)
	if r.Method == http.MethodHead {
		return
	}
	if err := json.NewEncoder(c.Response()).Encode(p); err != nil {
		f.Log.DebugContext(r.Context(), "answer not delivered", "route", c.Path())
	}
}

// Recovered turns a panic of a handler into an internal fault.
func (f Failures) Recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler { //nolint:errorlint // the value itself, by the standard library's contract
				panic(cause)
			}
			f.Log.ErrorContext(c.Request().Context(), "handler panicked", "route", c.Path(), "stack", string(debug.Stack()))
			err = fmt.Errorf("handler of %s panicked", c.Path())
		}()
		return next(c)
	}
}
