package ingest

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"
)

// sourceConfig answers what a RudderStack SDK asks before it sends. A disabled
// source is described too: that is how an SDK in a browser learns to be quiet.
// There are no destinations, because all of them are reached from here.
func (g *Gateway) sourceConfig(c echo.Context) error {
	w, key := c.Response(), headKey(c.Request())
	if key == "" {
		refuse(w, failNoKey, nil)
		return nil
	}
	entry, fail, ok := g.enter(key)
	if !ok && entry.Source == "" {
		refuse(w, fail, nil)
		return nil
	}
	out := append([]byte(`{"source":{"id":`), quote(string(entry.Source))...)
	out = append(append(out, `,"name":`...), quote(entry.Name)...)
	out = append(append(out, `,"workspaceId":`...), quote(string(entry.Workspace))...)
	if entry.Disabled {
		out = append(out, `,"enabled":false`...)
	} else {
		out = append(out, `,"enabled":true`...)
	}
	tell(w, append(out, `,"config":{"statsCollection":{"errors":{"enabled":false},"metrics":{"enabled":false}}},"destinations":[]}}`...))
	return nil
}

// settings answers what Segment's SDK for browsers asks before it sends: that
// its events come to the host that it asked.
func (g *Gateway) settings(c echo.Context) error {
	w, r, key := c.Response(), c.Request(), c.Param("writeKey")
	if r.URL.RawPath != "" { // then the router went by the path as it was sent
		key, _ = url.PathUnescape(key) // net/url has already read it without an error
	}
	if _, fail, ok := g.enter(key); !ok {
		refuse(w, fail, nil)
		return nil
	}
	out := append([]byte(`{"integrations":{"Segment.io":{"apiKey":`), quote(key)...)
	out = append(append(out, `,"apiHost":`...), quote(r.Host+"/v1")...)
	out = append(append(out, `,"protocol":`...), quote(protocol(r))...)
	tell(w, append(out, `}}}`...))
	return nil
}

// protocol returns how the client reached this host, "https" or "http". The
// header of a proxy counts from anybody: the answer goes only to its sender.
func protocol(r *http.Request) string {
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		return "https"
	}
	return "http"
}

// cluster answers how many nodes share the traffic of this address.
func cluster(c echo.Context) error {
	tell(c.Response(), []byte(`{"nodeCount":1}`))
	return nil
}

// tell answers with a document about this plane. Nobody may keep it: it depends
// on headers, and a source may be disabled any time.
func tell(w http.ResponseWriter, document []byte) {
	w.Header().Set("Cache-Control", "no-store")
	answer(w, http.StatusOK, document)
}

// metrics takes what SDKs tell of themselves, and forgets it.
func (g *Gateway) metrics(c echo.Context) error {
	g.drain(c) // so that the connection can be used again
	answer(c.Response(), http.StatusOK, success)
	return nil
}
