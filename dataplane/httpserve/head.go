package httpserve

import (
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// requestHead is what the beginning of a plain POST request says. Its maps and slices
// are used again for the next request.
type requestHead struct {
	target string
	url    *url.URL // the target, parsed
	host   string
	length int // of the body, in bytes
	header http.Header
	values []string // the backing of the header's slices
}

// maxFields is how many header fields a plain request has at most.
const maxFields = 48

// read reads text, which ends with the empty line, and reports whether it is the
// head of a plain request: POST in HTTP/1.1, one Host, one Content-Length, and
// nothing that changes how the connection is read (RFC 9112, sections 6 and 9).
// What is not plain is not wrong; net/http judges it. What is plain net/http
// reads in the same way.
func (h *requestHead) read(text string) bool {
	if h.header == nil {
		h.header, h.values = make(http.Header, 8), make([]string, 0, maxFields)
	}
	clear(h.header)
	h.values, h.host, h.length = h.values[:0], "", -1
	line, rest, _ := strings.Cut(text, "\r\n")
	target, post := strings.CutPrefix(line, "POST ")
	target, http11 := strings.CutSuffix(target, " HTTP/1.1")
	if !post || !http11 || !isTarget(target) {
		return false
	}
	h.target = target
	if !h.parseTarget() {
		return false
	}
	for rest != "\r\n" {
		line, more, ended := strings.Cut(rest, "\r\n")
		name, value, named := strings.Cut(line, ":")
		if !ended || !named || len(h.values) == maxFields || !h.field(name, strings.Trim(value, " \t")) {
			return false
		}
		rest = more
	}
	return h.host != "" && h.length >= 0
}

// field takes one header field; false when it is not one of a plain request.
func (h *requestHead) field(name, value string) bool {
	if !isToken(name) || !isValue(value) {
		return false
	}
	switch key := textproto.CanonicalMIMEHeaderKey(name); key {
	case "Host":
		if h.host != "" || !isHost(value) {
			return false
		}
		h.host = value
	case "Content-Length":
		if h.length >= 0 || !h.measure(value) {
			return false
		}
		h.add(key, value)
	case "Transfer-Encoding", "Expect", "Upgrade", "Trailer", "Pragma", "Http2-Settings":
		return false
	case "Connection":
		if !strings.EqualFold(value, "keep-alive") {
			return false
		}
		h.add(key, value)
	default:
		h.add(key, value)
	}
	return true
}

// add puts a field into the header.
func (h *requestHead) add(key, value string) {
	if vs, there := h.header[key]; there {
		h.header[key] = append(vs, value) // the slice has no room left, so it moves
		return
	}
	n := len(h.values)
	h.values = append(h.values, value)
	h.header[key] = h.values[n : n+1 : n+1]
}

// measure reads the length of the body.
func (h *requestHead) measure(digits string) bool {
	if digits == "" || len(digits) > 7 {
		return false
	}
	n := 0
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
		n = 10*n + int(digits[i]-'0')
	}
	h.length = n
	return true
}

// parseTarget parses the target as net/http does.
func (h *requestHead) parseTarget() bool {
	if !strings.ContainsFunc(h.target, func(c rune) bool { return (c < 'a' || c > 'z') && c != '/' && c != '1' }) {
		h.url = &url.URL{Path: h.target} // the routes for events, and nothing to decode
		return true
	}
	u, err := url.ParseRequestURI(h.target)
	h.url = u
	return err == nil
}

// isTarget reports whether s is a path, perhaps with a query, in printable ASCII.
func isTarget(s string) bool {
	if s == "" || s[0] != '/' {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '#' {
			return false
		}
	}
	return true
}

// isHost reports whether s is a name or an address, perhaps with a port.
func isHost(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == ':' || c == '[' || c == ']') {
			return false
		}
	}
	return s != ""
}

// isToken reports whether s is a name of letters, digits and dashes: all that are in use.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return s != ""
}

// isValue reports whether s is a field value without control characters but tabs.
func isValue(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return false
		}
	}
	return true
}
