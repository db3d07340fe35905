// Package webhook sends events as JSON to an address of the customer's: the
// event as it is, byte for byte, or with batch a JSON array of events.
package webhook

import (
	_ "embed"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"weir/dataplane/destination"
	"weir/dataplane/destination/address"
	"weir/shared/fault"
)

//go:embed spec.yaml
var spec []byte

// Kind is the webhook.
var Kind = destination.Define(spec, New)

type webhook struct {
	url, method string
	header      http.Header // never changed
	batch       bool
}

// New checks what the spec cannot say: the headers. fault.Invalid lists each bad one.
func New(s Settings) (destination.Destination, error) {
	w := &webhook{url: address.Moved(s.URL, s.BaseURL), method: s.Method, header: http.Header{}, batch: s.Batch != nil}
	headers, err := parseHeaders(s.Secrets.Headers.Reveal())
	if err != nil {
		return nil, err
	}
	if u, err := url.Parse(s.URL); err == nil && u.User != nil {
		return nil, fault.Problems("The settings have problems:", []fault.Problem{{Path: "settings.url", Code: "not_allowed",
			Text: "Settings are readable by everyone in the workspace: give credentials in the secret headers (Authorization), not in the URL."}})
	}
	if strings.ContainsAny(s.BaseURL, "?#") {
		return nil, fault.Problems("The settings have problems:", []fault.Problem{{Path: "settings.baseUrl", Code: "bad_url",
			Text: "Give a scheme, a host and perhaps a path, without parameters."}})
	}
	maps.Copy(w.header, headers)
	if _, set := w.header["Content-Type"]; !set {
		w.header["Content-Type"] = []string{"application/json"}
	}
	return w, nil
}

// reserved are headers that the engine or the connection owns.
const reserved = " Connection Content-Length Keep-Alive Proxy-Connection Te Trailer Transfer-Encoding Upgrade Weir-Message-Id "

// parseHeaders reads the secret: a JSON object of strings, empty for none. No
// text of its errors holds a value or a name that was not a header's.
func parseHeaders(text string) (http.Header, error) {
	h := http.Header{}
	if strings.TrimSpace(text) == "" {
		return h, nil
	}
	var given map[string]string
	var problems []fault.Problem
	add := func(code, text string) {
		problems = append(problems, fault.Problem{Path: "secrets.headers", Code: code, Text: text})
	}
	if err := json.Unmarshal([]byte(text), &given); err != nil {
		add("malformed", `The headers are not a JSON object of strings, such as {"Authorization":"Bearer ..."}.`)
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		key := http.CanonicalHeaderKey(name)
		switch {
		case !validName(name):
			add("bad_header", "A header's name holds a character that HTTP does not allow in names.")
		case !validValue(given[name]):
			add("bad_header", "The value of header "+key+" holds a character that HTTP does not allow, such as a line break.")
		case strings.Contains(reserved, " "+key+" "):
			add("not_allowed", "The header "+key+" is set by Weir or the connection itself.")
		case len(h[key]) > 0:
			add("duplicate_name", "The header "+key+" is given twice; letter case does not count.")
		default:
			h[key] = []string{given[name]}
		}
	}
	return h, fault.Problems("The secret headers have problems:", problems)
}

// validName reports whether s is a token of RFC 9110, section 5.6.2.
func validName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// validValue reports whether s is a field value of RFC 9110, section 5.5,
// without control characters other than tabs.
func validValue(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// Build makes one request for each event, or one for all with batch.
func (w *webhook) Build(b destination.Batch) ([]destination.Request, []destination.Verdict) {
	if !w.batch {
		reqs := make([]destination.Request, len(b.Items))
		for i, item := range b.Items {
			reqs[i] = w.request(item.Event.JSON, i)
			reqs[i].Header["Weir-Message-Id"] = []string{headerText(string(item.Event.MessageID))}
		}
		return reqs, nil
	}
	size := 1 + len(b.Items)
	for _, item := range b.Items {
		size += len(item.Event.JSON)
	}
	body, items := make([]byte, 0, size), make([]int, len(b.Items))
	for i, item := range b.Items {
		sep := byte(',')
		if i == 0 {
			sep = '['
		}
		body = append(append(body, sep), item.Event.JSON...)
		items[i] = i
	}
	return []destination.Request{w.request(append(body, ']'), items...)}, nil
}

func (w *webhook) request(body []byte, items ...int) destination.Request {
	h := make(http.Header, len(w.header)+2)
	maps.Copy(h, w.header) // the value slices are never written to
	return destination.Request{Method: w.method, URL: w.url, Header: h, Body: body, Items: items}
}

// headerText is s as a header's value: a messageId may hold anything, so one
// that is not printable ASCII is written as in a URL.
func headerText(s string) string {
	odd := strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
	if odd || strings.TrimSpace(s) != s {
		return url.PathEscape(s)
	}
	return s
}

// Judge goes by the status alone: a batch that is refused is split.
func (w *webhook) Judge(req destination.Request, res destination.Response) []destination.Verdict {
	return destination.Classify(req, res)
}
