// Package outbound makes the HTTP requests of destinations. It guarantees that a
// request is sent as it was built, through the dialer that the plane allows, once;
// only a kept connection that closed before a byte of the answer is replaced. It
// keeps connections, and bounds what it reads of an answer and how long that takes.
//
// It refuses redirects, proxies, cookies and compressed answers. What an answer means
// says the destination: a Link sends a batch to one, by requests or through its sink,
// in halves where a request is refused as a whole, and returns what became of each item.
package outbound

import (
	"context"
	"io"
	"net"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/httpsend"
	"weir/dataplane/outbound/auth"
	"weir/shared/fault"
)

// Config is how requests are sent. Dial is required.
type Config struct {
	Dial func(ctx context.Context, network, addr string) (net.Conn, error) // egress's
	// StandardHTTP leaves all requests to net/http: see httpsend.Config.
	StandardHTTP bool
	// Machine returns keys of AWS for the machine's role; nil: there are none.
	Machine func(ctx context.Context) (accessKey, secretKey, sessionToken string, err error)
	Tokens  *auth.Shared // what processes of the plane share of access tokens; nil: there is one
	// MachineToken returns an access token of the machine's service account at Google; nil:
	// there is none.
	MachineToken func(ctx context.Context, scope string) (string, error)
}

// Client sends requests of destinations. It is safe for concurrent use and shared
// by all lanes of a plane.
type Client struct {
	transport *httpsend.Transport
	pools     pools // of requests with a Trust
	urls      urls
	plane     *Plane
}

// New returns a client without connections.
func New(c Config) *Client {
	client := &Client{transport: httpsend.New(httpsend.Config{Dial: c.Dial, Standard: c.StandardHTTP}), pools: pools{dial: c.Dial}}
	client.plane = NewPlane(client.Do)
	client.plane.keys.Share(c.Tokens)
	client.plane.keys.Machine, client.plane.keys.MachineToken = c.Machine, c.MachineToken
	return client
}

// Plane returns what all links that use the client share.
func (c *Client) Plane() *Plane { return c.plane }

// Do sends one request and returns the answer, of which it reads at most 64 KiB, and a
// KiB for each item of the request; all of it lasts timeout at most. With an error the status is 0, or that of a 2xx
// whose body broke off: it may not have been one.
//
// fault.Invalid: HTTP cannot carry the request. fault.Denied: dial refused the
// address. When ctx or the timeout has ended, the error is theirs.
func (c *Client) Do(ctx context.Context, r destination.Request, timeout time.Duration) (destination.Response, error) {
	return c.Read(ctx, r, timeout, maxAnswer+maxOfItem*len(r.Items))
}

// Read is Do that reads so many bytes of the answer at most.
func (c *Client) Read(ctx context.Context, r destination.Request, timeout time.Duration, most int) (destination.Response, error) {
	ctx, release := httpsend.WithTimeout(ctx, timeout)
	defer release()
	hr, err := c.urls.newRequest(ctx, r)
	if err != nil {
		return destination.Response{}, fault.New(fault.Invalid, "HTTP cannot carry the request.")
	}
	transport := c.transport
	if r.Trust != nil {
		transport = c.pools.of(r.Trust)
	}
	res, err := transport.RoundTrip(hr)
	if err != nil {
		return destination.Response{}, endOf(ctx, err)
	}
	defer res.Body.Close()
	body, err := readAnswer(res.Body, most)
	if err != nil && res.StatusCode < 300 {
		return destination.Response{Status: res.StatusCode}, endOf(ctx, err)
	}
	return destination.Response{Status: res.StatusCode, Header: res.Header, Body: body, Cut: len(body) == most}, nil
}

// endOf is ctx's error when it has ended, else err.
func endOf(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil && fault.KindOf(err) != fault.Denied {
		return ended
	}
	return err
}

// Close closes idle connections.
func (c *Client) Close() {
	c.transport.CloseIdleConnections()
	c.pools.close()
}

// Sizes of answers, in bytes.
const (
	maxAnswer = 64 << 10  // what a kind gets to see,
	maxOfItem = 1 << 10   // and so much more for each item of the request
	maxDrain  = 256 << 10 // what is read and thrown away to keep the connection
)

// readAnswer reads the first most bytes and drains some more, so that the connection can
// be used again.
func readAnswer(r io.ReadCloser, most int) ([]byte, error) {
	if all, ok := httpsend.Whole(r); ok {
		return all[:min(len(all), most)], nil
	}
	body, err := io.ReadAll(io.LimitReader(r, int64(most)))
	if err != nil {
		return nil, err
	}
	if len(body) == most {
		_, _ = io.CopyN(io.Discard, r, maxDrain) // what is left closes the connection, no more
	}
	return body, nil
}
