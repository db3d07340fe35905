// Package probe finds out whether a destination can be reached, as its lane would
// reach it, and sends no event there.
package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/shared/fault"
)

// Dial connects as lanes do: guard, then egress.
type Dial = func(ctx context.Context, network, addr string) (net.Conn, error)

// Destination connects to a destination on HTTP, with TLS where its address says
// so, and opens, tests and closes one that speaks a protocol of its own. It returns a code
// and why the destination cannot be reached, "" and nil when it can: resolve_failed,
// connect_failed, tls_failed, egress_denied, guard_denied, no_address, sign_in_failed.
// t must not be staged.
func Destination(ctx context.Context, t *destination.Target, deps destination.Deps) (code string, err error) {
	if t.HTTP == nil {
		return open(ctx, t, deps)
	}
	u, ok := address(t.HTTP)
	if !ok {
		return "no_address", fault.New(fault.Invalid, "The destination builds no request for the events that were tried, so its address is not known.")
	}
	return connect(ctx, deps.Dial, u)
}

// open opens and closes a destination that speaks its own protocol.
func open(ctx context.Context, t *destination.Target, deps destination.Deps) (string, error) {
	sink, err := t.Sink(ctx, deps)
	if err != nil {
		return "sign_in_failed", err
	}
	if own, ok := sink.(interface{ Test(context.Context) error }); ok {
		err = own.Test(ctx)
	}
	if err := errors.Join(err, sink.Close()); err != nil {
		return "sign_in_failed", err
	}
	return "", nil
}

// samples are events whose requests tell where a destination is; none is sent.
var samples = [...]string{
	`{"type":"track","event":"Connection Test","messageId":"weir-connection-test","userId":"weir-connection-test","anonymousId":"weir-connection-test","timestamp":"2000-01-01T00:00:00.000Z","properties":{"email":"test@example.com"},"context":{"traits":{"email":"test@example.com"}}}`,
	`{"type":"identify","messageId":"weir-connection-test","userId":"weir-connection-test","anonymousId":"weir-connection-test","timestamp":"2000-01-01T00:00:00.000Z","traits":{"email":"test@example.com"}}`,
}

// address is where a destination's requests go. A kind that panics has none.
func address(d destination.Destination) (u *url.URL, ok bool) {
	defer func() {
		if recover() != nil {
			u, ok = nil, false
		}
	}()
	at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for i, text := range samples {
		e := event.Event{Workspace: "ws_test", Source: "src_test", MessageID: "weir-connection-test", User: "weir-connection-test", ReceivedAt: at,
			Type: []string{"track", "identify"}[i], JSON: []byte(text)}
		requests, _ := d.Build(destination.Batch{Items: []destination.Item{{Event: e, Attempt: 1}}, Now: at})
		for _, r := range requests {
			if u, err := url.Parse(r.URL); err == nil && u.Hostname() != "" {
				return u, true
			}
		}
	}
	return nil, false
}

// connect dials the host of u, with TLS for https.
func connect(ctx context.Context, dial Dial, u *url.URL) (code string, err error) {
	port := u.Port()
	if port == "" {
		port = map[bool]string{true: "443", false: "80"}[u.Scheme == "https"]
	}
	conn, err := dial(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	var resolving *net.DNSError
	switch {
	case err == nil:
	case errors.As(err, &resolving):
		return "resolve_failed", err
	case len(fault.ProblemsOf(err)) > 0:
		return fault.ProblemsOf(err)[0].Code, err // egress_denied
	case fault.KindOf(err) == fault.Denied:
		return "guard_denied", err
	default:
		return "connect_failed", err
	}
	defer conn.Close()
	if u.Scheme != "https" {
		return "", nil
	}
	if err := tls.Client(conn, &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}).HandshakeContext(ctx); err != nil {
		return "tls_failed", err
	}
	return "", nil
}
