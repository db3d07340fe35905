package preview

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/shared/fault"
	"weir/shared/secret"
)

// Request is a request that would be sent; Body is its text. Of a header
// given several times the values stand together, with commas.
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

// lineOf builds the requests for e alone, as if it were sent at now. A sink
// has no requests to show.
func lineOf(o destination.Opened, e event.Event, now time.Time) Line {
	line := Line{MessageID: string(e.MessageID), Requests: []Request{}}
	if code := o.Refuses(&e); code != "" {
		line.Dropped = &code
		return line
	}
	if o.HTTP == nil {
		return line
	}
	b := destination.Batch{Items: []destination.Item{{Event: e, Attempt: 1}}, Now: now}
	reqs, verdicts := destination.Build(o.HTTP, b)
	for last := reqs; len(last) == 1 && last[0].Next > b.Stage && last[0].Next < destination.MaxStages; { // as if each were delivered
		b.Stage = last[0].Next
		var said []destination.Verdict
		last, said = destination.Build(o.HTTP, b)
		reqs, verdicts = append(reqs, last...), append(verdicts, said...)
	}
	if kind, chained := o.HTTP.(destination.Chained); chained {
		reqs = append(lookUps(kind, b), reqs...) // as if they found nothing
	}
	for _, r := range reqs {
		headers := make(map[string]string, len(r.Header))
		for name, values := range r.Header {
			headers[http.CanonicalHeaderKey(name)] = strings.Join(values, ", ")
		}
		line.Requests = append(line.Requests, Request{Method: r.Method, URL: r.URL, Headers: headers, Body: string(r.Body)})
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
	return line
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
