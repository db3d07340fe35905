// Package rest sends the requests of warehouses whose interface is HTTP and JSON: it waits
// where the server asks for that, and bounds answers.
package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"weir/dataplane/httpsend"
	"weir/dataplane/warehouse"
	"weir/shared/delay"
)

// Client sends requests. It is safe for concurrent use.
type Client struct {
	transport *httpsend.Transport
}

// New returns a client without connections.
func New(dial func(ctx context.Context, network, addr string) (net.Conn, error)) *Client {
	return &Client{transport: httpsend.New(httpsend.Config{Dial: dial, Standard: true})}
}

// Answer is what a server answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

const (
	maxAnswer   = 64 << 20 // of an answer, in bytes
	requestTime = 2 * time.Minute
	attempts    = 6
	longest     = time.Minute // that is waited before another attempt
)

// Do sends a request, and again while the server says that it has too much to do (429, 503),
// at the time that it names or after 1, 2, 4, 8 and 16 seconds. Errors are Failures.
func (c *Client) Do(ctx context.Context, method, url string, header http.Header, body []byte) (*Answer, error) {
	for attempt := 1; ; attempt++ {
		answer, err := c.once(ctx, method, url, header, body)
		if err != nil {
			return nil, warehouse.Fail(warehouse.CodeUnreachable, err)
		}
		if answer.Status != http.StatusTooManyRequests && answer.Status != http.StatusServiceUnavailable || attempt == attempts {
			return answer, nil
		}
		wait := time.Second << (attempt - 1)
		if s, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && s >= 0 {
			wait = min(time.Duration(s)*time.Second, longest)
		}
		if !delay.For(ctx, wait) {
			return nil, warehouse.Fail(warehouse.CodeUnreachable, context.Cause(ctx))
		}
	}
}

func (c *Client) once(ctx context.Context, method, url string, header http.Header, body []byte) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the address is none")
	}
	req.Header = header.Clone()
	req.Header.Set("User-Agent", "Weir/1")
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // what counts was read
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read an answer: %w", err)
	}
	if len(answer) > maxAnswer {
		return nil, fmt.Errorf("an answer has more than %d bytes; ask for less at a time", maxAnswer)
	}
	return &Answer{Status: res.StatusCode, Header: res.Header, Body: answer}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }
