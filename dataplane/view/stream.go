package view

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"

	"net/http"
	"time"

	"weir/shared/capability"
	"weir/shared/fault"
)

// writeTimeout is how long a reader may take no byte of a stream.
const writeTimeout = 30 * time.Second

// lines is an answer of JSON lines. Nothing is sent, so the answer can still be
// a refusal, until the first line.
type lines struct {
	w     http.ResponseWriter
	on    *http.ResponseController
	out   *bufio.Writer
	enc   *json.Encoder
	end   time.Time // no write after it; zero: none
	begun bool
	lost  bool // the reader takes no more
	bytes int64
}

// Write counts what the encoder writes.
func (l *lines) Write(p []byte) (int, error) {
	n, err := l.out.Write(p)
	l.bytes += int64(n)
	l.lost = l.lost || err != nil
	return n, err
}

// line adds a line; flush sends it.
func (l *lines) line(v any) error {
	l.start()
	return l.enc.Encode(v)
}

// empty adds an empty line.
func (l *lines) empty() error {
	l.start()
	_, err := l.Write([]byte("\n"))
	return err
}

// start sends the head before the first line, and allows writing for a while.
func (l *lines) start() {
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", "application/x-ndjson")
		l.w.Header().Set("X-Accel-Buffering", "no") // proxies hand lines on at once
		l.w.WriteHeader(http.StatusOK)
	}
	at := time.Now().Add(writeTimeout)
	if !l.end.IsZero() && l.end.Before(at) {
		at = l.end
	}
	_ = l.on.SetWriteDeadline(at) // a writer without deadlines has no slow reader
}

func (l *lines) flush() error {
	err := l.out.Flush()
	if err == nil {
		err = l.on.Flush()
	}
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	l.lost = l.lost || err != nil
	return err
}

// codeMessage is what went wrong with one line or at the end of a stream.
type codeMessage struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// cut is the reason why a stream ends before its end, as its last line says it.
type cut struct{ codeMessage }

func (c cut) Error() string { return c.Code + ": " + c.Message }

// stream admits requests to f like handle; f's answer is lines. An error before
// the first of them is a refusal, a later one the last line.
func (v *View) stream(pattern string, action capability.Action, f func(*call, *lines) error) {
	v.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		grant, err := v.admit(r, action)
		if err != nil {
			v.refuse(w, r, err)
			return
		}
		l := &lines{w: w, on: http.NewResponseController(w)}
		l.out = bufio.NewWriterSize(w, 32<<10)
		l.enc = json.NewEncoder(l)
		l.enc.SetEscapeHTML(false)
		err = f(&call{r, grant}, l)
		if err != nil && !l.begun && !errors.As(err, new(cut)) {
			v.refuse(w, r, err)
			return
		}
		if l.lost || r.Context().Err() != nil {
			return
		}
		l.end = time.Time{} // the last words may still go
		if l.start(); err != nil {
			_ = l.line(map[string]codeMessage{"error": v.lastWord(r, err)})
		}
		_ = l.flush()
	})
}

// lastWord is an error in the last line of a stream. Texts of strangers' errors
// stay here.
func (v *View) lastWord(r *http.Request, err error) codeMessage {
	var c cut
	if errors.As(err, &c) {
		return c.codeMessage
	}
	var known *fault.Error
	if errors.As(err, &known) && known.Kind != fault.Internal {
		return codeMessage{known.Kind.String(), known.Text}
	}
	v.cfg.Log.ErrorContext(r.Context(), "view call failed", "path", r.Pattern, "error", err)
	return codeMessage{fault.Internal.String(), "The plane could not go on; its log says why."}
}

// quoting is an error of a driver or of customers' code, whose text may quote
// values: no log may hold it.
type quoting struct{ error }

func (q quoting) Error() string { return fmt.Sprintf("an error of type %T", q.error) }
func (q quoting) Unwrap() error { return q.error }

// quoted keeps the text of an error that is nobody's fault out of the log.
func quoted(err error) error {
	if err == nil || fault.KindOf(err) != fault.Internal || errors.As(err, new(cut)) {
		return err
	}
	return quoting{err}
}

// slots bounds how many of the calls that cost much run at once.
type slots chan struct{}

// take returns what gives the slot back. fault.Limited: all are taken.
func (s slots) take() (func(), error) {
	select {
	case s <- struct{}{}:
		return func() { <-s }, nil
	default:
		return nil, fault.New(fault.Limited, "This plane runs %d of these at once, and as many are running; try again in a moment.", cap(s))
	}
}

// offers refuses what this plane was not given.
func offers(ok bool, what string) error {
	if ok {
		return nil
	}
	return fault.New(fault.Unavailable, "This plane offers no %s.", what)
}
