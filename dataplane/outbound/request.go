package outbound

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"weir/dataplane/destination"
)

// agent is the User-Agent of requests whose kind sets none.
const agent = "Weir/1"

// urls keeps parsed URLs: most requests of a destination have the same.
type urls [64]atomic.Pointer[parsed]

type parsed struct {
	text string
	url  *url.URL // never changed
}

var urlSeed = maphash.MakeSeed()

func (k *urls) parse(text string) (*url.URL, error) {
	slot := &k[maphash.String(urlSeed, text)%uint64(len(k))]
	if p := slot.Load(); p != nil && p.text == text {
		return p.url, nil
	}
	u, err := url.Parse(text)
	if err == nil {
		spell(u)
		slot.Store(&parsed{text, u})
	}
	return u, err
}

// spell escapes in the path and the query of u what HTTP cannot carry, and keeps all
// else as it was written: url.URL would write a path anew that holds such a character,
// with "%2F" as "/".
func spell(u *url.URL) {
	if u.RawPath != "" {
		u.RawPath = escaped(u.RawPath)
	}
	u.RawQuery = escaped(u.RawQuery)
}

// escaped writes each byte that RFC 3986 does not allow in a path and a query as %XX.
func escaped(s string) string {
	odd := func(b byte) bool { return b <= ' ' || b >= 0x7f || strings.IndexByte("\"<>\\^`{|}", b) >= 0 }
	var b strings.Builder
	for i := range len(s) {
		if odd(s[i]) {
			fmt.Fprintf(&b, "%%%02X", s[i])
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// newRequest makes the HTTP request of r. The header becomes the request's.
func (k *urls) newRequest(ctx context.Context, r destination.Request) (*http.Request, error) {
	u, err := k.parse(r.URL)
	if err != nil {
		return nil, err
	}
	h := r.Header
	if h == nil {
		h = make(http.Header, 1)
	}
	if _, set := h["User-Agent"]; !set {
		h["User-Agent"] = []string{agent}
	}
	hr := &http.Request{
		Method: r.Method, URL: u, Host: u.Host, Header: h,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: int64(len(r.Body)), Body: http.NoBody,
	}
	if host := h.Get("Host"); host != "" { // net/http sends Request.Host only
		hr.Host = host
		h.Del("Host")
	}
	if len(r.Body) > 0 {
		hr.Body = io.NopCloser(bytes.NewReader(r.Body))
	}
	return hr.WithContext(ctx), nil
}
