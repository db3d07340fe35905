package endpoint

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

// Lines is an answer of JSON lines. Nothing is sent, so the answer can still be
// a refusal, until the first line.
type Lines struct {
	w     http.ResponseWriter
	on    *http.ResponseController
	out   *bufio.Writer
	enc   *json.Encoder
	end   time.Time // no write after it; zero: none
	begun bool
	lost  bool // the reader takes no more
	bytes int64
}

// Write adds b as it is, and counts it.
func (l *Lines) Write(b []byte) (int, error) {
	n, err := l.out.Write(b)
	l.bytes += int64(n)
	l.lost = l.lost || err != nil
	return n, err
}

// Line adds v as a line; Flush sends it.
func (l *Lines) Line(v any) error {
	l.start()
	return l.enc.Encode(v)
}

// Bytes is how many bytes were added.
func (l *Lines) Bytes() int64 { return l.bytes }

// EndAt ends the stream at a time: what is added later is not sent.
func (l *Lines) EndAt(at time.Time) { l.end = at }

// Empty adds an empty line.
func (l *Lines) Empty() error {
	l.start()
	_, err := l.Write([]byte("\n"))
	return err
}

// start sends the head before the first line, and allows writing for a while.
func (l *Lines) start() {
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

// Flush sends the lines that were added.
func (l *Lines) Flush() error {
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

// Cut is an error that ends a stream before its end: its last line says code and
// message.
func Cut(code, message string) error { return cut{codeMessage{code, message}} }

func (c cut) Error() string { return c.Code + ": " + c.Message }

// Stream admits requests to f like Handle; f's answer is lines. An error before
// the first of them is a refusal, a later one the last line.
func (m *Mux) Stream(pattern string, action capability.Action, f func(*Call, *Lines) error) {
	m.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		grant, err := m.admit(r, action)
		if err != nil {
			m.refuse(w, r, err)
			return
		}
		l := &Lines{w: w, on: http.NewResponseController(w)}
		l.out = bufio.NewWriterSize(w, 32<<10)
		l.enc = json.NewEncoder(l)
		l.enc.SetEscapeHTML(false)
		err = f(&Call{r, grant, w}, l)
		if err != nil && !l.begun && !errors.As(err, new(cut)) {
			m.refuse(w, r, err)
			return
		}
		if l.lost || r.Context().Err() != nil {
			return
		}
		l.end = time.Time{} // the last words may still go
		if l.start(); err != nil {
			_ = l.Line(map[string]codeMessage{"error": m.lastWord(r, err)})
		}
		_ = l.Flush()
	})
}

// lastWord is an error in the last line of a stream. Texts of errors that are no fault
// stay in the plane.
func (m *Mux) lastWord(r *http.Request, err error) codeMessage {
	var c cut
	if errors.As(err, &c) {
		return c.codeMessage
	}
	var known *fault.Error
	if errors.As(err, &known) && known.Kind != fault.Internal {
		return codeMessage{known.Kind.String(), known.Text}
	}
	m.cfg.Log.ErrorContext(r.Context(), "view call failed", "path", r.Pattern, "error", err)
	return codeMessage{fault.Internal.String(), "The plane could not go on; its log says why."}
}

// quoting is an error of a driver or of customers' code, whose text may quote
// values: no log may hold it.
type quoting struct{ error }

func (q quoting) Error() string { return fmt.Sprintf("an error of type %T", q.error) }
func (q quoting) Unwrap() error { return q.error }

// Quoted keeps the text of an error that is no fault out of the log: it may quote
// values.
func Quoted(err error) error {
	if err == nil || fault.KindOf(err) != fault.Internal || errors.As(err, new(cut)) {
		return err
	}
	return quoting{err}
}
