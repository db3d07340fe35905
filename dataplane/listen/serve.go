// Package listen answers HTTP on a plane's addresses, with an end that lets requests
// under way finish.
package listen

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
)

// Serve answers requests on ln, over TLS if secure is set, until ctx ends, then
// those under way for some seconds more.
func Serve(ctx context.Context, ln net.Listener, secure *tls.Config, h http.Handler) error {
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
