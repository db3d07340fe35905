package httpserve

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// limitListener is a listener that closes connections past a number, instead of
// letting all of them wait.
type limitListener struct {
	net.Listener
	limit int64
	open  atomic.Int64
	busy  atomic.Int64 // connections that are new or have a request under way
}

// setState is http.Server.ConnState.
func (l *limitListener) setState(conn net.Conn, s http.ConnState) {
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
			l.busy.Add(1)
		}
	case http.StateIdle, http.StateHijacked, http.StateClosed:
		if c.working().CompareAndSwap(true, false) {
			l.busy.Add(-1)
		}
	}
}

// waitIdle waits until no connection is busy, but not longer than timeout.
func (l *limitListener) waitIdle(timeout time.Duration) {
	tick := time.NewTicker(idlePollTime)
	defer tick.Stop()
	for end := time.Now().Add(timeout); l.busy.Load() > 0 && time.Now().Before(end); {
		<-tick.C
	}
}

// connState is what the listener knows of a connection.
type connState struct {
	leave func() // makes room for another; only its first call counts
	busy  atomic.Bool
}

func (s *connState) working() *atomic.Bool { return &s.busy }

// Accept returns the next connection that there is room for.
func (l *limitListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err // a listener's errors are the server's to judge
		}
		if l.open.Add(1) > l.limit {
			l.open.Add(-1)
			_ = conn.Close()
			continue
		}
		leave := sync.OnceFunc(func() { l.open.Add(-1) })
		if tcp, ok := conn.(*net.TCPConn); ok {
			return &tcpConn{TCPConn: tcp, connState: connState{leave: leave}}, nil
		}
		return &otherConn{Conn: conn, connState: connState{leave: leave}}, nil
	}
}

// tcpConn is a connection of a client.
type tcpConn struct {
	*net.TCPConn
	connState
}

func (c *tcpConn) Close() error {
	c.leave()
	return c.TCPConn.Close()
}

func (c *tcpConn) Write(b []byte) (int, error) { return writeAnswer(c.TCPConn, b) }

// otherConn is a connection that is not of TCP.
type otherConn struct {
	net.Conn
	connState
}

func (c *otherConn) Close() error {
	c.leave()
	return c.Conn.Close()
}

func (c *otherConn) Write(b []byte) (int, error) { return writeAnswer(c.Conn, b) }

// The answers of net/http itself that put a client's mistake on the server: an
// unknown transfer coding, an unknown version of HTTP. No handler is asked.
var (
	notImplemented = []byte("HTTP/1.1 501 ")
	noSuchVersion  = []byte("HTTP/1.1 505 ")
	badRequest     = []byte("HTTP/1.1 400 Bad Request")
)

// writeAnswer writes b to conn. Those two answers of net/http, which it writes in
// one piece, become 400; a handler must not answer so.
func writeAnswer(conn net.Conn, b []byte) (int, error) {
	if !bytes.HasPrefix(b, notImplemented) && !bytes.HasPrefix(b, noSuchVersion) {
		return conn.Write(b)
	}
	end := max(bytes.IndexByte(b, '\r'), 0) // of the status line
	if _, err := conn.Write(append(bytes.Clone(badRequest), b[end:]...)); err != nil {
		return 0, err
	}
	return len(b), nil
}
