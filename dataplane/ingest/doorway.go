package ingest

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// doorway is a listener that closes connections past a number, instead of
// letting all of them wait.
type doorway struct {
	net.Listener
	most int64
	open atomic.Int64
	busy atomic.Int64 // connections that are new or have a request under way
}

// state is http.Server.ConnState.
func (d *doorway) state(conn net.Conn, s http.ConnState) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	c, ok := conn.(interface{ working() *atomic.Bool })
	if !ok {
		return
	}
	switch s {
	case http.StateNew, http.StateActive:
		if c.working().CompareAndSwap(false, true) {
			d.busy.Add(1)
		}
	case http.StateIdle, http.StateHijacked, http.StateClosed:
		if c.working().CompareAndSwap(true, false) {
			d.busy.Add(-1)
		}
	}
}

// quiet waits until no connection is busy, most at the longest.
func (d *doorway) quiet(most time.Duration) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(most); d.busy.Load() > 0 && time.Now().Before(end); {
		<-tick.C
	}
}

// visit is what a connection takes up.
type visit struct {
	leave func()
	busy  atomic.Bool
}

func (p *visit) working() *atomic.Bool { return &p.busy }

// Accept returns the next connection that there is room for.
func (d *doorway) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err // a listener's errors are net/http's to judge
		}
		if d.open.Add(1) > d.most {
			d.open.Add(-1)
			_ = conn.Close()
			continue
		}
		leave := sync.OnceFunc(func() { d.open.Add(-1) })
		if tcp, ok := conn.(*net.TCPConn); ok {
			return &guest{TCPConn: tcp, visit: visit{leave: leave}}, nil
		}
		return &stranger{Conn: conn, visit: visit{leave: leave}}, nil
	}
}

// guest is a connection of a client.
type guest struct {
	*net.TCPConn
	visit
}

func (c *guest) Close() error {
	c.leave()
	return c.TCPConn.Close()
}

// The answers of net/http itself that put a client's mistake on the server: an
// unknown transfer coding, an unknown version of HTTP. No handler is asked.
var (
	notImplemented = []byte("HTTP/1.1 501 ")
	noSuchVersion  = []byte("HTTP/1.1 505 ")
	badRequest     = []byte("HTTP/1.1 400 Bad Request")
)

// Write sends b. Those two answers of net/http, which it writes in one piece,
// become 400; the gateway itself never answers so.
func (c *guest) Write(b []byte) (int, error) {
	if !bytes.HasPrefix(b, notImplemented) && !bytes.HasPrefix(b, noSuchVersion) {
		return c.TCPConn.Write(b)
	}
	end := max(bytes.IndexByte(b, '\r'), 0) // of the status line
	if _, err := c.TCPConn.Write(append(bytes.Clone(badRequest), b[end:]...)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// stranger is a connection that is not of TCP.
type stranger struct {
	net.Conn
	visit
}

func (c *stranger) Close() error {
	c.leave()
	return c.Conn.Close()
}
