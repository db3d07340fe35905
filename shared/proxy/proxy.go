// Package proxy finds out who sent a request that came through proxies: only what
// trusted ones say counts, because anybody can send their headers.
package proxy

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"weir/shared/fault"
)

// Trusted are the networks of proxies whose X-Forwarded-For counts. The zero value
// trusts nobody.
type Trusted []netip.Prefix

// Parse reads networks such as 10.0.0.0/8, and single addresses. fault.Invalid: some
// are neither; all of those are named.
func Parse(networks []string) (Trusted, error) {
	var t Trusted
	var wrong []error
	for _, text := range networks {
		p, err := netip.ParsePrefix(text)
		if a, errAddr := netip.ParseAddr(text); err != nil && errAddr == nil {
			p, err = a.Prefix(a.BitLen())
		}
		if err != nil {
			wrong = append(wrong, fault.New(fault.Invalid, "%q is not a network such as 10.0.0.0/8.", text))
		}
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 { // an IPv4 network in the dress of IPv6
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		t = append(t, p)
	}
	return t, errors.Join(wrong...)
}

// Contains reports whether a is the address of a trusted proxy.
func (t Trusted) Contains(a netip.Addr) bool {
	for _, p := range t {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Client returns the address that r came from: the other end of the connection, or,
// when that is a trusted proxy, the last address in X-Forwarded-For that is not one.
// What stands before it a client may have invented. It is invalid when the other end
// has no address, and has no zone.
func (t Trusted) Client(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	ip := at.Addr().Unmap().WithZone("")
	if len(t) == 0 {
		return ip
	}
	lists := r.Header["X-Forwarded-For"]
	for i := len(lists) - 1; i >= 0 && t.Contains(ip); i-- {
		for rest := lists[i]; rest != "" && t.Contains(ip); {
			comma := strings.LastIndexByte(rest, ',')
			next, ok := parseHop(rest[comma+1:])
			if !ok {
				return ip
			}
			ip = next
			rest = rest[:max(comma, 0)]
		}
	}
	return ip
}

// parseHop reads one entry of X-Forwarded-For; some proxies add a port.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.Unmap().WithZone(""), true
	}
	at, err := netip.ParseAddrPort(s)
	return at.Addr().Unmap().WithZone(""), err == nil
}
