package dataplane

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/shared/fault"
	"weir/shared/secret"
)

// PreviewRequest is a request that would be sent; Body is its text. Of a header
// given several times the values stand together, with commas.
type PreviewRequest struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// PreviewLine is what would become of one event: requests, or the code for
// which the kind drops it, or a sentence why it cannot be sent.
type PreviewLine struct {
	MessageID string           `json:"messageId"`
	Requests  []PreviewRequest `json:"requests"`
	Dropped   *string          `json:"dropped"`
	Error     *string          `json:"error"`
}

// OpenPreview opens a destination of the kind typ and returns what tells, for
// one event as JSON, what would be sent for it at now. Nothing is sent.
// fault.Missing: there is no such kind. fault.Invalid: settings or secrets have
// problems.
func OpenPreview(typ string, settings []byte, secrets map[string]secret.String, now time.Time) (func(event []byte) PreviewLine, error) {
	all := kinds().Destinations
	i := slices.IndexFunc(all, func(k destination.Kind) bool { return k.Spec.Name == typ })
	if i < 0 {
		var names []string
		for _, k := range all {
			names = append(names, k.Spec.Name)
		}
		return nil, fault.New(fault.Missing, "There is no destination of type %q; there are: %s.", typ, strings.Join(names, ", "))
	}
	opened, err := all[i].Open(settings, secrets)
	if err != nil {
		return nil, err
	}
	return func(text []byte) PreviewLine {
		var p event.Parser
		p.Begin(event.Stamp{ReceivedAt: now, RequestIP: "127.0.0.1"}, nil, len(text), 1)
		e, code := p.Event(text)
		if code != "" {
			return failedLine("", code.Text())
		}
		return previewed(opened, e, now)
	}, nil
}

func failedLine(messageID, text string) PreviewLine {
	return PreviewLine{MessageID: messageID, Requests: []PreviewRequest{}, Error: &text}
}

// previewed builds the requests for e alone, as if it were sent at now. A sink
// has no requests to show.
func previewed(o destination.Opened, e event.Event, now time.Time) PreviewLine {
	line := PreviewLine{MessageID: string(e.MessageID), Requests: []PreviewRequest{}}
	if o.HTTP == nil {
		return line
	}
	reqs, verdicts := destination.Build(o.HTTP, destination.Batch{Items: []destination.Item{{Event: e, Attempt: 1}}, Now: now})
	for _, r := range reqs {
		headers := make(map[string]string, len(r.Header))
		for name, values := range r.Header {
			headers[http.CanonicalHeaderKey(name)] = strings.Join(values, ", ")
		}
		line.Requests = append(line.Requests, PreviewRequest{Method: r.Method, URL: r.URL, Headers: headers, Body: string(r.Body)})
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

// PreviewDestination reads events from in, a JSON object a line, and writes for
// each a line of what would be sent to out. Errors are those of OpenPreview and
// of in and out; an event that cannot be read is a line that says so.
func PreviewDestination(typ string, settings []byte, secrets map[string]secret.String, now time.Time, in io.Reader, out io.Writer) error {
	preview, err := OpenPreview(typ, settings, secrets, now)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 2*event.MaxBytes)
	w := bufio.NewWriter(out)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for n := 1; lines.Scan(); n++ {
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue
		}
		if err := errors.Join(enc.Encode(preview(text)), w.Flush()); err != nil {
			return fmt.Errorf("preview line %d: %w", n, err)
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fault.New(fault.Invalid, "A line is longer than %d bytes.", 2*event.MaxBytes)
	}
	return lines.Err()
}
