package ingest

import (
	"net/http"
	"net/netip"
	"strings"
)

// peer returns the address that a request came from: the other end of the
// connection, or, when that is a trusted proxy, the last address in
// X-Forwarded-For that is not one. What stands before it a client may have
// invented.
func (g *Gateway) peer(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	ip := at.Addr().Unmap().WithZone("")
	if len(g.config.TrustedProxies) == 0 {
		return ip.String()
	}
	lists := r.Header["X-Forwarded-For"]
	for i := len(lists) - 1; i >= 0 && g.trusts(ip); i-- {
		for rest := lists[i]; rest != "" && g.trusts(ip); {
			comma := strings.LastIndexByte(rest, ',')
			next, ok := parseHop(rest[comma+1:])
			if !ok {
				return ip.String()
			}
			ip = next
			rest = rest[:max(comma, 0)]
		}
	}
	return ip.String()
}

// trusts reports whether ip is a trusted proxy.
func (g *Gateway) trusts(ip netip.Addr) bool {
	for _, p := range g.config.TrustedProxies {
		if p.Contains(ip) {
			return true
		}
	}
	return false
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
