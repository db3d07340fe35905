package preview

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/transform"
	"weir/shared/script"
)

// Fault is why an event has no output: a code and a sentence.
type Fault struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Outcome is what would become of one event: events, none when the code
// drops it, or an error.
type Outcome struct {
	MessageID string            `json:"messageId"`
	Events    []json.RawMessage `json:"events"`
	Logs      []string          `json:"logs"`
	Error     *Fault            `json:"error"`
}

// Transformation runs a chain of transformations over events without a plane.
// New events go to Apply in lists; Close ends the workers.
type Transformation struct {
	chain  *transform.Chain
	engine *transform.Pool
	stop   context.CancelFunc
	ended  chan error
}

// OpenTransformation compiles the scripts, which may import the libraries, and
// starts workers. fault.Invalid: the code has problems, each with its line and
// column. Other errors are those of script.Compiler.Compile.
func OpenTransformation(ctx context.Context, compiler *script.Compiler, scripts, libraries []script.File) (*Transformation, error) {
	chain, err := compile(ctx, compiler, "preview", scripts, libraries)
	if err != nil {
		return nil, err
	}
	engine, err := transform.New(transform.Config{Workers: 2, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, fmt.Errorf("preview a transformation: %w", err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	p := &Transformation{chain: chain, engine: engine, stop: stop, ended: make(chan error, 1)}
	go func() { p.ended <- engine.Run(ctx) }() // owner: Close
	return p, nil
}

// Close ends the workers.
func (p *Transformation) Close() error {
	p.stop()
	return <-p.ended
}

// Apply runs the chain over events as JSON, as if they came to the gateway at
// now, and returns for each what would become of it. fault.Unavailable: no
// worker could be started, or ctx ended.
func (p *Transformation) Apply(ctx context.Context, texts [][]byte, now time.Time) ([]Outcome, error) {
	return run(ctx, p.engine, p.chain, transform.Meta{}, texts, now)
}

func run(ctx context.Context, engine *transform.Pool, chain *transform.Chain, m transform.Meta, texts [][]byte, now time.Time) ([]Outcome, error) {
	out := make([]Outcome, len(texts))
	var events []event.Event
	var from []int
	for i, text := range texts {
		out[i] = Outcome{MessageID: event.Lookup(text, "messageId"), Events: []json.RawMessage{}, Logs: []string{}}
		e, err := arrived(text, now)
		if err != nil {
			out[i].Error = err
			continue
		}
		out[i].MessageID = string(e.MessageID)
		events, from = append(events, e), append(from, i)
	}
	r, err := engine.Apply(ctx, chain, m, events)
	if err != nil {
		return nil, fmt.Errorf("preview a transformation: %w", err)
	}
	for _, o := range r.Outs {
		line := &out[from[o.From]]
		line.Events = append(line.Events, json.RawMessage(o.Event.JSON))
	}
	for _, d := range r.Ends {
		if d.Quarantined {
			out[from[d.From]].Error = &Fault{Code: d.Code, Message: d.Text}
		}
	}
	for _, l := range r.Logs { // of a batch: with its first event
		if len(from) > 0 {
			line := &out[from[max(l.From, 0)]]
			line.Logs = append(line.Logs, l.Text)
		}
	}
	return out, nil
}

// arrived is an event as the gateway would take it.
func arrived(text []byte, now time.Time) (event.Event, *Fault) {
	var p event.Parser
	p.Begin(event.Stamp{ReceivedAt: now, RequestIP: "127.0.0.1"}, nil, len(text), 1)
	e, code := p.Event(text)
	if code != "" {
		return event.Event{}, &Fault{Code: string(code), Message: code.Text()}
	}
	return e, nil
}
