package dataplane

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/shared/fault"
)

// listeners are the plane's addresses, taken before anything else: a taken one
// is known at once.
type listeners struct {
	gateway, view, metrics net.Listener
	gatewayTLS, viewTLS    *tls.Config // nil: without
}

// close closes those that nobody closed yet.
func (l listeners) close() {
	for _, one := range []net.Listener{l.gateway, l.view, l.metrics} {
		if one != nil {
			_ = one.Close()
		}
	}
}

func (d *DataPlane) listen(ctx context.Context) (l listeners, err error) {
	if l.gatewayTLS, err = d.tls(d.cfg.GatewayCert, d.cfg.GatewayKey); err != nil {
		return listeners{}, err
	}
	if l.viewTLS, err = d.tls(d.cfg.ViewCert, d.cfg.ViewKey); err != nil {
		return listeners{}, err
	}
	var lc net.ListenConfig
	for _, a := range []struct {
		name, at string
		to       *net.Listener
	}{{"gateway", d.cfg.Gateway, &l.gateway}, {"view", d.cfg.View, &l.view}, {"metrics", d.cfg.Metrics, &l.metrics}} {
		if *a.to, err = lc.Listen(ctx, "tcp", a.at); err != nil {
			l.close()
			return listeners{}, fault.New(fault.Unavailable, "The %s cannot listen on %s: %v.", a.name, a.at, err)
		}
	}
	d.mu.Lock()
	d.addresses = Addresses{Gateway: l.gateway.Addr().String(), View: l.view.Addr().String(), Metrics: l.metrics.Addr().String()}
	d.mu.Unlock()
	if at, ok := l.view.Addr().(*net.TCPAddr); ok && l.viewTLS == nil && !at.IP.IsLoopback() {
		d.cfg.Log.WarnContext(ctx, "view listens beyond loopback without TLS; give it a certificate or put a proxy with TLS in front of it", "address", l.view.Addr().String())
	}
	return l, nil
}

// tls is how connections are secured with a certificate and its key; nil without.
func (d *DataPlane) tls(cert, key string) (*tls.Config, error) {
	if cert == "" {
		return nil, nil
	}
	p, err := newPair(cert, key, d.cfg.Log)
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: p.certificate}, nil
}

// serve answers requests on ln, over TLS if secure is set, until ctx ends, then
// those under way for some seconds more.
func serve(ctx context.Context, ln net.Listener, secure *tls.Config, h http.Handler) error {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, TLSConfig: secure, ErrorLog: log.New(io.Discard, "", 0),
	}
	answer := s.Serve
	if secure != nil {
		answer = func(l net.Listener) error { return s.ServeTLS(l, "", "") }
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := answer(ln); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", ln.Addr(), err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		if s.Shutdown(drain) != nil {
			_ = s.Close() // a profile under way is no reason to stay
		}
		return nil
	})
	return g.Wait()
}
