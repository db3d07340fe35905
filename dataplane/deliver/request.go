package deliver

import (
	"bytes"
	"context"
	"hash/maphash"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"weir/dataplane/event"
	"weir/shared/id"
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
		slot.Store(&parsed{text, u})
	}
	return u, err
}

// newRequest makes the HTTP request of r. The header becomes the request's.
func (k *urls) newRequest(ctx context.Context, r Request) (*http.Request, error) {
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

// Previewed is what would be done with one event.
type Previewed struct {
	MessageID id.Event
	Requests  []Request
	Dropped   string // the code, when the kind drops the event
	Dead      string // the code, when the kind refuses it
}

// Preview builds the requests for each event alone, as if it were sent at now,
// without sending anything. A sink has no requests to show.
func Preview(o Opened, events []event.Event, now time.Time) []Previewed {
	all := make([]Previewed, 0, len(events))
	for _, e := range events {
		p := Previewed{MessageID: e.MessageID}
		if o.HTTP != nil {
			reqs, verdicts, ok := build(o.HTTP, Batch{Items: []Item{{Event: e, Attempt: 1}}, Now: now})
			p.Requests = reqs
			for _, v := range verdicts {
				switch v.Outcome {
				case Dropped:
					p.Dropped = v.Code
				case Dead:
					p.Dead = v.Code
				}
			}
			if !ok {
				p.Requests, p.Dead = nil, CodeFault
			}
		}
		all = append(all, p)
	}
	return all
}
