// Package address puts the setting baseUrl in the place of the addresses that other
// settings name.
package address

import (
	"cmp"
	"strings"
)

// Moved returns an address with base, the setting baseUrl, in the place of its scheme and
// host; the path and query of the address stand behind those of base. A base "" leaves it
// as it is.
func Moved(address, base string) string {
	if base == "" {
		return address
	}
	_, rest, _ := strings.Cut(address, "://")
	path := ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		path = rest[i:]
	}
	return strings.TrimRight(base, "/") + path
}

// HostPort returns base, the setting baseUrl of a destination without HTTP, without its
// scheme; the address where there is none.
func HostPort(address, base string) string {
	if _, rest, ok := strings.Cut(base, "://"); ok {
		return rest
	}
	return cmp.Or(base, address)
}
