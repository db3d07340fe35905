package httpserve

import (
	"net/http"
	"net/netip"
)

// ReadHead reads the head of a request as the fast path does, and reports whether
// it is one of the fast path.
func ReadHead(text string) (*http.Request, bool) {
	var h requestHead
	if !h.read(text) {
		return nil, false
	}
	return &http.Request{Method: http.MethodPost, URL: h.url, RequestURI: h.target, Host: h.host, Header: h.header, ContentLength: int64(h.length)}, true
}

// Subscriber is subscriber.
func Subscriber(a netip.Addr) netip.Addr { return subscriber(a) }
