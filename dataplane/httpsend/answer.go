package httpsend

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strings"
)

// wholeAnswer reads the answer at the beginning of b when it is one as most servers
// give: HTTP/1.1, a status that has a body, one length, all of the body there.
// rest is what follows it. nil: net/http has to read it, which takes twice as
// long and gives the same.
func wholeAnswer(b []byte) (res *http.Response, body, rest []byte) {
	const version = "HTTP/1.1 "
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < len(version)+3 || string(b[:len(version)]) != version {
		return nil, nil, nil
	}
	status, lines, _ := strings.Cut(string(b[len(version):end]), "\r\n")
	code, ok := digits(status[:min(3, len(status))])
	if !ok || code < 200 || code == http.StatusNoContent || code == http.StatusNotModified || len(status) > 3 && status[3] != ' ' || !isText(status) {
		return nil, nil, nil
	}
	length := -1
	header := make(http.Header, 8)
	for line := ""; lines != ""; {
		line, lines, _ = strings.Cut(lines, "\r\n")
		name, value, ok := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if !ok || !isToken(name) || !isText(value) {
			return nil, nil, nil
		}
		switch name = textproto.CanonicalMIMEHeaderKey(name); name {
		case "Content-Length":
			if length >= 0 {
				return nil, nil, nil
			}
			if length, ok = digits(value); !ok {
				return nil, nil, nil
			}
		case "Connection":
			if value != "keep-alive" {
				return nil, nil, nil
			}
		case "Pragma", "Trailer", "Transfer-Encoding", "Upgrade":
			return nil, nil, nil
		}
		header[name] = append(header[name], value)
	}
	b = b[end+4:]
	if length < 0 || length > len(b) {
		return nil, nil, nil
	}
	return &http.Response{
		Status: status, StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, ContentLength: int64(length),
	}, b[:length], b[length:]
}

// digits reads a number of one to nine digits.
func digits(s string) (n int, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = 10*n + int(s[i]-'0')
	}
	return n, 0 < len(s) && len(s) <= 9
}

// isToken reports whether s is a name of letters, digits and '-'.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' {
			return false
		}
	}
	return s != ""
}

// isText reports whether s has no control characters.
func isText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}
