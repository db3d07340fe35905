package view

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/shared/fault"
	"weir/shared/id"
)

// Limits of connection tests.
const (
	maxProbeTime = 15 * time.Second
	probesAtOnce = 4
)

// probe is how a connection test went. Code is empty when it went well; Detail
// may hold a driver's or a resolver's text.
type probe struct {
	OK     bool   `json:"ok"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// test connects to a destination as its lane would, and sends nothing.
func (v *View) test(c *call) (any, error) {
	var in struct {
		Destination string `json:"destination"`
	}
	if err := decode(c.Request, &in); err != nil {
		return nil, err
	}
	d, err := v.destination(c, in.Destination)
	if err != nil {
		return nil, err
	}
	free, err := v.probes.take()
	if err != nil {
		return nil, err
	}
	defer free()
	ctx, cancel := context.WithTimeout(c.Context(), maxProbeTime)
	defer cancel()
	code, err := v.reach(ctx, c.grant.Workspace, d)
	if code == "" {
		return probe{OK: err == nil}, err
	}
	detail := ""
	if err != nil {
		detail = err.Error()
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code, detail = "timeout", fmt.Sprintf("No connection within %s.", maxProbeTime)
	}
	return probe{Code: code, Detail: detail}, nil
}

// reach returns a code and why a destination cannot be reached; an error without
// a code is the call's own.
func (v *View) reach(ctx context.Context, ws id.Workspace, d id.Destination) (code string, err error) {
	target, presence := v.cfg.Plans.Target(ws, d)
	if presence != destination.Present {
		return "", fault.New(fault.Missing, "This plane runs no destination of this name in the workspace.")
	}
	if target.Staged {
		if err := offers(v.cfg.Warehouses != nil, "warehouses"); err != nil {
			return "", err
		}
		if err := v.cfg.Warehouses.Test(ctx, ws, d); err != nil {
			return "sign_in_failed", err
		}
		return "", nil
	}
	if err := offers(v.cfg.Dial != nil, "connection tests"); err != nil {
		return "", err
	}
	if target.HTTP == nil {
		return v.openSink(ctx, target)
	}
	u, ok := address(target.HTTP)
	if !ok {
		return "no_address", fault.New(fault.Invalid, "The destination builds no request for the events that were tried, so its address is not known.")
	}
	return v.connect(ctx, u)
}

// openSink opens and closes a destination that speaks its own protocol.
func (v *View) openSink(ctx context.Context, t *destination.Target) (string, error) {
	sink, err := t.Sink(ctx, destination.Deps{Dial: v.cfg.Dial, Now: v.cfg.Now, Log: v.cfg.Log})
	if err != nil {
		return "sign_in_failed", err
	}
	if err := sink.Close(); err != nil {
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
func (v *View) connect(ctx context.Context, u *url.URL) (code string, err error) {
	port := u.Port()
	if port == "" {
		port = map[bool]string{true: "443", false: "80"}[u.Scheme == "https"]
	}
	conn, err := v.cfg.Dial(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	var resolving *net.DNSError
	switch {
	case err == nil:
	case errors.As(err, &resolving):
		return "resolve_failed", err
	case fault.KindOf(err) == fault.Denied && len(fault.ProblemsOf(err)) > 0:
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
