package ingest

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"weir/dataplane/httpserve"
)

// Timeouts of a connection. A phone on a bad line has a minute for 4 MiB if it
// does not pause for too long; writing waits for reading and for the log.
const (
	headTimeout  = 10 * time.Second
	readTimeout  = 60 * time.Second
	stallTimeout = 10 * time.Second // without a byte of the body
	graceTime    = 10 * time.Second // after which a body has to have brought
	minRate      = 512              // bytes a second since
	writeTimeout = readTimeout + parseTimeout + 2*appendTimeout
	idleTimeout  = 2 * time.Minute
)

// ServeConfig is how a Gateway is served. The zero value is plain HTTP.
type ServeConfig struct {
	// TLS, when set, is what every connection speaks.
	TLS *tls.Config
	// Standard leaves all connections to net/http: see httpserve.Config.
	Standard bool
	// Linger is how long connections are still taken after ctx ended, so that a
	// load balancer sees that /ready is false before the listener closes.
	Linger time.Duration
	// MaxConnections is how many may be open, MaxPerAddress how many of them one
	// address may have that is no trusted proxy: see httpserve.Config.
	MaxConnections, MaxPerAddress int
}

// Serve answers requests that arrive at ln, in HTTP/1.1 and HTTP/2, until ctx
// ends. From then on /ready is false and each connection is closed after its
// answer; after Linger no new connection is taken, requests under way have 10 s,
// and what is left is cut. It closes ln. The error is nil when every request was
// answered.
func (g *Gateway) Serve(ctx context.Context, ln net.Listener, c ServeConfig) error {
	err := httpserve.Serve(ctx, ln, httpserve.Config{
		Handler: g, TLS: c.TLS, Standard: c.Standard, Linger: c.Linger,
		MaxConnections: c.MaxConnections, MaxPerAddress: c.MaxPerAddress, Exempt: g.config.TrustedProxies.Contains, Refused: g.crowded,
		HeadTimeout: headTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		Reserve: g.bodies.Strangers().Take, Release: g.bodies.Strangers().Give,
		Draining: func() { g.draining.Store(true) },
	})
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	return nil
}

// SlowSenders returns how many bodies did not come in time in the last minute or two.
func (g *Gateway) SlowSenders() int { return g.bodies.Slow() }

// crowded says that a connection was closed at once.
func (g *Gateway) crowded() {
	if g.turnedAway.Now() {
		g.config.Log.Warn("connections are closed at once: there are too many, or one address has too many; a proxy has to be a trusted one")
	}
}
