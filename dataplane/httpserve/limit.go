package httpserve

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of connections.
const (
	minPerAddress = 256             // of the share of one address, unless all may have fewer
	sharePerPeer  = 8               // one address has a share of one in so many
	silentTime    = 3 * time.Second // after it a connection that sent nothing counts as idle
	sweepPause    = 100 * time.Millisecond
)

// limitListener is a listener that closes connections past a number, instead of
// letting all of them wait. An address may have a share of them only. When all are
// taken, idle connections make room for new ones, those of the address with the
// most connections first.
type limitListener struct {
	net.Listener
	limit      int
	perAddress int
	exempt     func(netip.Addr) bool // addresses without such a share; nil: none
	refused    func()                // called for each connection closed at once; nil: nothing is called
	busy       atomic.Int64          // connections that are new or have a request under way

	mu    sync.Mutex
	open  map[*client]struct{}
	peers map[netip.Addr]int // open connections by address, without those that are exempt
	sweep time.Time          // no idle connection is looked for before
}

func newLimitListener(ln net.Listener, c Config) *limitListener {
	l := &limitListener{
		Listener: ln, limit: cmp.Or(c.MaxConnections, maxConnections), exempt: c.Exempt, refused: c.Refused,
		open: map[*client]struct{}{}, peers: map[netip.Addr]int{},
	}
	l.perAddress = cmp.Or(c.MaxPerAddress, max(l.limit/sharePerPeer, minPerAddress))
	return l
}

// The states of a connection; from stateNew on it is busy.
const (
	stateAccepted = iota
	stateIdle     // waits for the next request
	stateNew      // has sent nothing
	stateActive   // a request is under way
)

// setState is http.Server.ConnState.
func (l *limitListener) setState(conn net.Conn, s http.ConnState) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	c, ok := conn.(interface{ known() *client })
	if !ok {
		return
	}
	to := int32(stateIdle)
	switch s {
	case http.StateNew:
		to = stateNew
	case http.StateActive:
		to = stateActive
	case http.StateIdle, http.StateHijacked, http.StateClosed:
	}
	switch was := c.known().state.Swap(to); {
	case was < stateNew && to >= stateNew:
		l.busy.Add(1)
	case was >= stateNew && to < stateNew:
		l.busy.Add(-1)
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

// client is a connection of a client, with what the listener knows of it.
type client struct {
	net.Conn
	listener *limitListener
	peer     netip.Addr // invalid: its address has no share
	begun    time.Time
	state    atomic.Int32
	evicted  atomic.Bool // it ends when it has nothing to read
}

func (c *client) known() *client { return c }

func (c *client) Close() error {
	c.listener.mu.Lock()
	c.listener.forget(c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite is what net/http does with a connection of TCP before it closes it, so
// that its last answer is read.
func (c *client) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func (c *client) Write(b []byte) (int, error) { return writeAnswer(c.Conn, b) }

func (c *client) SetDeadline(t time.Time) error {
	if err := c.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.SetReadDeadline(t)
}

func (c *client) SetReadDeadline(t time.Time) error {
	err := c.Conn.SetReadDeadline(t)
	if c.evicted.Load() {
		return c.Conn.SetReadDeadline(past)
	}
	return err
}

// evict lets c end once it has nothing to read.
func (c *client) evict() {
	c.evicted.Store(true)
	_ = c.Conn.SetReadDeadline(past)
}

// idle reports whether nobody waits for an answer on this connection.
func (c *client) idle(now time.Time) bool {
	switch c.state.Load() {
	case stateIdle:
		return true
	case stateNew:
		return now.Sub(c.begun) >= silentTime
	}
	return false
}

// forget makes room for another connection in the place of c. The caller holds the
// lock.
func (l *limitListener) forget(c *client) {
	if _, there := l.open[c]; !there {
		return
	}
	delete(l.open, c)
	if !c.peer.IsValid() {
		return
	}
	if l.peers[c.peer]--; l.peers[c.peer] == 0 {
		delete(l.peers, c.peer)
	}
}

// enter reports whether there is room for c, which it takes.
func (l *limitListener) enter(c *client) bool {
	if l.exempt != nil && c.peer.IsValid() && l.exempt(c.peer) {
		c.peer = netip.Addr{}
	}
	c.peer = subscriber(c.peer)
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.peer.IsValid() && l.peers[c.peer] >= l.perAddress {
		return false
	}
	if len(l.open) >= l.limit && !l.closeIdle(c.begun) {
		return false
	}
	l.open[c] = struct{}{}
	if c.peer.IsValid() {
		l.peers[c.peer]++
	}
	return true
}

// closeIdle closes idle connections of the address that has the most, up to a part
// of the limit, and reports whether there was one. The caller holds the lock.
func (l *limitListener) closeIdle(now time.Time) bool {
	if now.Before(l.sweep) {
		return false
	}
	most := -1
	for c := range l.open {
		if c.idle(now) {
			most = max(most, l.peers[c.peer])
		}
	}
	if most < 0 {
		l.sweep = now.Add(sweepPause) // looking costs more than refusing
		return false
	}
	left := max(l.limit/64, 1)
	for c := range l.open {
		if left > 0 && l.peers[c.peer] >= most && c.idle(now) {
			l.forget(c)
			c.evict()
			left--
		}
	}
	return true
}

// subscriber returns what stands for the one who has an address: the address of
// IPv4, the /64 of IPv6, of which one host may use all.
func subscriber(a netip.Addr) netip.Addr {
	if !a.Is6() {
		return a
	}
	network, _ := a.Prefix(64) // every IPv6 address has one
	return network.Addr()
}

// Accept returns the next connection that there is room for.
func (l *limitListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err // a listener's errors are the server's to judge
		}
		c := &client{Conn: conn, listener: l, begun: time.Now()}
		if at, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
			c.peer = at.AddrPort().Addr().Unmap().WithZone("")
		}
		if l.enter(c) {
			return c, nil
		}
		_ = conn.Close()
		if l.refused != nil {
			l.refused()
		}
	}
}

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
