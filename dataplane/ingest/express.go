package ingest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Sizes and times of a plain connection.
const (
	plainBytes  = 4 << 10         // of a request that is read without more memory
	expressMost = 16 << 10        // of a request that is answered here at all
	partTimeout = time.Second     // for the rest of a request that came in parts
	rearm       = 2 * time.Second // how exact the long deadlines of a connection are
)

// express answers the requests that nearly all are, whole and small plain POSTs,
// without the goroutines and buffers that net/http needs for every other kind.
// A connection that sends anything else, or in little pieces, belongs to net/http
// from then on, together with the bytes that were read of it.
type express struct {
	g        *Gateway
	door     *doorway
	handOver func(net.Conn) // to net/http
	closing  atomic.Bool
	group    sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]struct{}
}

// accept serves the connections of the door until that closes, and returns its error.
func (x *express) accept() error {
	var pause time.Duration
	for {
		conn, err := x.door.Accept()
		if err != nil {
			var again interface{ Temporary() bool } // as net/http: out of descriptors, for a while
			if errors.As(err, &again) && again.Temporary() {
				pause = min(max(2*pause, 5*time.Millisecond), time.Second)
				<-time.After(pause)
				continue
			}
			return err
		}
		pause = 0
		x.door.state(conn, http.StateNew)
		x.mu.Lock()
		if x.closing.Load() {
			x.mu.Unlock()
			x.leave(conn)
			continue
		}
		x.open[conn] = struct{}{}
		x.group.Add(1)
		x.mu.Unlock()
		go x.serve(conn)
	}
}

// shutdown closes the connections that wait, lets the others answer, and cuts
// them when ctx ends first.
func (x *express) shutdown(ctx context.Context) error {
	x.closing.Store(true)
	each := func(f func(net.Conn)) {
		x.mu.Lock()
		defer x.mu.Unlock()
		for conn := range x.open {
			f(conn)
		}
	}
	each(func(c net.Conn) { _ = c.SetReadDeadline(time.Unix(1, 0)) })
	done := make(chan struct{})
	go func() { x.group.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		each(func(c net.Conn) { _ = c.Close() })
		<-done
		return ctx.Err()
	}
}

func (x *express) leave(conn net.Conn) {
	_ = conn.Close()
	x.door.state(conn, http.StateClosed)
}

// serve answers the requests of one connection.
func (x *express) serve(conn net.Conn) {
	l := &line{x: x, conn: conn, peer: conn.RemoteAddr().String(), buf: make([]byte, plainBytes)}
	keep := true
	defer func() {
		x.g.unread.give(l.held)
		if keep { // net/http has it otherwise
			x.leave(conn)
		}
		x.mu.Lock()
		delete(x.open, conn)
		x.mu.Unlock()
		x.group.Done()
	}()
	for {
		ok, err := l.next()
		if err != nil {
			return
		}
		if !ok {
			if x.closing.Load() {
				return
			}
			keep = false
			_ = conn.SetDeadline(time.Time{})
			x.handOver(l.rest())
			return
		}
		if !l.answer() {
			return
		}
	}
}

// line is the state of one plain connection.
type line struct {
	x      *express
	conn   net.Conn
	peer   string
	buf    []byte
	n      int       // bytes of buf that hold what came
	end    int       // where the request under way ends in buf
	armed  time.Time // when the deadline for the next request was set
	began  time.Time // when that for answers was set
	held   int64     // of the gateway's memory, for a longer buf
	head   head
	body   whole
	req    http.Request
	reply  reply
	served bool // something was answered
}

// next reads until buf begins with a whole plain request. Not ok: what came is
// for net/http. An error: there is nothing to be answered.
func (l *line) next() (ok bool, err error) {
	l.n = copy(l.buf, l.buf[l.end:l.n]) // what came behind the last request
	l.end = 0
	l.shrink()
	scanned, size, waiting := 0, -1, false
	if l.n == 0 && l.served { // else its first request may be on its way
		l.x.door.state(l.conn, http.StateIdle)
	}
	for {
		if l.n > 0 {
			if size < 0 {
				at := bytes.Index(l.buf[scanned:l.n], crlf2)
				if at >= 0 {
					end := scanned + at + len(crlf2)
					if !l.head.read(string(l.buf[:end])) || end+l.head.length > expressMost {
						return false, nil
					}
					size, scanned = end+l.head.length, end
				} else {
					scanned = max(l.n-len(crlf2)+1, 0)
				}
			}
			if size >= 0 && l.n >= size {
				l.end = size
				l.body.data = l.buf[scanned:size]
				return true, nil
			}
			if !l.grow(size) {
				return false, nil
			}
		}
		if !waiting {
			l.arm(l.n > 0)
			waiting = l.n > 0
		}
		n, err := l.conn.Read(l.buf[l.n:])
		if n > 0 && l.n == 0 {
			l.x.door.state(l.conn, http.StateActive)
		}
		l.n += n
		if err != nil {
			// Half a request may still become one, if net/http has patience with it.
			var late net.Error
			if l.n > 0 && errors.As(err, &late) && late.Timeout() {
				return false, nil
			}
			return false, err
		}
	}
}

var crlf2 = []byte("\r\n\r\n")

// arm sets the deadline for what is read next: the rest of a request, or the
// first byte of one.
func (l *line) arm(part bool) {
	now := time.Now()
	switch {
	case part:
		l.armed = time.Time{}
		_ = l.conn.SetReadDeadline(now.Add(partTimeout))
	case !l.served:
		_ = l.conn.SetReadDeadline(now.Add(headTimeout))
	case now.Sub(l.armed) >= rearm:
		l.armed = now
		_ = l.conn.SetReadDeadline(now.Add(idleTimeout))
	}
	if l.x.closing.Load() { // it may have set its deadline just before
		_ = l.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// grow makes room for a request of size bytes, -1 for one whose head is not
// read to its end; false when there is none.
func (l *line) grow(size int) bool {
	if size < 0 && l.n < len(l.buf) || size >= 0 && size <= len(l.buf) {
		return true
	}
	if len(l.buf) > plainBytes || !l.x.g.unread.take(expressMost) {
		return false
	}
	l.held = expressMost
	buf := make([]byte, expressMost)
	copy(buf, l.buf[:l.n])
	l.buf = buf
	return true
}

// shrink gives the memory for a longer request back.
func (l *line) shrink() {
	if l.held > 0 && l.n <= plainBytes {
		l.x.g.unread.give(l.held)
		l.held = 0
		buf := make([]byte, plainBytes)
		copy(buf, l.buf[:l.n])
		l.buf = buf
	}
}

// rest is the connection with the bytes that were read of it.
func (l *line) rest() net.Conn {
	return &again{Conn: l.conn, head: l.buf[:l.n]}
}

// again is a connection of which something was read before.
type again struct {
	net.Conn
	head []byte
}

func (c *again) Read(b []byte) (int, error) {
	if len(c.head) > 0 {
		n := copy(b, c.head)
		if c.head = c.head[n:]; len(c.head) == 0 {
			c.head = nil
		}
		return n, nil
	}
	return c.Conn.Read(b)
}

func (c *again) working() *atomic.Bool {
	return c.Conn.(interface{ working() *atomic.Bool }).working()
}

// answer lets the gateway answer the request in buf; false when the connection ends.
func (l *line) answer() (goOn bool) {
	defer func() {
		if recover() != nil { // http.ErrAbortHandler: the client shall see no answer
			goOn = false
		}
	}()
	l.served = true
	if now := time.Now(); now.Sub(l.began) >= rearm {
		l.began = now
		_ = l.conn.SetWriteDeadline(now.Add(writeTimeout))
	}
	l.req = http.Request{
		Method: http.MethodPost, URL: l.head.url, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: l.head.header, Host: l.head.host, RequestURI: l.head.target, RemoteAddr: l.peer,
		ContentLength: int64(l.head.length), Body: &l.body,
	}
	l.reply.start()
	l.x.g.ServeHTTP(&l.reply, &l.req)
	return l.reply.send(l.conn)
}

// whole is a body that is read already.
type whole struct{ data []byte }

func (w *whole) Read(b []byte) (int, error) {
	if len(w.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b, w.data)
	w.data = w.data[n:]
	return n, nil
}

func (*whole) Close() error { return nil }

// reply is an http.ResponseWriter that sends an answer in one piece.
type reply struct {
	header http.Header
	status int
	body   []byte
	out    []byte
	second int64  // of date
	date   []byte // the header line
}

func (r *reply) start() {
	if r.header == nil {
		r.header = make(http.Header, 8)
	}
	clear(r.header)
	r.status, r.body = 0, r.body[:0]
}

func (r *reply) Header() http.Header { return r.header }

func (r *reply) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *reply) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	r.body = append(r.body, b...)
	return len(b), nil
}

// SetReadDeadline is for http.ResponseController: the body is here already.
func (*reply) SetReadDeadline(time.Time) error { return nil }

// send writes the answer; false: the connection ends.
func (r *reply) send(conn net.Conn) bool {
	r.WriteHeader(http.StatusOK)
	out := append(r.out[:0], "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(r.status), 10)
	out = append(append(append(out, ' '), http.StatusText(r.status)...), "\r\n"...)
	for name, values := range r.header {
		for _, value := range values {
			out = append(append(append(out, name...), ": "...), oneLine(value)...)
			out = append(out, "\r\n"...)
		}
	}
	if now := time.Now(); now.Unix() != r.second {
		r.second = now.Unix()
		r.date = append(now.UTC().AppendFormat(append(r.date[:0], "Date: "...), http.TimeFormat), "\r\n"...)
	}
	out = append(append(out, r.date...), "Content-Length: "...)
	out = strconv.AppendInt(out, int64(len(r.body)), 10)
	out = append(append(out, "\r\n\r\n"...), r.body...)
	closes := len(r.header["Connection"]) > 0 // the gateway sets it to close, and to nothing else
	_, err := conn.Write(out)
	if r.out = out; cap(out) > plainBytes { // a list of many rejected members
		r.out, r.body = nil, nil
	}
	return err == nil && !closes
}

// oneLine returns s without line breaks, as net/http writes values.
func oneLine(s string) string {
	for i := range len(s) {
		if s[i] == '\r' || s[i] == '\n' {
			return string(bytes.Map(func(c rune) rune {
				if c == '\r' || c == '\n' {
					return ' '
				}
				return c
			}, []byte(s)))
		}
	}
	return s
}
