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
	// MaxConnections is how many may be open; past it a new one is closed at
	// once. 0 means 16,384.
	MaxConnections int
}

// Serve answers requests that arrive at ln, in HTTP/1.1 and HTTP/2, until ctx
// ends. From then on /ready is false and each connection is closed after its
// answer; after Linger no new connection is taken, requests under way have 10 s,
// and what is left is cut. It closes ln. The error is nil when every request was
// answered.
func (g *Gateway) Serve(ctx context.Context, ln net.Listener, c ServeConfig) error {
	err := httpserve.Serve(ctx, ln, httpserve.Config{
		Handler: g, TLS: c.TLS, Standard: c.Standard, MaxConnections: c.MaxConnections, Linger: c.Linger,
		HeadTimeout: headTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		Reserve: g.bodies.Memory().Take, Release: g.bodies.Memory().Give,
		Draining: func() { g.draining.Store(true) },
	})
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	return nil
}
