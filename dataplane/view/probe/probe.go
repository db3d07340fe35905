// Package probe finds out whether a destination can be used, as its lane would use it,
// and sends no event there.
package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destination/trust"
	"weir/dataplane/event"
	"weir/shared/fault"
)

// most is how long a connection test may take.
const most = 15 * time.Second

// Dial connects as lanes do: guard, then egress.
type Dial = func(ctx context.Context, network, addr string) (net.Conn, error)

// tester is a destination that knows a request by which a connection can be tested: it
// changes nothing, and its answer tells whether what authorises requests is accepted.
type tester interface {
	// Test returns the request; ok is false of a destination that has none.
	Test(now time.Time) (r destination.Request, ok bool)
	// Accepted reports whether an answer to it is a good one.
	Accepted(destination.Response) bool
}

// Try sends one request to a destination as its lanes do, authorised.
type Try = func(ctx context.Context, t *destination.Target, r destination.Request) (destination.Response, error)

// Ways is how destinations are reached.
type Ways struct {
	Deps   destination.Deps            // as lanes have them
	Try    Try                         // nil: nothing is sent, a connection is made
	SignIn func(context.Context) error // of a destination that is staged
}

// What was tried.
const (
	Connection = "connection" // to the address, with TLS where it says so; nothing was sent
	Request    = "request"    // the one that the kind declares, which changes nothing
	Session    = "session"    // it was opened, and closed again
)

// Answer is how a connection test went. Code is empty when it went well; Detail may hold a
// driver's, a resolver's or a vendor's text. Codes: resolve_failed, connect_failed, tls_failed,
// timeout, egress_denied, guard_denied, no_address, sign_in_failed, no_answer, test_refused.
type Answer struct {
	OK     bool   `json:"ok"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Tried  string `json:"tried"`
	Millis int64  `json:"ms"` // how long it took
}

// Run tries a destination, for 15 s at most.
func Run(ctx context.Context, t *destination.Target, w Ways) Answer {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	start := time.Now()
	tried, code, err := w.reach(ctx, t)
	a := Answer{OK: code == "", Code: code, Tried: tried, Millis: time.Since(start).Milliseconds()}
	if err != nil {
		a.Detail = err.Error()
	}
	if code != "" && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		a.Code, a.Detail = "timeout", fmt.Sprintf("No answer within %s.", most)
	}
	return a
}

// reach returns what was tried, and a code and why the destination cannot be used, "" when
// it can.
func (w Ways) reach(ctx context.Context, t *destination.Target) (tried, code string, err error) {
	if w.SignIn != nil {
		if err := w.SignIn(ctx); err != nil {
			return Session, "sign_in_failed", err
		}
		return Session, "", nil
	}
	if t.HTTP == nil {
		code, err := w.open(ctx, t)
		return Session, code, err
	}
	if r, ok := requestOf(t.HTTP, w.Deps.Now()); ok && w.Try != nil {
		code, err := w.ask(ctx, t, r)
		return Request, code, err
	}
	u, ok := address(t)
	if !ok {
		return Connection, "no_address", fault.New(fault.Invalid, "The destination builds no request for the events that were tried, so its address is not known.")
	}
	code, err = connect(ctx, w.Deps.Dial, u, t.Trust)
	return Connection, code, err
}

// open opens and closes a destination that speaks its own protocol.
func (w Ways) open(ctx context.Context, t *destination.Target) (string, error) {
	sink, err := t.Sink(ctx, w.Deps)
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

// requestOf is the request by which a connection is tested. A kind that panics has none.
func requestOf(d destination.Destination, now time.Time) (r destination.Request, ok bool) {
	defer func() {
		if recover() != nil {
			r, ok = destination.Request{}, false
		}
	}()
	if own, tests := d.(tester); tests {
		return own.Test(now)
	}
	return destination.Request{}, false
}

// maxSaid is how much of an answer a detail holds, in bytes.
const maxSaid = 1 << 10

// ask sends the request of a test.
func (w Ways) ask(ctx context.Context, t *destination.Target, r destination.Request) (string, error) {
	res, err := w.Try(ctx, t, r)
	if err != nil {
		return unanswered(t, r, err)
	}
	if accepted(t.HTTP, res) {
		return "", nil
	}
	said := fault.New(fault.Unavailable, "It answered %d: %.*q", res.Status, maxSaid, res.Body)
	switch {
	case res.Status == 401 || res.Status == 403 || res.Status < 300:
		return "sign_in_failed", said
	case res.Status == 408 || res.Status == 425 || res.Status == 429 || res.Status >= 500:
		return "no_answer", said
	}
	return "test_refused", said
}

// accepted reports whether an answer is a good one. A kind that panics accepts none.
func accepted(d destination.Destination, res destination.Response) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	own, tests := d.(tester)
	return tests && own.Accepted(res)
}

// unanswered is why a request has no answer.
func unanswered(t *destination.Target, r destination.Request, err error) (string, error) {
	if code, why := denied(err); code != "" {
		return code, why
	}
	v := destination.Judge(t.HTTP, destination.Request{URL: r.URL, Items: []int{0}}, destination.Response{}, err, time.Time{})[0]
	codes := map[string]string{
		"dns": "resolve_failed", "refused": "connect_failed", "network": "connect_failed", "tls": "tls_failed", "timeout": "timeout", "token_refused": "sign_in_failed",
	}
	code, known := codes[v.Code]
	if !known {
		code = "no_answer"
	}
	if v.Detail == "" {
		v.Detail = "There was no answer."
	}
	return code, errors.New(v.Detail)
}

// denied is the code of what the plane itself does not allow, "" of all else.
func denied(err error) (string, error) {
	problems := fault.ProblemsOf(err)
	switch {
	case len(problems) > 0 && problems[0].Code == "egress_denied":
		return "egress_denied", err
	case fault.KindOf(err) == fault.Denied:
		return "guard_denied", err
	}
	return "", nil
}

// samples are events whose requests tell where a destination is; none is sent.
var samples = [...]string{
	`{"type":"track","event":"Connection Test","messageId":"weir-connection-test","userId":"weir-connection-test","anonymousId":"weir-connection-test","timestamp":"2000-01-01T00:00:00.000Z","properties":{"email":"test@example.com"},"context":{"traits":{"email":"test@example.com"}}}`,
	`{"type":"identify","messageId":"weir-connection-test","userId":"weir-connection-test","anonymousId":"weir-connection-test","timestamp":"2000-01-01T00:00:00.000Z","traits":{"email":"test@example.com"}}`,
}

// address is where a destination's requests go. A kind that panics has none.
func address(t *destination.Target) (u *url.URL, ok bool) {
	defer func() {
		if recover() != nil {
			u, ok = nil, false
		}
	}()
	at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for i, text := range samples {
		e := event.Event{Workspace: "ws_test", Source: "src_test", MessageID: "weir-connection-test", User: "weir-connection-test", ReceivedAt: at,
			Type: []string{"track", "identify"}[i], JSON: []byte(text)}
		requests, _ := t.HTTP.Build(destination.Batch{Items: []destination.Item{{Event: e, Attempt: 1}}, Now: at})
		for _, r := range requests {
			if u, err := url.Parse(r.URL); err == nil && u.Hostname() != "" {
				return u, true
			}
		}
	}
	return nil, false
}

// connect dials the host of u, with TLS for https, secured as requests there are.
func connect(ctx context.Context, dial Dial, u *url.URL, secured *trust.HTTP) (code string, err error) {
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
	default:
		if code, why := denied(err); code != "" {
			return code, why
		}
		return "connect_failed", err
	}
	defer conn.Close()
	if u.Scheme != "https" {
		return "", nil
	}
	if err := shake(ctx, conn, u.Hostname(), secured); err != nil {
		return "tls_failed", err
	}
	return "", nil
}

// verdictOnUs is how long a server that asked for a client's certificate is given to refuse
// it: with TLS 1.3 it does so after the client's end of the handshake.
const verdictOnUs = time.Second

// shake secures a connection as requests to the destination are.
func shake(ctx context.Context, conn net.Conn, host string, secured *trust.HTTP) error {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if secured != nil {
		config = secured.Config.Clone()
	}
	config.ServerName = host
	own, asked := config.Certificates, false
	config.GetClientCertificate = func(by *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked = true
		for i := range own {
			if by.SupportsCertificate(&own[i]) == nil {
				return &own[i], nil
			}
		}
		return new(tls.Certificate), nil
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil || !asked {
		return err
	}
	if err := secure.SetReadDeadline(time.Now().Add(verdictOnUs)); err != nil {
		return err
	}
	var alert *net.OpError
	if _, err := secure.Read(make([]byte, 1)); errors.As(err, &alert) && alert.Op == "remote error" {
		return err
	}
	return nil
}
