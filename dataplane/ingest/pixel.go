package ingest

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"weir/dataplane/event"
)

// image is a transparent GIF of one pixel.
var image = []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff\x21\xf9\x04\x01\x00\x00\x00\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x01\x44\x00\x3b")

// pixel takes an event whose fields stand in the query. The answer is always the
// image: a page or a mail would show anything else as broken.
func (g *Gateway) pixel(call Call) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		g.takePixel(c.Response(), r, call, headKey(r), func() ([]byte, bool) {
			query, err := url.ParseQuery(r.URL.RawQuery)
			data, ok := pixelEvent(query, call, g.config.Now())
			return data, ok && err == nil
		})
		return sendImage(c)
	}
}

// dataPixel is pixel for an event that stands whole in the parameter data, as JSON in
// base64 of any dialect, perhaps with its write key.
func (g *Gateway) dataPixel(call Call) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		text := strings.NewReplacer("-", "+", "_", "/", " ", "+", "=", "").Replace(r.URL.Query().Get("data"))
		data, err := base64.RawStdEncoding.DecodeString(text)
		key := headKey(r)
		if err == nil && key == "" {
			key = event.Lookup(data, "writeKey")
		}
		g.takePixel(c.Response(), r, call, key, func() ([]byte, bool) { return data, err == nil })
		return sendImage(c)
	}
}

func sendImage(c echo.Context) error {
	h := c.Response().Header()
	h.Set("Content-Type", "image/gif")
	h.Set("Cache-Control", "no-store") // each look is an event
	c.Response().WriteHeader(http.StatusOK)
	_, _ = c.Response().Write(image)
	return nil
}

// takePixel takes the event that read returns, if it is one.
func (g *Gateway) takePixel(w http.ResponseWriter, r *http.Request, call Call, key string, read func() ([]byte, bool)) {
	entry, fail, ok := g.enter(key)
	if !ok {
		if entry.Source != "" {
			g.refused(entry, 1, fail)
		}
		return
	}
	b := g.bodies.Open(w, r)
	defer b.Release()
	data, ok := read()
	switch {
	case !ok:
		g.refused(entry, 1, failBody)
		return
	case !entry.verify(r, nil):
		g.refused(entry, 1, failSignature)
		return
	case !b.Admit(g.counters.Of(entry.key()).Room) || !b.Hold(int64(len(data))):
		g.refused(entry, 1, failBusy)
		return
	}
	b.Data = data
	g.take(r, entry, call, b)
}

// pixelEvent writes the parameters of a query as an event: the first value of
// each is a field, a dot in its name leads into an object (context.page.url).
// Not ok means that there is no event in it: a track without a name, or bytes
// that are no text.
func pixelEvent(query url.Values, call Call, now time.Time) ([]byte, bool) {
	root := map[string]any{"channel": "web", "sentAt": now.UTC().Format("2006-01-02T15:04:05.000Z07:00")}
	delete(query, "writeKey")
	for _, name := range slices.Sorted(maps.Keys(query)) { // a before a.b
		value := query[name][0]
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, false
		}
		place(root, name, value)
	}
	if _, sent := root["integrations"]; !sent {
		root["integrations"] = map[string]any{"All": true}
	}
	if call == Page && query.Get("name") == "" {
		root["name"] = "Unknown Page"
	}
	if call == Track && strings.TrimSpace(query.Get("event")) == "" {
		return nil, false
	}
	return appendTree(nil, root), true
}

// place puts value where the dots of name lead. A name whose way is barred by
// another value, is too deep or has an empty part is a field as it stands.
func place(root map[string]any, name, value string) {
	parts := strings.Split(name, ".")
	if len(parts) >= event.MaxDepth || slices.Contains(parts, "") {
		root[name] = value
		return
	}
	at := root
	for _, part := range parts[:len(parts)-1] {
		next, ok := at[part].(map[string]any)
		if _, taken := at[part]; taken && !ok {
			root[name] = value
			return
		}
		if !ok {
			next = map[string]any{}
			at[part] = next
		}
		at = next
	}
	last := parts[len(parts)-1]
	if _, taken := at[last].(map[string]any); taken {
		last, at = name, root
	}
	at[last] = value
}

// appendTree appends v, made of objects, lists of strings, strings and booleans,
// as JSON with sorted keys.
func appendTree(out []byte, v any) []byte {
	switch v := v.(type) {
	case map[string]any:
		out = append(out, '{')
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(append(out, quote(key)...), ':')
			out = appendTree(out, v[key])
		}
		return append(out, '}')
	case []string:
		out = append(out, '[')
		for i, s := range v {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, quote(s)...)
		}
		return append(out, ']')
	case string:
		return append(out, quote(v)...)
	case bool:
		if v {
			return append(out, "true"...)
		}
		return append(out, "false"...)
	}
	return append(out, "null"...)
}
