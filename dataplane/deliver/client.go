package deliver

import (
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"weir/dataplane/destination"
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

// send makes one request and returns the answer, whose body is read within the
// timeout and maxAnswer. With an error the status is 0 unless the answer broke
// off. fault.Invalid: HTTP cannot carry the request. An error at whose time ctx or
// the timeout had ended is the one of that end, but fault.Denied stays.
func (s *sender) send(ctx context.Context, req destination.Request, timeout time.Duration) (destination.Response, error) {
	ctx, release := withTimeout(ctx, timeout)
	defer release()
	hr, err := s.urls.newRequest(ctx, req)
	if err != nil {
		return destination.Response{}, fault.New(fault.Invalid, "HTTP cannot carry the request.")
	}
	res, err := s.do(hr)
	if err != nil {
		return destination.Response{}, because(ctx, err)
	}
	defer res.Body.Close()
	body, err := readAnswer(res.Body)
	if err != nil && res.StatusCode < 300 { // a 2xx that broke off may not have been one
		return destination.Response{Status: res.StatusCode}, because(ctx, err)
	}
	return destination.Response{Status: res.StatusCode, Header: res.Header, Body: body}, nil
}

// because is ctx's error when it has ended, else err.
func because(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil && fault.KindOf(err) != fault.Denied {
		return ended
	}
	return err
}

// sender is what sending needs of the world.
type sender struct {
	do   func(*http.Request) (*http.Response, error)
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
