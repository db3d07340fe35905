package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// Timeouts and limits of a connection. A phone on a bad line has a minute for 4
// MiB; writing waits for reading and for the log.
const (
	headTimeout   = 10 * time.Second
	readTimeout   = 60 * time.Second
	writeTimeout  = readTimeout + 2*appendTimeout
	idleTimeout   = 2 * time.Minute
	drainTimeout  = 10 * time.Second
	maxHeaderSize = 64 << 10
)

// Serve answers requests that arrive at ln until ctx ends. Then it takes no new
// connection, waits up to 10 s for the requests under way, cuts those that are
// left, and returns. It closes ln. The error is nil when every request was
// answered.
func Serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderSize,
		ErrorLog:          log.New(io.Discard, "", 0), // its lines hold clients' addresses
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("gateway on %s: %w", ln.Addr(), err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		if err := s.Shutdown(drain); err != nil {
			_ = s.Close() // what is left has had its time
			return fmt.Errorf("drain the gateway on %s: %w", ln.Addr(), err)
		}
		return nil
	})
	return g.Wait()
}
