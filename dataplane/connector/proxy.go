package connector

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"
)

// Bounds of the proxy of a connector.
const (
	mostTunnels = 64
	dialTime    = 30 * time.Second
	headTime    = 30 * time.Second
)

// serve is the proxy of one connector, until ctx ends: CONNECT, and plain requests of HTTP.
func (f *Folder) serve(ctx context.Context, l net.Listener, m *Manifest) {
	tunnels := make(chan struct{}, mostTunnels)
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialTime)
		defer cancel()
		return f.cfg.Dial(ctx, network, address)
	}
	transport := &http.Transport{DialContext: dial, DisableKeepAlives: true, ResponseHeaderTimeout: 5 * time.Minute, Proxy: nil}
	defer transport.CloseIdleConnections()
	plain := &httputil.ReverseProxy{
		Rewrite:   func(*httputil.ProxyRequest) {},
		Transport: transport, ErrorLog: log.New(io.Discard, "", 0),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	var open sync.WaitGroup
	server := &http.Server{
		ReadHeaderTimeout: headTime, MaxHeaderBytes: 64 << 10, ErrorLog: log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case tunnels <- struct{}{}:
				defer func() { <-tunnels }()
			default:
				http.Error(w, "too many connections at once", http.StatusServiceUnavailable)
				return
			}
			host := r.URL.Hostname()
			if !m.reaches(host) {
				http.Error(w, "this connector may not reach this host", http.StatusForbidden)
				return
			}
			switch {
			case r.Method == http.MethodConnect:
				open.Add(1)
				defer open.Done()
				tunnel(ctx, w, r, dial)
			case r.URL.Scheme == "http":
				plain.ServeHTTP(w, r)
			default:
				http.Error(w, "this is a proxy", http.StatusBadRequest)
			}
		}),
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	_ = server.Serve(l) // it ends by Close
	open.Wait()
}

// tunnel connects a client with what it asks for.
func tunnel(ctx context.Context, w http.ResponseWriter, r *http.Request, dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	far, err := dial(ctx, "tcp", r.URL.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer func() { _ = far.Close() }()
	w.WriteHeader(http.StatusOK)
	near, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = near.Close() }()
	defer context.AfterFunc(ctx, func() { _ = near.Close(); _ = far.Close() })()
	var both sync.WaitGroup
	both.Go(func() { // ends when near says no more, or far does not take it
		_, _ = io.Copy(far, buffered)
		if half, ok := far.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
			return
		}
		_ = far.Close()
	})
	_, _ = io.Copy(near, far)
	_ = near.Close() // ends the other copy, which else waits for the client
	both.Wait()
}
