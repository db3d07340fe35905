package remote

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"weir/shared/fault"
)

const (
	// maxLine is the longest line of a stream that is read, in bytes.
	maxLine = 64 << 20
	// liveSilence is how long a live stream may say nothing: three of the
	// heartbeats of 10 s that the plane sends, and some.
	liveSilence = 35 * time.Second
	// querySilence is more than a plane gives to one statement.
	querySilence = 150 * time.Second
)

// errSilent ends a stream that says nothing.
var errSilent = errors.New("nothing came any more")

// stream sends in (nil for no body) and hands every line of the answer that is
// not empty to each, which must not keep it; its error ends the stream and comes
// back. begun is called when the other end has answered.
//
// The stream ends well when the other end closes it. fault.Unavailable: it
// broke, or said nothing for silence.
func (e end) stream(ctx context.Context, method, path string, in any, silence time.Duration, begun func(), each func(line []byte) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	quiet := time.AfterFunc(silence, func() { stop(errSilent) })
	defer quiet.Stop()
	res, err := e.open(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	begun()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		quiet.Reset(silence)
		if line := bytes.TrimSpace(lines.Bytes()); len(line) > 0 {
			if err := each(line); err != nil {
				return err
			}
		}
	}
	switch err := lines.Err(); {
	case err == nil:
		return nil
	case errors.Is(err, bufio.ErrTooLong):
		return fault.New(fault.Unavailable, "%s at %s sent a line of over %d MiB; ask for less", e.role, e.url, maxLine>>20)
	case errors.Is(context.Cause(ctx), errSilent):
		return fault.New(fault.Unavailable, "%s at %s went silent for %s", e.role, e.url, silence)
	default:
		return lost{e.unreachable(ctx, err)}
	}
}

// open makes the call and returns a good answer, its body unread.
func (e end) open(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body bytes.Buffer
	if in != nil {
		enc := json.NewEncoder(&body)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(in); err != nil {
			return nil, fmt.Errorf("encode %s %s: %w", method, path, err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, e.url+path, &body)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", e.role, err)
	}
	req.Header.Set("Authorization", "Bearer "+e.token)
	req.Header.Set("Accept", "application/x-ndjson")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	client := *e.http
	client.Timeout = 0 // the stream's silence bounds it
	res, err := client.Do(req)
	if err != nil {
		if errors.Is(context.Cause(ctx), errSilent) {
			return nil, fault.New(fault.Unavailable, "%s at %s did not answer; check that it runs and that the address is right", e.role, e.url)
		}
		return nil, lost{e.unreachable(ctx, err)}
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := readBounded(res.Body)
	if err != nil {
		return nil, lost{e.unreachable(ctx, err)}
	}
	return nil, e.refusal(method, path, res, answer)
}

// Sight chooses live events; empty lists choose all. Sources and destinations
// are names or identifiers.
type Sight struct {
	Sources, Destinations, Stages, Outcomes []string
	Search                                  string
}

// Live hands over live events, each the JSON of one sighting, until the plane
// ends the stream, which it does when the capability ends. begun is called when
// the stream stands, missed with how many events were left out.
//
// The error is nil for an end in good order, fault.Unavailable when the plane
// stops or the connection breaks, else a refusal or each's own.
func (v *View) Live(ctx context.Context, s Sight, begun func(), missed func(n uint64), each func(line []byte) error) error {
	q := url.Values{}
	if s.Search != "" {
		q.Set("search", s.Search)
	}
	for name, values := range map[string][]string{"source": s.Sources, "destination": s.Destinations, "stage": s.Stages, "outcome": s.Outcomes} {
		if len(values) > 0 {
			q[name] = values
		}
	}
	return v.stream(ctx, http.MethodGet, "/v1/live?"+q.Encode(), nil, liveSilence, begun, func(line []byte) error {
		var other struct {
			Stage  string      `json:"stage"`
			Missed uint64      `json:"missed"`
			Error  *streamFail `json:"error"`
		}
		if err := json.Unmarshal(line, &other); err != nil {
			return fault.New(fault.Unavailable, "%s at %s sent a line that is no JSON object; check that no proxy stands between", v.role, v.url)
		}
		switch {
		case other.Stage != "":
			return each(line)
		case other.Error != nil:
			return other.Error.fault()
		case other.Missed > 0:
			missed(other.Missed)
		}
		return nil
	})
}

// streamFail is why a stream ends before its end.
type streamFail struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (f streamFail) fault() error {
	return &fault.Error{Kind: kindOf(f.Code, http.StatusServiceUnavailable), Text: f.Message}
}

// failOf reads a last line; ok is false when it is a row.
func failOf(line []byte) (f streamFail, ok bool) {
	var last struct {
		Error *streamFail `json:"error"`
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if dec.Decode(&last) != nil || last.Error == nil || last.Error.Code == "" {
		return streamFail{}, false
	}
	return *last.Error, true
}

// Query runs sql on a warehouse and hands over its rows, JSON objects whose keys
// are the columns in their order. row's error ends it and comes back. Rows may
// have come before an error.
func (v *View) Query(ctx context.Context, destination, sql string, row func(line []byte) error) error {
	var last []byte // a line is a row when another one follows, or when it says so
	in := map[string]string{"destination": destination, "sql": sql}
	err := v.stream(ctx, http.MethodPost, "/v1/query", in, querySilence, func() {}, func(line []byte) error {
		if last != nil {
			if err := row(last); err != nil {
				return err
			}
		}
		last = append(last[:0], line...)
		return nil
	})
	if last == nil || err != nil {
		return err
	}
	if f, ok := failOf(last); ok {
		return f.fault()
	}
	return row(last)
}

// workSilence is how long a plane may say nothing while it works on a table of a warehouse.
const workSilence = time.Hour

// Lines makes a call that answers lines of JSON, and hands them over; each's error ends it and
// comes back. Lines may have come before an error.
func (v *View) Lines(ctx context.Context, method, path string, in any, each func(line []byte) error) error {
	return v.stream(ctx, method, path, in, workSilence, func() {}, func(line []byte) error {
		if f, ok := failOf(line); ok {
			return f.fault()
		}
		return each(line)
	})
}
