package outbound

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Sizes and times of plain connections.
const (
	maxIdlePerHost = 256
	maxIdle        = 4096
	idleFor        = time.Minute
	maxHead        = 64 << 10 // of an answer, in bytes
	maxPlainBody   = 64 << 10 // of a request, in bytes
	maxInterim     = 5        // 1xx answers before the one that counts
)

// plain sends small requests over HTTP/1.1 without TLS. The goroutine that sends
// writes the request and reads the answer itself; http.Transport has two more
// for each connection, and handing over to them costs as much as the rest.
type plain struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)

	mu    sync.Mutex
	idle  map[string][]*wire // by host:port, the one used last at the end
	count int                // of idle
	sweep *time.Timer        // runs while there are idle ones
}

// takes reports whether r is one that plain sends.
func (*plain) takes(r *http.Request) bool {
	if r.URL.Scheme != "http" || r.ContentLength < 0 || r.ContentLength > maxPlainBody || r.URL.Opaque != "" || r.URL.User != nil {
		return false
	}
	if !isHost(r.URL.Host) || !isHost(r.Host) || !httpguts.ValidHeaderFieldName(r.Method) || r.Method == http.MethodConnect {
		return false
	}
	for name, values := range r.Header {
		switch http.CanonicalHeaderKey(name) {
		case "Connection", "Content-Length", "Expect", "Host", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
			return false // they change how a connection is read
		}
		if !httpguts.ValidHeaderFieldName(name) {
			return false
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return false
			}
		}
	}
	return true
}

// isHost reports whether s is a name or an address in ASCII, perhaps with a port.
func isHost(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune(".-_:[]", rune(c)) {
			return false
		}
	}
	return s != ""
}

// roundTrip sends r, as http.RoundTripper has it. A kept connection that turns
// out to be closed before a byte of the answer came is replaced once.
func (p *plain) roundTrip(r *http.Request) (*http.Response, error) {
	addr := r.URL.Host
	if r.URL.Port() == "" {
		addr = net.JoinHostPort(r.URL.Hostname(), "80")
	}
	w := p.take(addr)
	reused := w != nil
	if !reused {
		var err error
		if w, err = p.open(r.Context(), addr); err != nil {
			return nil, err
		}
	}
	if err := w.compose(r); err != nil {
		w.close()
		return nil, err
	}
	res, err := w.exchange(r)
	if err == nil || !reused || w.answered || r.Context().Err() != nil || isTimeout(err) {
		return res, err
	}
	fresh, err := p.open(r.Context(), addr)
	if err != nil {
		return nil, err
	}
	fresh.out = w.out
	return fresh.exchange(r)
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

func (p *plain) open(ctx context.Context, addr string) (*wire, error) {
	conn, err := p.dial(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	w := &wire{pool: p, addr: addr, conn: conn}
	w.in = bufio.NewReaderSize(w, 4<<10)
	if raw, ok := conn.(syscall.Conn); ok {
		w.raw, _ = raw.SyscallConn()
	}
	return w, nil
}

// take returns a kept connection to addr that is still good, nil when there is none.
func (p *plain) take(addr string) *wire {
	for {
		p.mu.Lock()
		all := p.idle[addr]
		if len(all) == 0 {
			p.mu.Unlock()
			return nil
		}
		w := all[len(all)-1]
		all[len(all)-1] = nil
		p.idle[addr] = all[:len(all)-1]
		p.count--
		p.mu.Unlock()
		if w.quiet() {
			return w
		}
		w.close()
	}
}

// keep takes w back after an answer was read to its end.
func (p *plain) keep(w *wire) {
	if cap(w.out) > 16<<10 {
		w.out = nil
	}
	w.since = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count == maxIdle || len(p.idle[w.addr]) == maxIdlePerHost {
		w.close()
		return
	}
	p.idle[w.addr] = append(p.idle[w.addr], w)
	if p.count++; p.sweep == nil {
		p.sweep = time.AfterFunc(idleFor/2, func() { p.shut(time.Now().Add(-idleFor)) })
	}
}

// shut closes the connections that are idle since before then.
func (p *plain) shut(then time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for addr, all := range p.idle {
		n := 0
		for n < len(all) && all[n].since.Before(then) { // those used last are at the end
			all[n].close()
			n++
		}
		p.count -= n
		if kept := append([]*wire(nil), all[n:]...); len(kept) > 0 {
			p.idle[addr] = kept
		} else {
			delete(p.idle, addr)
		}
	}
	if p.sweep != nil {
		p.sweep.Stop()
		p.sweep = nil
	}
	if p.count > 0 {
		p.sweep = time.AfterFunc(idleFor/2, func() { p.shut(time.Now().Add(-idleFor)) })
	}
}

// wire is one connection. It is used by one request at a time.
type wire struct {
	pool     *plain
	addr     string
	conn     net.Conn
	raw      syscall.RawConn // nil for one that is not of the system's
	in       *bufio.Reader
	out      []byte    // the request
	since    time.Time // idle since
	left     int       // bytes that the head of an answer may still have, -1: no head is read
	answered bool      // something came back for the request under way
	ends     context.Context
	unhook   func() bool // from the end of ends
}

// Read reads from the connection, within the bound of a head.
func (w *wire) Read(b []byte) (int, error) {
	if w.left == 0 {
		return 0, errors.New("the head of the answer is longer than 64 KiB")
	}
	if w.left > 0 && len(b) > w.left {
		b = b[:w.left]
	}
	n, err := w.conn.Read(b)
	w.answered = w.answered || n > 0
	if w.left > 0 {
		w.left -= n
	}
	return n, err
}

// quiet reports that the other side neither closed an idle connection nor sent
// something that would be taken for the next answer.
func (w *wire) quiet() bool {
	if w.raw == nil {
		return true
	}
	var b [1]byte
	open := false
	err := w.raw.Read(func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		open = err == syscall.EAGAIN
		return true
	})
	return err == nil && open
}

// compose writes r into out: the head and the body.
func (w *wire) compose(r *http.Request) error {
	out := append(append(w.out[:0], r.Method...), ' ')
	out = append(append(out, r.URL.RequestURI()...), " HTTP/1.1\r\nHost: "...)
	out = append(append(out, r.Host...), "\r\n"...)
	for name, values := range r.Header {
		for _, v := range values {
			out = append(append(out, name...), ": "...)
			out = append(append(out, strings.Trim(v, " \t")...), "\r\n"...)
		}
	}
	if r.ContentLength > 0 || r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
		out = append(out, "Content-Length: "...)
		out = append(strconv.AppendInt(out, r.ContentLength, 10), "\r\n"...)
	}
	out = append(out, "\r\n"...)
	head, size := len(out), int(r.ContentLength)
	out = append(out, make([]byte, size)...)
	w.out = out
	if size == 0 {
		return nil
	}
	_, err := io.ReadFull(r.Body, out[head:])
	return errors.Join(err, r.Body.Close())
}

// exchange sends out and reads the head of the answer. The answer's body holds
// the connection until it is closed.
func (w *wire) exchange(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	deadline, _ := ctx.Deadline() // zero: none
	if err := w.conn.SetDeadline(deadline); err != nil {
		w.close()
		return nil, err
	}
	if t, ok := ctx.(*timed); ok { // the deadline is the connection's
		ctx = t.Context
	}
	w.answered = false
	if !w.endsWith(ctx) {
		w.close()
		return nil, context.Canceled
	}
	if _, err := w.conn.Write(w.out); err != nil {
		// An answer may have come before the whole request was taken; who closes
		// without reading has said no.
		w.close()
		return nil, err
	}
	w.left = maxHead
	if res := w.whole(r); res != nil {
		return res, nil
	}
	for range maxInterim {
		res, err := http.ReadResponse(w.in, r)
		if err != nil {
			w.close()
			return nil, err
		}
		if res.StatusCode >= 200 {
			w.left = -1
			res.Body = &answerBody{rest: res.Body, wire: w, keep: !res.Close}
			return res, nil
		}
		if res.StatusCode == http.StatusSwitchingProtocols {
			break
		}
	}
	w.close()
	return nil, errors.New("the server sent interim answers only")
}

// whole is the answer if all of it came at once, else nil.
func (w *wire) whole(r *http.Request) *http.Response {
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := w.in.Peek(1); err != nil {
		return nil // who reads on gets it again
	}
	there, _ := w.in.Peek(w.in.Buffered())
	res, body, rest := wholeAnswer(there)
	if res == nil {
		return nil
	}
	all := bytes.Clone(body)
	_, _ = w.in.Discard(len(there) - len(rest)) // they are in the buffer
	w.left = -1
	res.Request, res.Body = r, &answerBody{all: all, ended: true, wire: w, keep: true}
	return res
}

// endsWith lets the exchange break off when ctx ends; false: it has ended. The
// hook stays from request to request, which mostly have the same.
func (w *wire) endsWith(ctx context.Context) bool {
	if ctx == w.ends {
		return ctx.Err() == nil
	}
	if w.unhook != nil && !w.unhook() {
		return false
	}
	w.ends = ctx
	w.unhook = context.AfterFunc(ctx, func() { _ = w.conn.SetDeadline(time.Unix(1, 0)) })
	return true
}

func (w *wire) close() {
	if w.unhook != nil {
		w.unhook()
	}
	_ = w.conn.Close()
}

// answerBody is the body of an answer; at its end the connection is free again.
type answerBody struct {
	all   []byte    // what was read already
	rest  io.Reader // after it, nil: nothing
	wire  *wire
	keep  bool // the server keeps the connection
	ended bool // nothing of it is on the wire
}

func (b *answerBody) Read(p []byte) (int, error) {
	if b.rest == nil {
		n := copy(p, b.all)
		if b.all = b.all[n:]; n == 0 && len(p) > 0 {
			return 0, io.EOF
		}
		return n, nil
	}
	n, err := b.rest.Read(p)
	b.ended = b.ended || err == io.EOF
	return n, err
}

// Close gives the connection back when the body was read to its end, and closes it otherwise.
func (b *answerBody) Close() error {
	w := b.wire
	if w == nil {
		return nil
	}
	b.wire = nil
	if !b.ended || !b.keep || w.in.Buffered() > 0 || w.ends.Err() != nil {
		w.close()
		return nil
	}
	w.pool.keep(w)
	return nil
}
