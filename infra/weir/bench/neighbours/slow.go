package neighbours

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// silent is a Postgres server that takes sign-ins and answers nothing after them.
type silent struct {
	signed atomic.Int64
}

const warehouses = 10

// hangingWarehouses are ten warehouses that hang.
func hangingWarehouses(_ context.Context, s *site) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen as a warehouse: %w", err)
	}
	server := &silent{}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			serving.Go(func() { server.serve(conn) })
		}
	})
	s.silent = server
	s.later(func() { _ = l.Close(); serving.Wait() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "", err
	}
	all := map[string]string{}
	for n := range warehouses {
		if all[fmt.Sprint("hangs", n)], err = postgres(s, port); err != nil {
			return "", err
		}
	}
	return tenant(all), nil
}

// serve reads a startup message and says that the server is ready.
func (s *silent) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }() // the peer is gone
	if _, err := conn.Read(make([]byte, 4096)); err != nil {
		return
	}
	if _, err := conn.Write([]byte("R\x00\x00\x00\x08\x00\x00\x00\x00Z\x00\x00\x00\x05I")); err != nil {
		return
	}
	s.signed.Add(1)
	_, _ = io.Copy(io.Discard, conn) // until the peer goes
}

// hangLoads sends an event to all of them and waits until loads hang.
func hangLoads(ctx context.Context, s *site) error {
	s.send(ctx, "/v1/track", fmt.Sprintf(one, 1, 1))
	for s.silent.signed.Load() < 4 {
		if !pause(ctx, 100*time.Millisecond) {
			return fmt.Errorf("no load hangs: %w", ctx.Err())
		}
	}
	return nil
}

// hangQueries asks ten of them at a time.
func hangQueries(ctx context.Context, s *site) error {
	var names []string
	for n := range warehouses {
		names = append(names, fmt.Sprint("hangs", n))
	}
	return each(ctx, names, func(name string) error {
		s.run(ctx, "query", name, "select 1", "--workspace", "evil")
		return nil
	})
}

const (
	clients   = 2400
	dropEvery = 5 * time.Second
)

// drips opens connections from two addresses that announce much, name no write key
// and send a byte now and then, until the site is closed.
func drips(ctx context.Context, s *site) error {
	address := strings.TrimPrefix(s.in.Gateway, "http://")
	going, leave := context.WithCancel(context.WithoutCancel(ctx))
	ready := make(chan error, clients)
	var all sync.WaitGroup
	for n := range clients {
		all.Go(func() { drip(going, address, []string{"127.0.0.2", "127.0.0.3"}[n%2], ready) })
	}
	s.later(func() { leave(); all.Wait() })
	for range clients {
		select {
		case err := <-ready:
			if err != nil {
				return fmt.Errorf("open a connection: %w", err)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// drip sends a body in drops until ctx ends, anew when it is cut. It says once that it
// began.
func drip(ctx context.Context, address, from string, ready chan<- error) {
	said := false
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: startTime}
	for ctx.Err() == nil {
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			_, err = io.WriteString(conn, "POST /v1/track HTTP/1.1\r\nHost: weir\r\nContent-Length: 65536\r\n\r\n{")
		}
		if !said {
			said = true
			ready <- err
		}
		for wait := rand.N(dropEvery); err == nil && pause(ctx, wait); wait = dropEvery { // not all at once
			_, err = io.WriteString(conn, " ")
		}
		if conn != nil {
			_ = conn.Close()
		}
		pause(ctx, 100*time.Millisecond)
	}
}
