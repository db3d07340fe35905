package httpserve_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"weir/dataplane/httpserve"
)

// door is a server whose connections are counted, and its clients.
type door struct {
	t       *testing.T
	address string
	begun   chan struct{} // one for each request whose handler began
	refused atomic.Int64
}

func newDoor(t *testing.T, edit func(*httpserve.Config)) *door {
	d := &door{t: t, begun: make(chan struct{}, 100)}
	d.address, _ = open(t, func(w http.ResponseWriter, r *http.Request) { d.begun <- struct{}{}; length(w, r) }, func(c *httpserve.Config) {
		c.Refused = func() { d.refused.Add(1) }
		edit(c)
	})
	return d
}

// dial connects from one of this machine's addresses.
func (d *door) dial(from string) net.Conn {
	d.t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.DialContext(d.t.Context(), "tcp", d.address)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	return conn
}

// busy is a connection with half a request.
func (d *door) busy(from string) net.Conn {
	d.t.Helper()
	conn := d.dial(from)
	whole := post(10)
	if _, err := io.WriteString(conn, whole[:len(whole)-5]); err != nil {
		d.t.Fatal(err)
	}
	<-d.begun
	return conn
}

// answered reports whether conn gets 200 for text.
func (d *door) answered(conn net.Conn, text string) bool {
	if _, err := io.WriteString(conn, text); err != nil {
		return false
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	return err == nil && res.StatusCode == http.StatusOK
}

// eventually waits until a new connection from an address is served.
func (d *door) eventually(from string) net.Conn {
	d.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if conn := d.dial(from); d.answered(conn, post(1)) {
			return conn
		}
	}
	d.t.Fatal("no new connection is served")
	return nil
}

func TestWhileAllAreBusyANewConnectionIsClosedAtOnce(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, standard bool) {
		d := newDoor(t, func(c *httpserve.Config) { c.Standard, c.MaxConnections = standard, 2 })
		first, second := d.busy("127.0.0.1"), d.busy("127.0.0.1")
		if d.answered(d.dial("127.0.0.1"), post(1)) || d.refused.Load() != 1 {
			t.Errorf("a third is served, or %d are said to be refused; want it refused", d.refused.Load())
		}
		if !d.answered(first, "xxxxx") || !d.answered(second, "xxxxx") {
			t.Error("the first two are not answered")
		}
		d.eventually("127.0.0.1")
	})
}

func TestIdleConnectionsMakeRoomThoseOfTheCrowdFirst(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, standard bool) {
		d := newDoor(t, func(c *httpserve.Config) { c.Standard, c.MaxConnections = standard, 4 })
		busy, lonely := d.busy("127.0.0.2"), d.eventually("127.0.0.3")
		crowd := []net.Conn{d.eventually("127.0.0.2"), d.eventually("127.0.0.2")}
		d.eventually("127.0.0.4")
		closed := 0
		for _, conn := range crowd {
			if !d.answered(conn, post(1)) {
				closed++
			}
		}
		if closed != 1 || !d.answered(lonely, post(1)) || !d.answered(busy, "xxxxx") {
			t.Errorf("%d of the crowd's two idle connections were closed, want one and no other", closed)
		}
	})
}

func TestAnAddressHasItsShareOfConnections(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, standard bool) {
		d := newDoor(t, func(c *httpserve.Config) {
			c.Standard, c.MaxConnections, c.MaxPerAddress = standard, 100, 2
			c.Exempt = func(a netip.Addr) bool { return a == netip.MustParseAddr("127.0.0.9") }
		})
		for range 2 {
			d.eventually("127.0.0.2")
		}
		if d.answered(d.dial("127.0.0.2"), post(1)) || d.refused.Load() != 1 {
			t.Errorf("a third connection of an address is served, or %d are said to be refused; want it refused", d.refused.Load())
		}
		for range 3 {
			if !d.answered(d.dial("127.0.0.9"), post(1)) {
				t.Error("a connection of an exempt address is refused")
			}
		}
		if !d.answered(d.dial("127.0.0.3"), post(1)) {
			t.Error("a connection of another address is refused")
		}
	})
}

func TestANetworkOfIPv6IsOneAddress(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "2001:db8::1": "2001:db8::", "2001:db8::ffff:0:0:9": "2001:db8::", "2001:db8:0:1::9": "2001:db8:0:1::",
	} {
		if got := httpserve.Subscriber(netip.MustParseAddr(addr)); got != netip.MustParseAddr(want) {
			t.Errorf("Subscriber(%s) = %s, want %s", addr, got, want)
		}
	}
}
