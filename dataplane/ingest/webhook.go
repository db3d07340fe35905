package ingest

import (
	"encoding/base64"
	"mime"
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"weir/dataplane/event"
	"weir/dataplane/ingest/body"
)

// wrap makes the body b of a webhook one event: a track named webhook, with the
// body under properties.
//
// JSON stands there to the byte, the fields of a form and, when there is no
// body, of the query as an object, other text as a string, and what is no text
// as {"base64": ...}; the query beside a body stands in context.webhook.query.
// The sender names no user, so each call is one of its own.
func wrap(r *http.Request, b *body.Body) (failure, bool) {
	size := 2*int64(len(b.Data)+len(r.URL.RawQuery)) + 256 // quotes may double it, but for control characters
	if !b.Hold(size) {
		return failBusy, false
	}
	out := append(make([]byte, 0, size), `{"event":"webhook","anonymousId":"`...)
	out = append(append(out, uuid.NewString()...), `","properties":`...)
	out = appendPayload(out, r, b.Data)
	if query := webhookQuery(r); len(b.Data) > 0 && len(query) > 0 {
		out = append(appendForm(append(out, `,"context":{"webhook":{"query":`...), query), "}}"...)
	}
	out = append(out, '}')
	if extra := int64(cap(out)) - size; extra > 0 && !b.Hold(extra) {
		return failBusy, false
	}
	b.Data = out
	return failure{}, true
}

// appendPayload appends what a webhook brought as a JSON value.
func appendPayload(out []byte, r *http.Request, body []byte) []byte {
	switch {
	case len(body) == 0:
		return appendForm(out, webhookQuery(r))
	case !utf8.Valid(body):
		out = append(out, `{"base64":"`...)
		return append(base64.StdEncoding.AppendEncode(out, body), `"}`...)
	case nests(body):
		return append(out, body...)
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/x-www-form-urlencoded" {
		if form, err := url.ParseQuery(string(body)); err == nil && isText(form) {
			return appendForm(out, form)
		}
	}
	out, _ = jsontext.AppendQuote(out, body)
	return out
}

// webhookQuery returns the parameters of a webhook but for the write key; those
// that cannot be read, or are no text, as they stand in a parameter named raw.
func webhookQuery(r *http.Request) url.Values {
	query, err := url.ParseQuery(r.URL.RawQuery)
	delete(query, "writeKey")
	if err != nil || !isText(query) {
		return url.Values{"raw": {r.URL.RawQuery}}
	}
	return query
}

// nests reports whether body is JSON that may stand in an event.
func nests(body []byte) bool {
	return event.Check(body, event.MaxDepth-1) == ""
}

// isText reports whether all of a form is UTF-8.
func isText(form url.Values) bool {
	for name, values := range form {
		if !utf8.ValidString(name) {
			return false
		}
		for _, v := range values {
			if !utf8.ValidString(v) {
				return false
			}
		}
	}
	return true
}

// appendForm appends the fields of a form; one that was sent several times is a
// list.
func appendForm(out []byte, form url.Values) []byte {
	object := make(map[string]any, len(form))
	for name, values := range form {
		if len(values) == 1 {
			object[name] = values[0]
		} else {
			object[name] = values
		}
	}
	return appendTree(out, object)
}
