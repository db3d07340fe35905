package preview

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/shared/fault"
	"weir/shared/secret"
)

// Request is a request that would be sent; Body is its text, or of bytes that are none a
// data URL, data:;base64,… (RFC 2397). Of a header given several times the values stand
// together, with commas. What goes in another protocol than HTTP has the words of that
// protocol: PRODUCE kafka://topic, RPUSH redis://address/database, PUBLISH
// amqp://exchange/key, PUT s3://bucket/key.
type Request struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// Line is what would become of one event: requests, or the code for
// which the kind drops it, or a sentence why it cannot be sent.
type Line struct {
	MessageID string    `json:"messageId"`
	Requests  []Request `json:"requests"`
	Dropped   *string   `json:"dropped"`
	Error     *string   `json:"error"`
}

// OpenDestination opens a destination of the kind typ and returns what tells, for
// one event as JSON, what would be sent for it at now. Nothing is sent.
// fault.Missing: there is no such kind. fault.Invalid: settings or secrets have
// problems.
func OpenDestination(kinds []destination.Kind, typ string, settings []byte, secrets map[string]secret.String, now time.Time) (func(event []byte) Line, error) {
	i := slices.IndexFunc(kinds, func(k destination.Kind) bool { return k.Spec.Name == typ })
	if i < 0 {
		var names []string
		for _, k := range kinds {
			names = append(names, k.Spec.Name)
		}
		return nil, fault.New(fault.Missing, "There is no destination of type %q; there are: %s.", typ, strings.Join(names, ", "))
	}
	return Open(kinds[i], settings, secrets, now)
}

// Open is OpenDestination of a kind that is at hand.
func Open(kind destination.Kind, settings []byte, secrets map[string]secret.String, now time.Time) (func(event []byte) Line, error) {
	opened, err := kind.Open(settings, secrets)
	if err != nil {
		return nil, err
	}
	return func(text []byte) Line {
		var p event.Parser
		p.Begin(event.Stamp{ReceivedAt: now, RequestIP: "127.0.0.1"}, nil, len(text), 1)
		e, code := p.Event(text)
		if code != "" {
			return failed("", code.Text())
		}
		return lineOf(opened, e, now)
	}, nil
}

func failed(messageID, text string) Line {
	return Line{MessageID: messageID, Requests: []Request{}, Error: &text}
}

// lineOf builds the requests for e alone, as if it were sent at now.
func lineOf(o destination.Opened, e event.Event, now time.Time) Line {
	line := Line{MessageID: string(e.MessageID), Requests: []Request{}}
	if code := o.Refuses(&e); code != "" {
		line.Dropped = &code
		return line
	}
	b := destination.Batch{Items: []destination.Item{{Event: e, Attempt: 1}}, Now: now, Name: "preview"}
	if o.HTTP == nil {
		line.add(ofSink(o, b))
		return line
	}
	reqs, verdicts := destination.Build(o.HTTP, b)
	for last := reqs; len(last) == 1 && last[0].Next > b.Stage && last[0].Next < last[0].MaxStages(); { // as if each were delivered
		b.Stage = last[0].Next
		var said []destination.Verdict
		last, said = destination.Build(o.HTTP, b)
		reqs, verdicts = append(reqs, last...), append(verdicts, said...)
	}
	if kind, chained := o.HTTP.(destination.Chained); chained {
		reqs = append(lookUps(kind, b), reqs...) // as if they found nothing
	}
	for i := range reqs {
		canonical := make(http.Header, len(reqs[i].Header))
		for name, values := range reqs[i].Header {
			canonical[http.CanonicalHeaderKey(name)] = values
		}
		reqs[i].Header = canonical
	}
	line.add(reqs, verdicts)
	return line
}

// ofSink returns what a sink would write. It makes no connection. Nothing of one that has
// nothing to show, or panics.
func ofSink(o destination.Opened, b destination.Batch) (reqs []destination.Request, verdicts []destination.Verdict) {
	defer func() {
		if recover() != nil {
			reqs, verdicts = nil, []destination.Verdict{{Outcome: destination.Dead, Code: "kind_fault"}}
		}
	}()
	deps := destination.Deps{Now: func() time.Time { return b.Now }, Log: slog.New(slog.DiscardHandler), Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, fault.New(fault.Denied, "A preview makes no connection.")
	}}
	sink, err := o.Sink(context.Background(), deps)
	if err != nil {
		return nil, []destination.Verdict{{Outcome: destination.Dead, Code: "open_failed"}}
	}
	defer func() { _ = sink.Close() }()
	if shown, ok := sink.(interface {
		Preview(destination.Batch) ([]destination.Request, []destination.Verdict)
	}); ok {
		return shown.Preview(b)
	}
	return nil, nil
}

// add adds what becomes of the event.
func (line *Line) add(reqs []destination.Request, verdicts []destination.Verdict) {
	for _, r := range reqs {
		headers := make(map[string]string, len(r.Header))
		for name, values := range r.Header {
			headers[name] = strings.Join(values, ", ")
		}
		body := string(r.Body)
		if !utf8.Valid(r.Body) {
			body = "data:;base64," + base64.StdEncoding.EncodeToString(r.Body)
		}
		line.Requests = append(line.Requests, Request{Method: r.Method, URL: r.URL, Headers: headers, Body: body})
	}
	for _, v := range verdicts {
		switch v.Outcome {
		case destination.Dropped:
			line.Dropped = &v.Code
		case destination.Dead:
			text := "The destination refuses this event (" + v.Code + ")."
			line.Error = &text
		}
	}
}

// lookUps returns what a kind asks first; nothing of one that panics.
func lookUps(kind destination.Chained, b destination.Batch) (reqs []destination.Request) {
	defer func() {
		if recover() != nil {
			reqs = nil
		}
	}()
	return kind.LookUps(b)
}
