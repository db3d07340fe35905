// Package remote speaks to a control plane's HTTP API and to the view of a
// data plane on behalf of the command line.
//
// Every call has a deadline, follows no redirect and reads a bounded answer.
// Refusals come back as fault errors with the kind, sentence and problems of
// the problem details; an answer that is none of ours is fault.Unavailable and
// says what was asked. Calls that only read are tried again when the network
// fails or the server is busy, and so are calls that write under an Idempotency-Key, which is
// the same each time: what was done already is answered as it was. Other calls that write
// are made once, because only the caller knows how to
// learn whether they took effect. Where the answer says when to come back, and nothing
// was done, every call waits that long, for two minutes in all.
package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"weir/shared/delay"
	"weir/shared/fault"
)

const (
	// callTimeout bounds one call with its answer.
	callTimeout = 30 * time.Second
	// maxAnswer is the longest answer that is read, in bytes: a page of dead
	// letters may hold 100 events of 1 MiB.
	maxAnswer = 128 << 20
	// attempts is how often a call that may be repeated is made when the network fails.
	attempts = 4
)

// end is one HTTP server and the token it takes.
type end struct {
	role  string // for error texts: "the control plane" or "the plane's view"
	url   string // without a trailing slash
	token string
	http  *http.Client

	patience *patience
}

// kept is how many connections stay open for the next questions.
const kept = 32

func newEnd(role, address, token string) (end, error) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return end{}, fault.New(fault.Invalid, "the address of %s is %q, which is no http or https URL; it looks like http://127.0.0.1:8080", role, address)
	}
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return end{}, fault.New(fault.Internal, "HTTP is not the standard library's")
	}
	transport = transport.Clone()
	transport.MaxIdleConnsPerHost = kept
	client := &http.Client{
		Transport: transport, Timeout: callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return end{role: role, url: strings.TrimRight(address, "/"), token: token, http: client, patience: &patience{}}, nil
}

// call sends in (nil for no body) as JSON and reads the answer into out (nil
// to ignore it). It returns the answer's header.
func (e end) call(ctx context.Context, method, path string, header http.Header, in, out any) (http.Header, error) {
	var body []byte
	if in != nil {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(in); err != nil {
			return nil, fmt.Errorf("encode %s %s: %w", method, path, err)
		}
		body = b.Bytes()
	}
	tries := 1
	if repeatable(method, header) {
		tries = attempts
	}
	waits, waited, gone := 0, time.Duration(0), false
	for n := 1; ; n++ {
		h, err := e.once(ctx, method, path, header, body, out)
		var busy busy
		if errors.As(err, &busy) {
			waited += busy.after
			if waits++; waits > mostWaits || waited > longestWait {
				return h, busy.error
			}
			n--
			e.patience.say(fmt.Sprintf("%s at %s asks to wait: %v; again in %d s", e.role, e.url, busy.error, int(busy.after/time.Second)), busy.after)
			if !delay.For(ctx, busy.after) {
				return nil, busy.error
			}
			continue
		}
		gone = gone || errors.Is(err, errLost)
		// A call whose answer was lost may still be worked on, which is a conflict with itself.
		working := gone && keyed(header) && fault.KindOf(err) == fault.Conflict
		if n == tries || !errors.Is(err, errLost) && !working {
			return h, err
		}
		if !delay.For(ctx, time.Duration(n*n)*200*time.Millisecond) {
			return nil, err
		}
	}
}

// keyHeader is the header that makes a write repeatable.
const keyHeader = "Idempotency-Key"

func keyed(header http.Header) bool { return header.Get(keyHeader) != "" }

// repeatable reports whether a call may be made again though it may have been worked on.
func repeatable(method string, header http.Header) bool {
	return method == http.MethodGet || keyed(header)
}

// errLost marks errors of the network, after which reading may be tried again.
var errLost = errors.New("no answer")

// lost is a network error with the sentence for it.
type lost struct{ error }

func (l lost) Unwrap() []error { return []error{l.error, errLost} }

func (e end) once(ctx context.Context, method, path string, header http.Header, body []byte, out any) (http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, method, e.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", e.role, err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if e.token != "" {
		req.Header.Set("Authorization", "Bearer "+e.token)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "weir") // people read it where they let this program in
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := e.http.Do(req)
	if err != nil {
		return nil, lost{e.unreachable(ctx, err)}
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := readBounded(res.Body)
	if err != nil {
		return nil, lost{e.unreachable(ctx, err)}
	}
	if len(answer) > maxAnswer {
		return nil, fault.New(fault.Unavailable, "%s at %s answered %s %s with over %d MiB; ask for less", e.role, e.url, method, path, maxAnswer>>20)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return nil, e.again(e.refusal(method, path, res, answer), repeatable(method, header), res)
	}
	if out == nil || res.StatusCode == http.StatusNoContent {
		return res.Header, nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return nil, e.stranger(method, path, res)
	}
	return res.Header, nil
}

// readBounded reads an answer, and one byte more where it is too long.
func readBounded(r io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(r, maxAnswer+1)) }

// unreachable says that nothing answered, and why.
func (e end) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fault.New(fault.Unavailable, "stopped while waiting for %s at %s", e.role, e.url)
	}
	why := err
	var op *net.OpError
	if errors.As(err, &op) {
		why = op.Err
	}
	var ue *url.Error
	if errors.As(err, &ue) && ue.Timeout() {
		why = fmt.Errorf("no answer within %s", callTimeout)
	}
	return fault.New(fault.Unavailable, "%s at %s cannot be reached (%s); check that it runs and that the address is right", e.role, e.url, why)
}

// problem is RFC 9457 as the control plane writes it.
type problem struct {
	Title    string          `json:"title"`
	Detail   string          `json:"detail"`
	Kind     string          `json:"kind"`
	Problems []fault.Problem `json:"problems"`
}

// refusal turns an error answer into a fault.
func (e end) refusal(method, path string, res *http.Response, answer []byte) error {
	var p problem
	if json.Unmarshal(answer, &p) != nil || (p.Detail == "" && p.Title == "") {
		return e.stranger(method, path, res)
	}
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	if res.StatusCode == http.StatusUnauthorized {
		text += "; give a token that " + e.url + " accepts, by --token or WEIR_TOKEN"
	}
	return &fault.Error{Kind: kindOf(p.Kind, res.StatusCode), Text: text, Problems: p.Problems}
}

// stranger says that the answer is not one of ours.
func (e end) stranger(method, path string, res *http.Response) error {
	return fault.New(fault.Unavailable, "%s at %s answered %s %s with status %d and a body that Weir does not write; check that the address is %s's and that no proxy stands between",
		e.role, e.url, method, path, res.StatusCode, e.role)
}

// kindOf reads the kind's name, else goes by the status.
func kindOf(name string, status int) fault.Kind {
	for k := fault.Internal; k <= fault.Unavailable; k++ {
		if k.String() == name {
			return k
		}
	}
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return fault.Invalid
	case http.StatusUnauthorized, http.StatusForbidden:
		return fault.Denied
	case http.StatusNotFound:
		return fault.Missing
	case http.StatusConflict, http.StatusPreconditionFailed:
		return fault.Conflict
	case http.StatusTooManyRequests:
		return fault.Limited
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return fault.Unavailable
	}
	return fault.Internal
}
