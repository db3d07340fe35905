package dataplane

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"os"

	"weir/dataplane/enrol"
	"weir/shared/certificate"
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
	if l.gatewayTLS, err = certificate.TLS(d.cfg.GatewayCert, d.cfg.GatewayKey, d.cfg.Log); err != nil {
		return listeners{}, err
	}
	if l.viewTLS, err = certificate.TLS(d.cfg.ViewCert, d.cfg.ViewKey, d.cfg.Log); err != nil {
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
	d.urls = l.urls(&d.cfg, d.plane.Reach)
	d.mu.Unlock()
	if at, ok := l.view.Addr().(*net.TCPAddr); ok && l.viewTLS == nil && !at.IP.IsLoopback() {
		d.cfg.Log.WarnContext(ctx, "view listens beyond loopback without TLS; give it a certificate or put a proxy with TLS in front of it", "address", l.view.Addr().String())
	}
	return l, nil
}

// urls returns where people and browsers reach the plane: what the configuration
// says, else what was said at joining, else where it listens, by this machine's
// name when that is every address. What an older version did not keep is empty.
func (l listeners) urls(cfg *Config, told *enrol.Reach) Addresses {
	var a Addresses
	if told != nil {
		a.Gateway, a.View = told.Gateway, told.View
		a.Gateway = cmp.Or(a.Gateway, urlOf(l.gateway, l.gatewayTLS))
		a.View = cmp.Or(a.View, urlOf(l.view, l.viewTLS))
	}
	a.Gateway, a.View = cmp.Or(cfg.GatewayURL, a.Gateway), cmp.Or(cfg.ViewURL, a.View)
	a.Metrics = urlOf(l.metrics, nil)
	return a
}

// urlOf returns the URL of what listens on l.
func urlOf(l net.Listener, secure *tls.Config) string {
	scheme, address := "http://", l.Addr().String()
	if secure != nil {
		scheme = "https://"
	}
	if host, port, err := net.SplitHostPort(address); err == nil && net.ParseIP(host).IsUnspecified() {
		if name, err := os.Hostname(); err == nil {
			address = net.JoinHostPort(name, port)
		}
	}
	return scheme + address
}
