package httpserve

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Sizes in bytes and times of the fast path.
const (
	smallBuffer = 4 << 10         // what every connection has
	largeBuffer = 16 << 10        // the longest request that is read here
	restTimeout = time.Second     // for the rest of a request that came in parts
	rearmAfter  = 2 * time.Second // how exact the long deadlines of a connection are
)

// fastServer answers requests on the fast path and hands every other connection over.
type fastServer struct {
	config   Config
	listener *limitListener
	handOver func(net.Conn) // to net/http
	closing  atomic.Bool
	group    sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]struct{}
}

func newFastServer(c Config, l *limitListener, handOver func(net.Conn)) *fastServer {
	if c.Reserve == nil {
		c.Reserve, c.Release = func(int64) bool { return true }, func(int64) {}
	}
	return &fastServer{config: c, listener: l, handOver: handOver, open: map[net.Conn]struct{}{}}
}

// accept serves the connections of the listener until that closes, and returns its error.
func (f *fastServer) accept() error {
	var pause time.Duration
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			var passing interface{ Temporary() bool } // as net/http: out of descriptors, for a while
			if errors.As(err, &passing) && passing.Temporary() {
				pause = min(max(2*pause, minAcceptPause), maxAcceptPause)
				<-time.After(pause)
				continue
			}
			return err
		}
		pause = 0
		f.listener.setState(conn, http.StateNew)
		f.mu.Lock()
		if f.closing.Load() {
			f.mu.Unlock()
			f.close(conn)
			continue
		}
		f.open[conn] = struct{}{}
		f.group.Add(1)
		f.mu.Unlock()
		go f.serve(conn)
	}
}

// shutdown closes the connections that wait, lets the others answer, and cuts
// them when ctx ends first.
func (f *fastServer) shutdown(ctx context.Context) error {
	f.closing.Store(true)
	each := func(do func(net.Conn)) {
		f.mu.Lock()
		defer f.mu.Unlock()
		for conn := range f.open {
			do(conn)
		}
	}
	each(func(c net.Conn) { _ = c.SetReadDeadline(past) })
	done := make(chan struct{})
	go func() { f.group.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		each(func(c net.Conn) { _ = c.Close() })
		<-done
		return ctx.Err()
	}
}

// past is a deadline that ends every wait.
var past = time.Unix(1, 0)

func (f *fastServer) close(conn net.Conn) {
	_ = conn.Close()
	f.listener.setState(conn, http.StateClosed)
}

// serve answers the requests of one connection.
func (f *fastServer) serve(conn net.Conn) {
	c := &fastConn{server: f, conn: conn, peer: conn.RemoteAddr().String(), buf: make([]byte, smallBuffer)}
	ours := true
	defer func() {
		f.config.Release(c.reserved)
		if ours {
			f.close(conn)
		}
		f.mu.Lock()
		delete(f.open, conn)
		f.mu.Unlock()
		f.group.Done()
	}()
	for {
		ok, err := c.next()
		if err != nil {
			return
		}
		if !ok {
			if f.closing.Load() {
				return
			}
			ours = false
			_ = conn.SetDeadline(time.Time{})
			f.handOver(&prefixConn{Conn: conn, prefix: c.buf[:c.n]})
			return
		}
		if !c.answer() {
			return
		}
	}
}

// fastConn is a connection on the fast path.
type fastConn struct {
	server   *fastServer
	conn     net.Conn
	peer     string
	buf      []byte
	n        int       // bytes of buf that were read
	end      int       // where the request under way ends in buf
	armed    time.Time // when the deadline for the next request was set
	began    time.Time // when that for answers was set
	reserved int64     // for a longer buf
	head     requestHead
	body     bufferedBody
	req      http.Request
	res      response
	served   bool // something was answered
}

// next reads until buf begins with a whole request of the fast path. Not ok: the
// connection is for net/http. An error: there is nothing to be answered.
func (c *fastConn) next() (ok bool, err error) {
	c.n = copy(c.buf, c.buf[c.end:c.n]) // what came behind the last request
	c.end = 0
	c.shrink()
	if c.n == 0 && c.served { // else its first request may be on its way
		c.server.listener.setState(c.conn, http.StateIdle)
	}
	skipped := c.skipLineBreaks(0)
	scanned, size, waiting := 0, -1, false
	for {
		if c.n > 0 {
			if size < 0 {
				at := bytes.Index(c.buf[scanned:c.n], emptyLine)
				if at >= 0 {
					end := scanned + at + len(emptyLine)
					if !c.head.read(string(c.buf[:end])) || end+c.head.length > largeBuffer {
						return false, nil
					}
					size, scanned = end+c.head.length, end
				} else {
					scanned = max(c.n-len(emptyLine)+1, 0)
				}
			}
			if size >= 0 && c.n >= size {
				c.end = size
				c.body.data = c.buf[scanned:size]
				return true, nil
			}
			if c.n == len(c.buf) && !c.grow() {
				return false, nil
			}
		}
		if !waiting {
			c.arm(c.n > 0)
			waiting = c.n > 0
		}
		first := c.n == 0
		n, err := c.conn.Read(c.buf[c.n:])
		if n > 0 && first {
			c.server.listener.setState(c.conn, http.StateActive)
		}
		c.n += n
		if first {
			skipped = c.skipLineBreaks(skipped)
		}
		if err != nil {
			if c.n > 0 && (!c.served || skipped+c.n > 3 || errors.Is(err, os.ErrDeadlineExceeded)) {
				return false, nil // half a request
			}
			return false, err // net/http too takes up to 3 bytes behind an answer for nothing
		}
	}
}

// skipLineBreaks drops line breaks at the beginning of buf and returns how many were
// dropped, counting those before. As in net/http, there may be up to 4 between a
// POST and the next request.
func (c *fastConn) skipLineBreaks(before int) (dropped int) {
	if !c.served {
		return 0
	}
	n := 0
	for n < c.n && before+n < 4 && (c.buf[n] == '\r' || c.buf[n] == '\n') {
		n++
	}
	if n > 0 {
		c.n = copy(c.buf, c.buf[n:c.n])
	}
	return before + n
}

var emptyLine = []byte("\r\n\r\n")

// arm sets the deadline for what is read next: the rest of a request, or the
// first byte of one.
func (c *fastConn) arm(part bool) {
	now := time.Now()
	switch {
	case part:
		c.armed = time.Time{}
		_ = c.conn.SetReadDeadline(now.Add(restTimeout))
	case !c.served:
		_ = c.conn.SetReadDeadline(now.Add(c.server.config.HeadTimeout))
	case now.Sub(c.armed) >= rearmAfter:
		c.armed = now
		_ = c.conn.SetReadDeadline(now.Add(c.server.config.IdleTimeout))
	}
	if c.server.closing.Load() { // it may have set its deadline just before
		_ = c.conn.SetReadDeadline(past)
	}
}

// grow makes room for a longer request; false when there is none.
func (c *fastConn) grow() bool {
	if len(c.buf) > smallBuffer || !c.server.config.Reserve(largeBuffer) {
		return false
	}
	c.reserved = largeBuffer
	buf := make([]byte, largeBuffer)
	copy(buf, c.buf[:c.n])
	c.buf = buf
	return true
}

// shrink gives the memory for a longer request back.
func (c *fastConn) shrink() {
	if c.reserved > 0 && c.n <= smallBuffer {
		c.server.config.Release(c.reserved)
		c.reserved = 0
		buf := make([]byte, smallBuffer)
		copy(buf, c.buf[:c.n])
		c.buf = buf
	}
}

// answer lets the handler answer the request in buf; false when the connection ends.
func (c *fastConn) answer() (goOn bool) {
	defer func() {
		if recover() != nil { // as in net/http, the client sees no answer
			goOn = false
		}
	}()
	c.served = true
	if now := time.Now(); now.Sub(c.began) >= rearmAfter {
		c.began = now
		_ = c.conn.SetWriteDeadline(now.Add(c.server.config.WriteTimeout))
	}
	c.req = http.Request{
		Method: http.MethodPost, URL: c.head.url, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: c.head.header, Host: c.head.host, RequestURI: c.head.target, RemoteAddr: c.peer,
		ContentLength: int64(c.head.length), Body: &c.body,
	}
	c.res.start()
	c.server.config.Handler.ServeHTTP(&c.res, &c.req)
	return c.res.send(c.conn)
}

// bufferedBody is a body that was read before the request is answered.
type bufferedBody struct{ data []byte }

func (b *bufferedBody) Read(p []byte) (int, error) {
	if len(b.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.data)
	b.data = b.data[n:]
	return n, nil
}

func (*bufferedBody) Close() error { return nil }
