package httpserve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Limits and times that are the same for every server.
const (
	maxHeaderSize   = 64 << 10
	maxStreams      = 128 // requests at once on one connection of HTTP/2
	maxConnections  = 16 << 10
	idlePollTime    = 5 * time.Millisecond
	arrivingTimeout = time.Second // for connections whose request may still be on its way in
	underwayTimeout = 10 * time.Second
	maxAcceptPause  = time.Second
	minAcceptPause  = 5 * time.Millisecond
)

// Config is how requests are served. Handler and the timeouts are required.
type Config struct {
	Handler http.Handler
	// TLS, when set, is what every connection speaks.
	TLS *tls.Config
	// Standard serves every connection by net/http, without the fast path.
	Standard bool
	// MaxConnections is how many may be open. Past it idle ones are closed for new
	// ones; while none is idle, a new one is closed at once. 0 means 16,384.
	MaxConnections int
	// MaxPerAddress is how many of them one address may have, or one /64 of IPv6; a
	// further one is closed at once. 0 means an eighth of MaxConnections, but 256 at
	// least.
	MaxPerAddress int
	// Exempt reports that an address may have all of them, such as a proxy's. Nil:
	// none may.
	Exempt func(netip.Addr) bool
	// Refused is called for each connection that is closed at once. It must not
	// block. Nil: nothing is called.
	Refused func()

	// The timeouts are for a request's head, for all of a request, for its answer,
	// and for the next request on a connection. A handler may move the one for
	// reading by http.ResponseController.
	HeadTimeout, ReadTimeout, WriteTimeout, IdleTimeout time.Duration

	// Reserve takes bytes of memory for a request on the fast path of which more
	// than 4 KiB have come, false when there are none; Release gives them back. Nil: there is
	// no bound.
	Reserve func(bytes int64) bool
	Release func(bytes int64)

	// Draining is called once when ctx ended. From then on the handler has to
	// answer with Connection: close. Nil: nothing is called.
	Draining func()
	// Linger is how long connections are still taken after Draining, so that a
	// load balancer can find out before the listener closes.
	Linger time.Duration
}

// Serve answers requests that arrive at ln, in HTTP/1.1 and HTTP/2, until ctx
// ends. From then on, and after Linger, no new connection is taken, requests under
// way have 10 s, and what is left is cut. It closes ln. The error is nil when every
// request was answered.
func Serve(ctx context.Context, ln net.Listener, c Config) error {
	limited := newLimitListener(ln, c)
	s := standardServer(c, limited)
	serve, shutdown := func() error { return s.Serve(limited) }, func(ctx context.Context) error {
		if err := s.Shutdown(ctx); !errors.Is(err, net.ErrClosed) { // ln is closed before, which it may have seen or not
			return err
		}
		return nil
	}
	if c.TLS != nil {
		serve = func() error { return s.ServeTLS(limited, "", "") }
	}
	var draining atomic.Bool
	group, inner := errgroup.WithContext(ctx)
	if c.TLS == nil && !c.Standard {
		rest := &handoverListener{addr: ln.Addr(), conns: make(chan net.Conn), closed: make(chan struct{})}
		f := newFastServer(c, limited, rest.put)
		serve = f.accept
		rested := shutdown
		shutdown = func(ctx context.Context) error { return errors.Join(f.shutdown(ctx), rested(ctx)) }
		group.Go(func() error {
			if err := s.Serve(rest); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve %s: %w", ln.Addr(), err)
			}
			return nil
		})
	}
	group.Go(func() error {
		err := serve()
		if !errors.Is(err, http.ErrServerClosed) && !(draining.Load() && errors.Is(err, net.ErrClosed)) {
			return fmt.Errorf("serve %s: %w", ln.Addr(), err)
		}
		return nil
	})
	group.Go(func() error {
		<-inner.Done()
		draining.Store(true)
		if c.Draining != nil {
			c.Draining()
		}
		if ctx.Err() != nil { // else the listener broke, and there is nothing to linger for
			<-time.After(c.Linger)
		}
		// Shutdown cuts requests that were read while it began, so it has to find none.
		_ = ln.Close()
		limited.waitIdle(arrivingTimeout)
		end, cancel := context.WithTimeout(context.WithoutCancel(inner), underwayTimeout)
		defer cancel()
		if err := shutdown(end); err != nil {
			_ = s.Close() // what is left has had its time
			return fmt.Errorf("drain %s: %w", ln.Addr(), err)
		}
		return nil
	})
	return group.Wait()
}

// standardServer returns the server of net/http.
func standardServer(c Config, limited *limitListener) *http.Server {
	s := &http.Server{
		Handler:           c.Handler,
		ReadHeaderTimeout: c.HeadTimeout,
		ReadTimeout:       c.ReadTimeout,
		WriteTimeout:      c.WriteTimeout,
		IdleTimeout:       c.IdleTimeout,
		MaxHeaderBytes:    maxHeaderSize,
		TLSConfig:         c.TLS,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		Protocols:         new(http.Protocols),
		ErrorLog:          log.New(io.Discard, "", 0), // its lines hold clients' addresses
		ConnState:         limited.setState,
	}
	if c.TLS == nil && !c.Standard {
		s.ReadHeaderTimeout -= restTimeout // which the fast path may have waited
	}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	s.Protocols.SetUnencryptedHTTP2(true) // for proxies that end TLS; others do not ask for it
	return s
}

// handoverListener is a listener for connections that the fast path accepted.
type handoverListener struct {
	addr   net.Addr
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

// put gives conn to the next Accept; once the listener is closed, it closes conn.
func (l *handoverListener) put(conn net.Conn) {
	select {
	case l.conns <- conn:
	case <-l.closed:
		_ = conn.Close()
	}
}

func (l *handoverListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *handoverListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *handoverListener) Addr() net.Addr { return l.addr }

// prefixConn is a connection with bytes that were read of it before.
type prefixConn struct {
	net.Conn
	prefix []byte
}

func (c *prefixConn) Read(b []byte) (int, error) {
	if len(c.prefix) > 0 {
		n := copy(b, c.prefix)
		if c.prefix = c.prefix[n:]; len(c.prefix) == 0 {
			c.prefix = nil
		}
		return n, nil
	}
	return c.Conn.Read(b)
}

func (c *prefixConn) known() *client { return c.Conn.(interface{ known() *client }).known() }

// CloseWrite is client's.
func (c *prefixConn) CloseWrite() error { return c.known().CloseWrite() }
