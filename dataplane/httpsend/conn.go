package httpsend

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
	"syscall"
	"time"
)

// fastConn is a connection of the fast path. It is used by one request at a time.
type fastConn struct {
	client   *fastClient
	addr     string
	conn     net.Conn
	raw      syscall.RawConn // nil for a connection that is not the system's
	in       *bufio.Reader
	out      []byte    // the request
	since    time.Time // idle since
	left     int       // bytes that the head of an answer may still have, -1: no head is read
	answered bool      // something came back for the request under way
	ends     context.Context
	unwatch  func() bool // from the end of ends
}

// Read reads from the connection, within the bound of a head.
func (c *fastConn) Read(b []byte) (int, error) {
	if c.left == 0 {
		return 0, errors.New("the head of the answer is longer than 64 KiB")
	}
	if c.left > 0 && len(b) > c.left {
		b = b[:c.left]
	}
	n, err := c.conn.Read(b)
	c.answered = c.answered || n > 0
	if c.left > 0 {
		c.left -= n
	}
	return n, err
}

// compose writes r into out: the head and the body.
func (c *fastConn) compose(r *http.Request) error {
	out := append(append(c.out[:0], r.Method...), ' ')
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
	c.out = out
	if size == 0 {
		return nil
	}
	_, err := io.ReadFull(r.Body, out[head:])
	return errors.Join(err, r.Body.Close())
}

// exchange sends out and reads the head of the answer. The answer's body holds
// the connection until it is closed.
func (c *fastConn) exchange(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	deadline, _ := ctx.Deadline() // zero: none
	if err := c.conn.SetDeadline(deadline); err != nil {
		c.close()
		return nil, err
	}
	if t, ok := ctx.(*timed); ok { // the deadline is the connection's
		ctx = t.Context
	}
	c.answered = false
	if !c.endsWith(ctx) {
		c.close()
		return nil, context.Canceled
	}
	if _, err := c.conn.Write(c.out); err != nil {
		// An answer may have come before the whole request was taken; a server that closes
		// without reading refuses the request.
		c.close()
		return nil, err
	}
	c.left = maxHead
	if res := c.whole(r); res != nil {
		return res, nil
	}
	for {
		res, err := http.ReadResponse(c.in, r)
		if err != nil {
			c.close()
			return nil, err
		}
		if res.StatusCode < 100 || res.StatusCode >= 200 { // else an interim answer, which counts as part of the head
			c.left = -1
			res.Body = &answerBody{rest: res.Body, conn: c, keep: !res.Close && res.StatusCode >= 200}
			return res, nil
		}
		if res.StatusCode == http.StatusSwitchingProtocols {
			c.close()
			return nil, errors.New("the server switched to another protocol")
		}
	}
}

// whole returns the answer if all of it came at once, else nil.
func (c *fastConn) whole(r *http.Request) *http.Response {
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := c.in.Peek(1); err != nil {
		return nil // the next read returns the error again
	}
	there, _ := c.in.Peek(c.in.Buffered())
	res, body, rest := wholeAnswer(there)
	if res == nil {
		return nil
	}
	all := bytes.Clone(body)
	_, _ = c.in.Discard(len(there) - len(rest)) // they are in the buffer
	c.left = -1
	res.Request, res.Body = r, &answerBody{all: all, ended: true, conn: c, keep: true}
	return res
}

// endsWith lets the exchange break off when ctx ends; false: it has ended. The
// watch stays for the next request, which mostly has the same context.
func (c *fastConn) endsWith(ctx context.Context) bool {
	if ctx == c.ends {
		return ctx.Err() == nil
	}
	if c.unwatch != nil && !c.unwatch() {
		return false
	}
	c.ends = ctx
	c.unwatch = context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })
	return true
}

func (c *fastConn) close() {
	if c.unwatch != nil {
		c.unwatch()
	}
	_ = c.conn.Close()
}

// answerBody is the body of an answer; at its end the connection is free again.
type answerBody struct {
	all   []byte    // what was read already
	rest  io.Reader // after it, nil: nothing
	conn  *fastConn
	keep  bool // the server keeps the connection
	ended bool // nothing of it is left on the connection
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
	c := b.conn
	if c == nil {
		return nil
	}
	b.conn = nil
	if !b.ended || !b.keep || c.in.Buffered() > 0 || c.ends.Err() != nil {
		c.close()
		return nil
	}
	c.client.keep(c)
	return nil
}
