// Package httpsend sends HTTP requests as http.Transport does. It keeps connections
// and bounds the head of an answer. It knows no redirects, proxies, cookies or
// compressed answers.
//
// Without TLS, small requests that ask for nothing special of the connection are
// sent by code of this package, the fast path: the calling goroutine writes the
// request and reads the answer. Config.Standard leaves every request to
// http.Transport. Both ways a request reads the same to its server and an answer the
// same to the caller; FuzzRequest and FuzzAnswer hold the fast path to that. It
// differs in two things. An answer that switches to another protocol is an error. A
// kept connection that closed before a byte of the answer came is replaced once, for
// every method; http.Transport leaves the error of most POST requests to the caller.
package httpsend

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"time"
)

// Sizes and times of connections.
const (
	maxIdlePerHost = 256
	maxIdle        = 4096
	idleFor        = time.Minute
	maxHead        = 64 << 10 // of an answer, in bytes
	maxFastBody    = 64 << 10 // of a request on the fast path, in bytes
)

// Config is how requests are sent. Dial is required.
type Config struct {
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Standard sends every request by http.Transport, without the fast path.
	Standard bool
	// TLS is how connections are secured; nil: by the certificates that the machine trusts.
	TLS *tls.Config
}

// Transport is an http.RoundTripper. It is safe for concurrent use.
type Transport struct {
	standard *http.Transport
	fast     *fastClient // nil: none
}

// New returns a transport without connections.
func New(c Config) *Transport {
	t := &Transport{standard: &http.Transport{
		DialContext:            c.Dial,
		TLSClientConfig:        c.TLS.Clone(),
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        idleFor,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: maxHead,
		DisableCompression:     true, // an answer is a sentence; a bomb would be unpacked
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
	}}
	if !c.Standard {
		t.fast = &fastClient{dial: c.Dial, quiet: isQuiet, idle: map[string][]*fastConn{}}
	}
	return t
}

// RoundTrip implements http.RoundTripper. The context of r may be WithTimeout's.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.fast != nil && t.fast.takes(r) {
		return t.fast.roundTrip(r)
	}
	if c, ok := r.Context().(*timed); ok { // http.Transport watches contexts of a foreign type with a goroutine each
		r = r.WithContext(c.context())
	}
	return t.standard.RoundTrip(r)
}

// CloseIdleConnections closes the connections that no request uses.
func (t *Transport) CloseIdleConnections() {
	if t.fast != nil {
		t.fast.closeIdle(time.Now().Add(time.Hour))
	}
	t.standard.CloseIdleConnections()
}

// Whole returns all of an answer's body when it came in one piece with its head and
// nothing of it was read: the caller need not read it, and owns it. It must be closed.
func Whole(body io.ReadCloser) (all []byte, ok bool) {
	b, ok := body.(*answerBody)
	if !ok || b.rest != nil {
		return nil, false
	}
	return b.all, true
}
