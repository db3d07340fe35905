package ingest

import "net/http"

// ReadHead reads the head of a plain request as a gateway does, and reports
// whether it is one.
func ReadHead(text string) (*http.Request, bool) {
	var h head
	if !h.read(text) {
		return nil, false
	}
	return &http.Request{Method: http.MethodPost, URL: h.url, RequestURI: h.target, Host: h.host, Header: h.header, ContentLength: int64(h.length)}, true
}
