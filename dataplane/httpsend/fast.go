package httpsend

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/http/httpguts"
)

// fastClient sends requests on the fast path. The goroutine that calls it writes
// the request and reads the answer itself; http.Transport has two more for each
// connection, and handing over to them costs as much as the rest.
type fastClient struct {
	dial  func(ctx context.Context, network, addr string) (net.Conn, error)
	quiet func(*fastConn) bool // isQuiet; a test with connections in memory has its own

	mu    sync.Mutex
	idle  map[string][]*fastConn // by host:port; the one used last is at the end
	count int                    // of idle
	sweep *time.Timer            // runs while there are idle ones
}

// takes reports whether r is a request of the fast path.
func (*fastClient) takes(r *http.Request) bool {
	if r.URL.Scheme != "http" || r.ContentLength < 0 || r.ContentLength > maxFastBody || r.URL.Opaque != "" || r.URL.User != nil {
		return false
	}
	if !isHost(r.URL.Host) || !isHost(r.Host) || !httpguts.ValidHeaderFieldName(r.Method) || r.Method == http.MethodConnect {
		return false
	}
	if agent := r.Header["User-Agent"]; len(agent) != 1 || agent[0] == "" {
		return false // net/http sends one of its own, or the first
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
func (f *fastClient) roundTrip(r *http.Request) (*http.Response, error) {
	addr := r.URL.Host
	if r.URL.Port() == "" {
		addr = net.JoinHostPort(r.URL.Hostname(), "80")
	}
	c := f.take(addr)
	reused := c != nil
	if !reused {
		var err error
		if c, err = f.open(r.Context(), addr); err != nil {
			return nil, err
		}
	}
	if err := c.compose(r); err != nil {
		c.close()
		return nil, err
	}
	res, err := c.exchange(r)
	if err == nil || !reused || c.answered || r.Context().Err() != nil || isTimeout(err) {
		return res, err
	}
	fresh, err := f.open(r.Context(), addr)
	if err != nil {
		return nil, err
	}
	fresh.out = c.out
	return fresh.exchange(r)
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

func (f *fastClient) open(ctx context.Context, addr string) (*fastConn, error) {
	conn, err := f.dial(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &fastConn{client: f, addr: addr, conn: conn}
	c.in = bufio.NewReaderSize(c, 4<<10)
	if raw, ok := conn.(syscall.Conn); ok {
		c.raw, _ = raw.SyscallConn()
	}
	return c, nil
}

// take returns a kept connection to addr that is still good, nil when there is none.
func (f *fastClient) take(addr string) *fastConn {
	for {
		f.mu.Lock()
		all := f.idle[addr]
		if len(all) == 0 {
			f.mu.Unlock()
			return nil
		}
		c := all[len(all)-1]
		all[len(all)-1] = nil
		f.idle[addr] = all[:len(all)-1]
		f.count--
		f.mu.Unlock()
		if f.quiet(c) {
			return c
		}
		c.close()
	}
}

// keep takes c back after an answer was read to its end.
func (f *fastClient) keep(c *fastConn) {
	if cap(c.out) > 16<<10 {
		c.out = nil
	}
	c.since = time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == maxIdle || len(f.idle[c.addr]) == maxIdlePerHost {
		c.close()
		return
	}
	f.idle[c.addr] = append(f.idle[c.addr], c)
	if f.count++; f.sweep == nil {
		f.sweep = time.AfterFunc(idleFor/2, func() { f.closeIdle(time.Now().Add(-idleFor)) })
	}
}

// closeIdle closes the connections that are idle since before then.
func (f *fastClient) closeIdle(then time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for addr, all := range f.idle {
		n := 0
		for n < len(all) && all[n].since.Before(then) { // those used last are at the end
			all[n].close()
			n++
		}
		f.count -= n
		if kept := append([]*fastConn(nil), all[n:]...); len(kept) > 0 {
			f.idle[addr] = kept
		} else {
			delete(f.idle, addr)
		}
	}
	if f.sweep != nil {
		f.sweep.Stop()
		f.sweep = nil
	}
	if f.count > 0 {
		f.sweep = time.AfterFunc(idleFor/2, func() { f.closeIdle(time.Now().Add(-idleFor)) })
	}
}

// isQuiet reports that the other side of an idle connection neither closed it nor
// sent something, which would be taken for the next answer. A connection that the
// system cannot be asked about is not quiet.
func isQuiet(c *fastConn) bool {
	if c.raw == nil {
		return false
	}
	var b [1]byte
	open := false
	err := c.raw.Read(func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		open = err == syscall.EAGAIN
		return true
	})
	return err == nil && open
}
