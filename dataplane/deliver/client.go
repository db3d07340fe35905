package deliver

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"weir/shared/fault"
)

// Client sends requests of destinations: no redirects, no proxies, no cookies,
// kept-alive connections. It is safe for concurrent use and shared by all lanes
// of a plane.
type Client struct {
	transport *http.Transport
	plain     *plain
}

// NewClient returns a client that connects by dial, which is egress.
func NewClient(dial func(ctx context.Context, network, addr string) (net.Conn, error)) *Client {
	return &Client{plain: &plain{dial: dial, idle: map[string][]*wire{}}, transport: &http.Transport{
		DialContext:            dial,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        idleFor,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: maxHead,
		DisableCompression:     true, // an answer is a sentence; a bomb would be unpacked
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
	}}
}

// Do sends one request and returns its answer as it is. The caller sets the
// deadline and closes the body.
func (c *Client) Do(r *http.Request) (*http.Response, error) {
	if c.plain.takes(r) {
		return c.plain.roundTrip(r)
	}
	if t, ok := r.Context().(*timed); ok { // it watches contexts of a foreign type with a goroutine each
		r = r.WithContext(t.context())
	}
	return c.transport.RoundTrip(r)
}

// Close closes idle connections.
func (c *Client) Close() {
	c.plain.shut(time.Now().Add(time.Hour))
	c.transport.CloseIdleConnections()
}

// Sizes of answers, in bytes.
const (
	maxAnswer = 64 << 10  // what a kind gets to see
	maxDrain  = 256 << 10 // what is read and thrown away to keep the connection
)

// send makes one request and gives verdicts for its items, with the status of
// the answer. The body is read within the request's timeout and maxAnswer.
func (s *sender) send(ctx context.Context, d Destination, req Request, timeout time.Duration) ([]Verdict, int) {
	ctx, release := withTimeout(ctx, timeout)
	defer release()
	hr, err := s.urls.newRequest(ctx, req)
	if err != nil {
		return same(req.Items, Verdict{Outcome: Dead, Code: CodeFault, Detail: "The kind built a request that HTTP cannot carry."}), 0
	}
	res, err := s.do(hr)
	if err != nil {
		return same(req.Items, failed(ctx, err)), 0
	}
	defer res.Body.Close()
	body, err := readAnswer(res.Body)
	if err != nil && res.StatusCode < 300 { // a 2xx that broke off may not have been one
		return same(req.Items, failed(ctx, err)), res.StatusCode
	}
	answer := Response{Status: res.StatusCode, Header: res.Header, Body: body}
	verdicts, ok := judge(d, req, answer)
	if !ok {
		verdicts = same(req.Items, Verdict{Outcome: Dead, Code: CodeFault, Detail: "The kind could not judge the answer."})
	}
	if after := RetryAfter(res.Header, s.now()); after > 0 {
		for i := range verdicts {
			if verdicts[i].Outcome == Retry && verdicts[i].After == 0 {
				verdicts[i].After = after
			}
		}
	}
	return verdicts, res.StatusCode
}

// sender is what sending needs of the world.
type sender struct {
	do  func(*http.Request) (*http.Response, error)
	now func() time.Time

	urls urls
}

// readAnswer reads the first maxAnswer bytes and drains some more, so that the
// connection can be used again.
func readAnswer(r io.Reader) ([]byte, error) {
	if b, ok := r.(*answerBody); ok && b.rest == nil {
		return b.all, nil
	}
	body, err := io.ReadAll(io.LimitReader(r, maxAnswer))
	if err != nil {
		return nil, err
	}
	if len(body) == maxAnswer {
		_, _ = io.CopyN(io.Discard, r, maxDrain) // what is left closes the connection, no more
	}
	return body, nil
}

// failed is the verdict on a request without an answer.
func failed(ctx context.Context, err error) Verdict {
	var timeout interface{ Timeout() bool }
	switch {
	case fault.KindOf(err) == fault.Denied:
		return Verdict{Outcome: Dead, Code: CodeEgress, Detail: err.Error()}
	case ctx.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		return Verdict{Outcome: Retry, Code: CodeTimeout}
	default:
		return Verdict{Outcome: Retry, Code: CodeNetwork}
	}
}

// same gives every item the verdict v.
func same(items []int, v Verdict) []Verdict {
	all := make([]Verdict, len(items))
	for i, item := range items {
		all[i] = v
		all[i].Item = item
	}
	return all
}

// build calls Build and holds it to its contract: each item in exactly one
// request or verdict. ok is false when it broke it or panicked.
func build(d Destination, b Batch) (reqs []Request, verdicts []Verdict, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	reqs, verdicts = d.Build(b)
	if len(b.Items) == 1 && len(reqs) == 1 && len(verdicts) == 0 && len(reqs[0].Items) == 1 && reqs[0].Items[0] == 0 {
		return reqs, verdicts, true // the usual case, without a set
	}
	seen := make([]bool, len(b.Items))
	once := func(i int) bool {
		if i < 0 || i >= len(seen) || seen[i] {
			return false
		}
		seen[i] = true
		return true
	}
	for _, r := range reqs {
		for _, i := range r.Items {
			if !once(i) {
				return nil, nil, false
			}
		}
	}
	for _, v := range verdicts {
		if !once(v.Item) || v.Outcome < Delivered || v.Outcome > Dead {
			return nil, nil, false
		}
	}
	for _, s := range seen {
		if !s {
			return nil, nil, false
		}
	}
	return reqs, verdicts, true
}

// judge calls Judge and holds it to its contract: one verdict for each item.
func judge(d Destination, req Request, res Response) (verdicts []Verdict, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return checked(req.Items, d.Judge(req, res))
}

// checked reports whether there is exactly one good verdict for each of items.
func checked(items []int, verdicts []Verdict) ([]Verdict, bool) {
	if len(verdicts) != len(items) {
		return nil, false
	}
	left := make(map[int]struct{}, len(items))
	if len(items) == 1 {
		v := verdicts[0]
		return verdicts, v.Item == items[0] && v.Outcome >= Delivered && v.Outcome <= Dead
	}
	for _, i := range items {
		left[i] = struct{}{}
	}
	for _, v := range verdicts {
		if _, there := left[v.Item]; !there || v.Outcome < Delivered || v.Outcome > Dead {
			return nil, false
		}
		delete(left, v.Item)
	}
	return verdicts, true
}
