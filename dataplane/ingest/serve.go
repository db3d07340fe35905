package ingest

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Timeouts and limits of a connection. A phone on a bad line has a minute for 4
// MiB if it does not pause for too long; writing waits for reading and for the log.
const (
	headTimeout    = 10 * time.Second
	readTimeout    = 60 * time.Second
	stallTimeout   = 10 * time.Second // without a byte of the body
	writeTimeout   = readTimeout + parseTimeout + 2*appendTimeout
	idleTimeout    = 2 * time.Minute
	quietTimeout   = time.Second // for connections whose request may still be on its way in
	drainTimeout   = 10 * time.Second
	maxHeaderSize  = 64 << 10
	maxStreams     = 128 // requests at once on one connection of HTTP/2
	maxConnections = 16 << 10
)

// ServeConfig is how a Gateway is served. The zero value is plain HTTP.
type ServeConfig struct {
	// TLS, when set, is what every connection speaks.
	TLS *tls.Config
	// Linger is how long connections are still taken after ctx ended, so that
	// who balances load sees that /ready is false before the door closes.
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
	s := &http.Server{
		Handler:           g,
		ReadHeaderTimeout: headTimeout - partTimeout, // which an express line may have waited
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderSize,
		TLSConfig:         c.TLS,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		Protocols:         new(http.Protocols),
		ErrorLog:          log.New(io.Discard, "", 0), // its lines hold clients' addresses
	}
	door := &doorway{Listener: ln, most: int64(cmp.Or(c.MaxConnections, maxConnections))}
	s.ConnState = door.state
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	s.Protocols.SetUnencryptedHTTP2(true) // for proxies that end TLS; only who knows it speaks it
	serve := func() error { return s.ServeTLS(door, "", "") }
	shutdown := s.Shutdown
	group, inner := errgroup.WithContext(ctx)
	if c.TLS == nil {
		rest := &queue{addr: ln.Addr(), conns: make(chan net.Conn), closed: make(chan struct{})}
		x := &express{g: g, door: door, handOver: rest.put, open: map[net.Conn]struct{}{}}
		serve = x.accept
		shutdown = func(ctx context.Context) error { return errors.Join(x.shutdown(ctx), s.Shutdown(ctx)) }
		group.Go(func() error {
			if err := s.Serve(rest); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("gateway on %s: %w", ln.Addr(), err)
			}
			return nil
		})
	}
	group.Go(func() error {
		err := serve()
		if !errors.Is(err, http.ErrServerClosed) && !(g.draining.Load() && errors.Is(err, net.ErrClosed)) {
			return fmt.Errorf("gateway on %s: %w", ln.Addr(), err)
		}
		return nil
	})
	group.Go(func() error {
		<-inner.Done()
		g.draining.Store(true)
		if ctx.Err() != nil { // else the listener broke, and there is nothing to linger for
			<-time.After(c.Linger)
		}
		// Shutdown cuts requests that were read while it began, so it has to find none.
		_ = ln.Close()
		door.quiet(quietTimeout)
		drain, cancel := context.WithTimeout(context.WithoutCancel(inner), drainTimeout)
		defer cancel()
		if err := shutdown(drain); err != nil {
			_ = s.Close() // what is left has had its time
			return fmt.Errorf("drain the gateway on %s: %w", ln.Addr(), err)
		}
		return nil
	})
	return group.Wait()
}

// queue is a listener for connections that were accepted elsewhere.
type queue struct {
	addr   net.Addr
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

// put gives conn to whoever accepts; when nobody will any more, it is closed.
func (q *queue) put(conn net.Conn) {
	select {
	case q.conns <- conn:
	case <-q.closed:
		_ = conn.Close()
	}
}

func (q *queue) Accept() (net.Conn, error) {
	select {
	case conn := <-q.conns:
		return conn, nil
	case <-q.closed:
		return nil, net.ErrClosed
	}
}

func (q *queue) Close() error   { q.once.Do(func() { close(q.closed) }); return nil }
func (q *queue) Addr() net.Addr { return q.addr }
