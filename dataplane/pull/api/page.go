package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destination/answer"
	"weir/dataplane/destination/fields"
	"weir/dataplane/event"
	"weir/dataplane/pull"
	"weir/shared/catalog/streams"
	"weir/shared/catalog/streams/word"
)

// limitedFor is how long an answer asks to wait.
func limitedFor(res destination.Response, now time.Time) time.Duration {
	if d := answer.RetryAfter(res.Header, now); d > 0 {
		return min(d, time.Hour)
	}
	if n, err := strconv.ParseInt(res.Header.Get("X-Ratelimit-Reset"), 10, 64); err == nil && n > 1e8 {
		return min(max(time.Unix(n, 0).Sub(now), time.Second), time.Hour)
	}
	return 10 * time.Second
}

// at returns what stands at a path of a JSON value, nil for nothing and null. A number
// leads into a list.
func at(v []byte, path []string) fields.Value {
	value := fields.Value(v)
	for _, name := range path {
		n, err := strconv.Atoi(name)
		if err != nil || !value.IsList() {
			value = value.Get(name)
			continue
		}
		list := value
		value = nil
		for e := range list.Elements() {
			if n--; n < 0 {
				value = e
				break
			}
		}
	}
	return value
}

// page is one answer.
type page struct {
	rows [][]byte
	next string // the position behind it, of ways that the answer says; "" when there is none
	last bool
}

// pageOf reads an answer.
func pageOf(r *streams.Request, res destination.Response) (page, error) {
	var p page
	bad := func(text string) (page, error) { return p, &pull.Failure{Code: pull.CodeAnswer, Text: text} }
	if event.Check(res.Body, 200) != "" {
		return bad("The answer is not JSON.")
	}
	body := fields.Value(bytes.TrimSpace(res.Body))
	list := at(body, r.Rows)
	if list != nil && !list.IsList() || list == nil && body.Get(r.Rows[:len(r.Rows)-1]...) == nil {
		return bad("What should be the rows is no list.")
	}
	for e := range list.Elements() {
		if e = at(e, r.Row); e != nil {
			p.rows = append(p.rows, e)
		}
	}
	g := &r.Pages
	switch g.By {
	case word.Token, word.NextURL:
		p.next = at(body, g.Path).Text()
	case word.Link:
		p.next = nextLink(res.Header)
	}
	is := func(path []string, word string) bool { return path != nil && string(at(body, path)) == word }
	switch {
	case g.By == word.One, is(g.Done, "true"), is(g.More, "false"):
		p.last = true
	case g.By == word.AfterID:
		p.last = len(p.rows) == 0 || g.More == nil && len(p.rows) < g.Size
	case g.By == word.Offset, g.By == word.Page:
		p.last = len(p.rows) == 0 || g.More == nil && g.Done == nil && len(p.rows) < g.Size
	default:
		p.last = p.next == ""
	}
	return p, nil
}

var link = regexp.MustCompile(`<([^>]*)>\s*;[^,]*\brel="?next"?`)

// nextLink is the address of the next page (RFC 8288), "" for none.
func nextLink(h http.Header) string {
	for _, line := range h.Values("Link") {
		if m := link.FindStringSubmatch(line); m != nil {
			return m[1]
		}
	}
	return ""
}

// keyOf is what names a row; "": it has no key.
func keyOf(paths [][]string, row []byte) string {
	parts := make([]string, 0, len(paths))
	for _, path := range paths {
		text := at(row, path).Text()
		if text == "" {
			return ""
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ":")
}

// sum is a short form of a key.
func sum(key string) string {
	h := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(h[:9])
}

// holds reports whether all tests hold in a row.
func holds(tests []streams.Test, row []byte) bool {
	for _, t := range tests {
		v := at(row, t.Path)
		text := v.Text()
		found := len(t.Is) == 0 && v != nil && text != "false" && (text != "" || !v.IsText())
		for _, is := range t.Is {
			found = found || v != nil && text == is
		}
		if !found {
			return false
		}
	}
	return len(tests) > 0
}
