package profiles

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"weir/dataplane/view/endpoint"
	"weir/shared/fault"
)

// Elsewhere is the way to the process of the plane that runs profiles, where the plane is several processes. Each gets
// requests; one runs profiles and keeps their copies.
type Elsewhere struct {
	Several bool        // false: this process is the only one
	Owner   func() bool // whether this process does
	Relay   interface {
		Ask(ctx context.Context, request []byte) ([]byte, error)
		Serve(ctx context.Context, answers func() bool, answer func(context.Context, []byte) []byte)
	}
}

// Serve answers the requests that other processes got with the view's handler, until ctx ends.
func (e Elsewhere) Serve(ctx context.Context, view http.Handler) {
	if e.Several {
		e.Relay.Serve(ctx, e.Owner, answerBy(view))
	}
}

// relayed marks a request that another process sent, so that it goes no further: who runs profiles may change meanwhile.
const relayed = "Weir-Relayed"

// How long another process is waited for: lookups are answered from a file, other calls from the warehouse.
const (
	lookupTime = 5 * time.Second
	mostTime   = 60 * time.Second
)

// asked is a request that another process answers. It has the caller's credentials, which that process checks itself.
type asked struct {
	Method string            `json:"method"`
	URI    string            `json:"uri"`
	Header map[string]string `json:"header"`
	Body   []byte            `json:"body,omitempty"`
}

// answered is the answer to it.
type answered struct {
	Status int    `json:"status"`
	Body   []byte `json:"body"`
}

// carried are the headers that are sent on.
var carried = []string{"Authorization", "Origin", "Content-Type"}

func (v calls) here(f func(*endpoint.Call) (any, error)) func(*endpoint.Call) (any, error) {
	return v.elsewhere.Or(f)
}

// Or answers a call by f in the process that runs profiles, and loads, and asks that process in the
// others.
func (e Elsewhere) Or(f func(*endpoint.Call) (any, error)) func(*endpoint.Call) (any, error) {
	if !e.Several {
		return f
	}
	return func(c *endpoint.Call) (any, error) {
		if e.Here(c) {
			return f(c)
		}
		return e.ask(c)
	}
}

// Here reports whether this process answers a call: it runs profiles, or another one sent the call on.
func (e Elsewhere) Here(c *endpoint.Call) bool {
	return !e.Several || e.Owner() || c.Header.Get(relayed) != ""
}

// Lines answers a call with the lines that the process that runs profiles has for it, all at once.
func (e Elsewhere) Lines(c *endpoint.Call, out *endpoint.Lines) error {
	got, err := e.send(c)
	if err != nil {
		return err
	}
	for line := range bytes.Lines(got.Body) {
		if err := out.Line(json.RawMessage(bytes.TrimSpace(line))); err != nil {
			return err
		}
	}
	return nil
}

func (e Elsewhere) ask(c *endpoint.Call) (any, error) {
	got, err := e.send(c)
	if err != nil {
		return nil, err
	}
	return json.RawMessage(bytes.TrimSpace(got.Body)), nil
}

// send returns what the process that runs profiles answers to a call, if that is no refusal.
func (e Elsewhere) send(c *endpoint.Call) (got answered, err error) {
	body, err := io.ReadAll(io.LimitReader(c.Body, endpoint.MaxBody+1))
	if err != nil || len(body) > endpoint.MaxBody {
		return got, fault.New(fault.Invalid, "The body cannot be read, or is longer than %d bytes.", endpoint.MaxBody)
	}
	a := asked{Method: c.Method, URI: c.URL.RequestURI(), Header: map[string]string{}, Body: body}
	for _, name := range carried {
		if value := c.Header.Get(name); value != "" {
			a.Header[name] = value
		}
	}
	request, err := json.Marshal(a)
	if err != nil {
		return got, err
	}
	most := mostTime
	if c.PathValue("part") != "" {
		most = lookupTime
	}
	ctx, cancel := context.WithTimeout(c.Context(), most)
	defer cancel()
	reply, err := e.Relay.Ask(ctx, request)
	if err != nil {
		return got, err
	}
	if err := json.Unmarshal(reply, &got); err != nil {
		return got, fault.New(fault.Unavailable, "The answer of another process of this plane cannot be read; ask again.")
	}
	if got.Status != http.StatusOK {
		return got, refusal(got)
	}
	return got, nil
}

// refusal is the error that another process answered.
func refusal(got answered) error {
	var p struct {
		Detail   string          `json:"detail"`
		Kind     string          `json:"kind"`
		Problems []fault.Problem `json:"problems"`
	}
	if err := json.Unmarshal(got.Body, &p); err != nil || p.Detail == "" {
		return fault.New(fault.Unavailable, "Another process of this plane could not answer; ask again.")
	}
	for _, k := range []fault.Kind{fault.Invalid, fault.Denied, fault.Missing, fault.Conflict, fault.Limited, fault.Unavailable} {
		if k.String() == p.Kind {
			return &fault.Error{Kind: k, Text: p.Detail, Problems: p.Problems}
		}
	}
	return fault.New(fault.Unavailable, "%s", p.Detail)
}

// answerBy answers what another process asks, with the view's handler.
func answerBy(view http.Handler) func(ctx context.Context, request []byte) []byte {
	return func(ctx context.Context, request []byte) []byte {
		var a asked
		if err := json.Unmarshal(request, &a); err != nil {
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, mostTime)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, a.Method, a.URI, bytes.NewReader(a.Body))
		if err != nil {
			return nil
		}
		for name, value := range a.Header {
			r.Header.Set(name, value)
		}
		r.Header.Set(relayed, "1")
		w := &recorder{header: http.Header{}, answered: answered{Status: http.StatusOK}}
		view.ServeHTTP(w, r)
		b, err := json.Marshal(w.answered)
		if err != nil {
			return nil
		}
		return b
	}
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	answered
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) { w.Status = status }

func (w *recorder) Write(b []byte) (int, error) {
	w.Body = append(w.Body, b...)
	return len(b), nil
}
