// Package egress is the one dialer for connections that tenants' objects ask
// for: destinations, warehouses, code that fetches.
//
// It checks the address at connect, after the name was resolved, so a name that
// resolves to something else a moment later (DNS rebinding) does not pass. It
// refuses link-local, metadata, multicast, unspecified and tunnelled addresses
// always, and private ones unless the policy allows them. It follows no
// redirects and knows no proxies: it only dials TCP.
package egress

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"time"

	"weir/shared/fault"
)

// Code is the code of the problem in the error of a refused connection.
const Code = "egress_denied"

// Policy is what an operator allows.
type Policy struct {
	// Private allows private, loopback and shared (carrier) addresses: for
	// `weir dev` and planes that stand in their owner's network.
	Private bool
}

// Dialer dials for tenants. It is immutable and safe for concurrent use.
type Dialer struct {
	policy Policy
	dialer net.Dialer
}

// New returns a dialer that keeps p. A connection attempt lasts 10 s at most.
func New(p Policy) *Dialer {
	d := &Dialer{policy: p}
	d.dialer = net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, ControlContext: d.control}
	return d
}

// DialContext connects to addr, a host:port. The network is tcp, tcp4 or tcp6.
//
// fault.Denied with a problem of code egress_denied: the policy forbids the
// network, or the address that is the host. fault.Unavailable with such a problem:
// the host is a name, and the policy forbids every address that was tried. The next
// answer of DNS may be another one. Other errors are those of net.Dialer.
func (d *Dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if network != "tcp" && network != "tcp4" && network != "tcp6" {
		return nil, denied("Only TCP connections may leave this plane.")
	}
	conn, err := d.dialer.DialContext(ctx, network, addr)
	if fault.KindOf(err) == fault.Denied && named(addr) {
		problems := fault.ProblemsOf(err)
		return nil, &fault.Error{Kind: fault.Unavailable, Text: problems[0].Text, Problems: problems}
	}
	return conn, err
}

// named reports whether the host in addr is a name, not an address.
func named(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	_, err = netip.ParseAddr(host)
	return err != nil
}

// control runs between socket and connect, with the address that is really used.
func (d *Dialer) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return denied("The address could not be checked.")
	}
	return d.policy.Check(at.Addr())
}

// Check returns nil when the policy allows connections to a, else fault.Denied.
// The text names the class of the address, never the address or a host.
func (p Policy) Check(a netip.Addr) error {
	a = a.WithZone("").Unmap()             // ::ffff:10.0.0.1 is 10.0.0.1
	loopback6 := a == netip.IPv6Loopback() // within ::/96, which is refused otherwise
	if !a.IsValid() || within(a, never()) && !loopback6 {
		return denied("The host's address is of a class that no connection may leave for: link-local, metadata, multicast, unspecified or tunnelled.")
	}
	if !p.Private && within(a, private()) {
		return denied("The host's address is private, and this plane only connects to public ones. Its operator allows private ones with --allow-private.")
	}
	return nil
}

func within(a netip.Addr, list []netip.Prefix) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func denied(text string) error {
	return &fault.Error{Kind: fault.Denied, Text: text, Problems: []fault.Problem{{Path: "", Code: Code, Text: text}}}
}

// v4 and v6 keep the tables short.
func v4(a, b, c, d byte, bits int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b, c, d}), bits)
}

func v6(bits int, groups ...uint16) netip.Prefix {
	var b [16]byte
	for i, g := range groups {
		b[2*i], b[2*i+1] = byte(g>>8), byte(g)
	}
	return netip.PrefixFrom(netip.AddrFrom16(b), bits)
}

// never is refused under every policy.
// Source: https://www.iana.org/assignments/iana-ipv4-special-registry and
// iana-ipv6-special-registry; metadata addresses from the clouds' manuals.
func never() []netip.Prefix {
	return []netip.Prefix{
		v4(0, 0, 0, 0, 8),          // this network
		v4(169, 254, 0, 0, 16),     // link-local; metadata of AWS, GCP, Azure, Oracle and others
		v4(100, 100, 100, 200, 32), // metadata of Alibaba
		v4(168, 63, 129, 16, 32),   // Azure's wire server
		v4(192, 0, 0, 0, 24),       // protocol assignments; 192.0.0.192 is metadata of Oracle's classic cloud
		v4(192, 88, 99, 0, 24),     // 6to4 relay
		v4(224, 0, 0, 0, 4),        // multicast
		v4(240, 0, 0, 0, 4),        // reserved, broadcast
		v6(96),                     // unspecified and IPv4-compatible, except ::1
		v6(96, 0x64, 0xff9b),       // NAT64
		v6(48, 0x64, 0xff9b, 1),    // NAT64, local
		v6(64, 0x100),              // discard only
		v6(32, 0x2001, 0),          // Teredo
		v6(16, 0x2002),             // 6to4
		v6(10, 0xfe80),             // link-local
		v6(10, 0xfec0),             // site-local, deprecated
		v6(8, 0xff00),              // multicast
		v6(128, 0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), // metadata of AWS
		v6(128, 0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),  // metadata of GCP
		v6(128, 0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),   // metadata of Scaleway
	}
}

// private is refused unless the policy allows it.
func private() []netip.Prefix {
	return []netip.Prefix{
		v4(10, 0, 0, 0, 8),
		v4(100, 64, 0, 0, 10), // carrier-grade NAT
		v4(127, 0, 0, 0, 8),   // loopback
		v4(172, 16, 0, 0, 12),
		v4(192, 0, 2, 0, 24), // documentation
		v4(192, 168, 0, 0, 16),
		v4(198, 18, 0, 0, 15),   // benchmarking
		v4(198, 51, 100, 0, 24), // documentation
		v4(203, 0, 113, 0, 24),  // documentation
		v6(128, 0, 0, 0, 0, 0, 0, 0, 1),
		v6(7, 0xfc00),         // unique local
		v6(32, 0x2001, 0xdb8), // documentation
		v6(20, 0x3fff),        // documentation
		v6(16, 0x5f00),        // segment routing
	}
}
