package httpserve_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/httpserve"
)

// scripted is a connection whose client sends given bytes, at most step at once,
// and then no more. What the server writes is kept.
type scripted struct {
	mu      sync.Mutex
	in      []byte
	step    int
	out     bytes.Buffer
	closing sync.Once
	closed  chan struct{}
}

func (c *scripted) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.in) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), c.step)], c.in)
	c.in = c.in[n:]
	return n, nil
}

func (c *scripted) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(b)
}

func (c *scripted) Close() error                     { c.closing.Do(func() { close(c.closed) }); return nil }
func (*scripted) LocalAddr() net.Addr                { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (*scripted) RemoteAddr() net.Addr               { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2} }
func (*scripted) SetDeadline(time.Time) error        { return nil }
func (*scripted) SetReadDeadline(t time.Time) error  { return nil }
func (*scripted) SetWriteDeadline(t time.Time) error { return nil }

// pipes is a listener in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn, 1), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// verdict is what a server made of the bytes of one connection.
type verdict struct {
	Requests []string // as the handler saw them
	Answers  []string
}

// judge serves one connection that brings data. The handler reads bodies, except
// under /unread, panics under /panic, and ends the connection under /close.
//
// Time passes at once: net/http waits before it closes a connection with an error.
func judge(t *testing.T, standard bool, data []byte, step int) (v verdict) {
	var mu sync.Mutex
	handler := func(w http.ResponseWriter, r *http.Request) {
		var body []byte
		var err error
		if !strings.HasPrefix(r.URL.Path, "/unread") {
			body, err = io.ReadAll(r.Body)
		}
		mu.Lock()
		v.Requests = append(v.Requests, fmt.Sprintf("%s %q %#v %d.%d, host %q, %q, length %d, coding %q, trailer %q, close %v, from %s, body %q, broken %v",
			r.Method, r.RequestURI, *r.URL, r.ProtoMajor, r.ProtoMinor, r.Host, r.Header, r.ContentLength, r.TransferEncoding, r.Trailer, r.Close, r.RemoteAddr, body, err != nil))
		mu.Unlock()
		switch {
		case strings.HasPrefix(r.URL.Path, "/panic"):
			panic(http.ErrAbortHandler)
		case strings.HasPrefix(r.URL.Path, "/close"):
			w.Header().Set("Connection", "close")
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Add("X-Two", "a\r\nb")
		w.Header().Add("X-Two", r.URL.RawQuery)
		w.WriteHeader(http.StatusAccepted)
		_, _ = fmt.Fprint(w, len(body))
	}
	synctest.Test(t, func(t *testing.T) {
		ln := newPipes()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		c := config(http.HandlerFunc(handler))
		c.Standard = standard
		go func() { ended <- httpserve.Serve(ctx, ln, c) }()
		conn := &scripted{in: data, step: step, closed: make(chan struct{})}
		ln.conns <- conn
		<-conn.closed
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		v.Answers = answers(conn.out.Bytes())
	})
	return v
}

// answers cuts what a server wrote into its answers.
func answers(out []byte) (all []string) {
	for in := bufio.NewReader(bytes.NewReader(out)); ; {
		res, err := http.ReadResponse(in, nil)
		if errors.Is(err, io.ErrUnexpectedEOF) && in.Buffered() == 0 {
			return all
		}
		if err != nil {
			return append(all, "broken: "+err.Error())
		}
		body, err := io.ReadAll(res.Body)
		res.Header.Del("Date")
		all = append(all, fmt.Sprintf("%s, %q, close %v, length %d, body %q, broken %v", res.Status, res.Header, res.Close, res.ContentLength, body, err != nil))
	}
}

// FuzzServe holds the fast path to net/http: of the same bytes on a connection,
// both make the same requests and answers. A request that is well formed follows
// the bytes, so that the end of what is before it is seen as well. There are no
// exceptions.
func FuzzServe(f *testing.F) {
	sized := func(head, body string) string {
		return head + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	}
	plain := sized(trackHead, "hello")
	for _, data := range []string{
		plain, plain + plain, plain[:20], plain[:len(plain)-3], sized(trackHead, ""), sized(trackHead, strings.Repeat("x", 5000)), sized(trackHead, strings.Repeat("x", 20000)),
		sized("POST /v1/track/?writeKey=a%20b&x HTTP/1.1\r\nhost: [::1]:80\r\nConnection: Keep-Alive\r\nX-A: 1\r\nx-a:\t2 \r\nx-a: 3\r\n", "{}"),
		sized("POST /close HTTP/1.1\r\nHost: x\r\n", "x"), sized("POST /panic HTTP/1.1\r\nHost: x\r\n", "x"), sized("POST /unread HTTP/1.1\r\nHost: x\r\n", "x"),
		sized(trackHead+"Connection: close\r\n", "x"), sized(trackHead+"Connection: keep-alive, close\r\n", "x"), sized(trackHead+"Connection: close\r\nConnection: keep-alive\r\n", "x"),
		sized(trackHead+"Expect: 100-continue\r\n", "x"), sized(trackHead+"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n", "x"),
		trackHead + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n", trackHead + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
		trackHead + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", trackHead + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", trackHead + "Transfer-Encoding:\vchunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
		trackHead + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", trackHead + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", trackHead + "Content-Length: 1, 1\r\n\r\nx",
		trackHead + "Content-Length: +1\r\n\r\nx", trackHead + "Content-Length: 0x1\r\n\r\nx", trackHead + "Content-Length: -1\r\n\r\nx", trackHead + "Content-Length: 01\r\n\r\nx", trackHead + "Content-Length: 99999999999999999999\r\n\r\nx",
		trackHead + "Content-Length : 1\r\n\r\nx", trackHead + " Content-Length: 1\r\n\r\nx", trackHead + "Content-Length: 1\r\nX: a\r\n b\r\n\r\nx", trackHead + "Content-Length: 1\nX: y\r\n\r\nx", trackHead + "Content-Length: 1\n\nx",
		trackHead + "Content-Length: 1\rX: y\r\n\r\nx", trackHead + "Content-Length: 1\r\nX: \x00\r\n\r\nx", trackHead + "Content-Length: 1\r\nX: \xff\r\n\r\nx", trackHead + "Content-Length: 1\r\nX_Y: 1\r\n: 1\r\n\r\nx", trackHead + "Content-Length: 1\r\nno colon\r\n\r\nx",
		sized("POST /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n", "x"), sized("POST /a HTTP/1.1\r\nHost: a b\r\n", "x"), sized("POST /a HTTP/1.1\r\nHost:\r\n", "x"), sized("POST /a HTTP/1.1\r\n", "x"),
		sized("POST http://y/ HTTP/1.1\r\nHost: x\r\n", "x"), sized("POST //a/%2f/../b HTTP/1.1\r\nHost: x\r\n", "x"), sized("POST /%zz HTTP/1.1\r\nHost: x\r\n", "x"), sized("POST /a#b HTTP/1.1\r\nHost: x\r\n", "x"), sized("POST * HTTP/1.1\r\nHost: x\r\n", "x"),
		sized("POST  /a HTTP/1.1\r\nHost: x\r\n", "x"), sized("post /a HTTP/1.1\r\nHost: x\r\n", "x"), sized("POST /a HTTP/1.0\r\nHost: x\r\n", "x"), sized("POST /a HTTP/1.10\r\nHost: x\r\n", "x"), sized("POST /a HTTP/3.7\r\nHost: x\r\n", "x"), sized("POST /a\r\nHost: x\r\n", "x"),
		"\r\n" + plain, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n", sized("PUT /a HTTP/1.1\r\nHost: x\r\n", "x"), "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
		sized(trackHead+"Pragma: no-cache\r\n", "x"), sized(trackHead+"Trailer: X\r\n", "x"), sized(trackHead, "x") + "\r\n", sized(trackHead, "x") + "yy", sized(trackHead, "x") + "\r\n\r\n\r\n", sized(trackHead+"Te: trailers\r\n", "x"), sized(trackHead+strings.Repeat("X: y\r\n", 60), "x"),
	} {
		f.Add([]byte(data), uint16(0), true)
		f.Add([]byte(data), uint16(7), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, step uint16, more bool) {
		if len(data) > 32<<10 || bytes.HasPrefix(data, []byte("PRI * HTTP/2.0")) {
			return // the frames of HTTP/2 are net/http's on both ways
		}
		if data = bytes.Clone(data); more {
			data = append(data, plain...)
		}
		most := int(step)
		if most == 0 {
			most = len(data) + 1
		}
		want, got := judge(t, true, data, most), judge(t, false, data, most)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q in pieces of %d: -net/http +fast path:\n%s", data, most, d)
		}
	})
}
