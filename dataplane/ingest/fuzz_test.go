package ingest_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"weir/dataplane/event"
	"weir/dataplane/ingest"
)

// whole is a gateway whose source makes one event of each body; taken is the
// last one, nil when none was taken.
func whole(f *testing.F, edit func(*ingest.Config)) (g *ingest.Gateway, taken *[]byte) {
	taken = new([]byte)
	c := config(func(_ context.Context, events []event.Event) error {
		*taken = events[0].JSON
		return nil
	})
	c.Kinds[0].Source = source(func(r ingest.Request) ([]event.Event, []ingest.Reject, error) {
		return []event.Event{{MessageID: "m", User: r.IP, JSON: append([]byte{}, r.Body...)}}, nil, nil
	})
	c.Log = slog.New(slog.DiscardHandler)
	if edit != nil {
		edit(&c)
	}
	g, err := ingest.New(c)
	if err != nil {
		f.Fatal(err)
	}
	return g, taken
}

// zippers zip in every encoding that the gateway reads.
var zippers = []struct {
	encoding string
	open     func(io.Writer) io.WriteCloser
}{
	{"gzip", func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }},
	{"deflate", func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }},
	{"deflate", func(w io.Writer) io.WriteCloser { z, _ := flate.NewWriter(w, 6); return z }},
	{"br", func(w io.Writer) io.WriteCloser { return brotli.NewWriterLevel(w, 2) }},
	{"zstd", func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1)); return z }},
}

func zip(which int, b []byte) []byte {
	var out bytes.Buffer
	w := zippers[which].open(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

// FuzzBody reads any bytes in any encoding: never a mistake of ours, and what
// the standard library reads as gzip is read alike. Zipped well, they come back.
func FuzzBody(f *testing.F) {
	g, taken := whole(f, nil)
	for which := range zippers {
		f.Add(byte(which), zip(which, []byte(`{"batch":[{"userId":"u"}]}`)))
		f.Add(byte(which), zip(which, make([]byte, 1<<16)))
	}
	send := func(encoding string, body []byte) int {
		*taken = nil
		r := httptest.NewRequest("POST", "/v1/batch", bytes.NewReader(body))
		r.SetBasicAuth("src_a", "")
		r.Header.Set("Content-Encoding", encoding)
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		return w.Code
	}
	f.Fuzz(func(t *testing.T, which byte, body []byte) {
		at := int(which) % len(zippers)
		encoding := zippers[at].encoding
		code := send(encoding, body)
		if code != 200 && code != 400 && code != 413 {
			t.Fatalf("%s %q: %d", encoding, body, code)
		}
		if len(*taken) > ingest.MaxBody {
			t.Fatalf("%s: %d bytes taken", encoding, len(*taken))
		}
		if encoding == "gzip" {
			if z, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
				if want, err := io.ReadAll(io.LimitReader(z, ingest.MaxBody+1)); err == nil && len(want) <= ingest.MaxBody && (code != 200 || !bytes.Equal(want, *taken)) {
					t.Fatalf("gzip %q: %d, %q, want %q", body, code, *taken, want)
				}
			}
		}
		if code := send(encoding, zip(at, body)); len(body) <= ingest.MaxBody && (code != 200 || !bytes.Equal(*taken, body)) {
			t.Fatalf("%s of %q: %d, %q", encoding, body, code, *taken)
		}
	})
}

// FuzzWebhook sends any body as a webhook: the event is JSON, and what was sent
// can be read from it.
func FuzzWebhook(f *testing.F) {
	g, taken := whole(f, nil)
	for _, s := range []string{`{"a":1}`, `1},"userId":"u"`, "a=1&b=%20", "\xff\x00", "text", ` [1] `, `"\ud800"`} {
		f.Add(s, "application/x-www-form-urlencoded", "a=1&b")
		f.Add(s, "", "")
	}
	f.Add("A", "application/x-Www-foRm-urlencoded", "a") // names of media types have no case
	f.Fuzz(func(t *testing.T, body, kind, query string) {
		*taken = nil
		r := httptest.NewRequest("POST", "/v1/webhook", strings.NewReader(body))
		r.URL.RawQuery = query
		r.SetBasicAuth("src_a", "")
		r.Header["Content-Type"] = []string{kind}
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		if w.Code != 200 || !json.Valid(*taken) || !utf8.Valid(*taken) {
			t.Fatalf("%q: %d %q", body, w.Code, *taken)
		}
		var properties []byte
		for key, value := range event.Fields(*taken) {
			if string(key) == "properties" {
				properties = value
			}
		}
		if body == "" || strings.Contains(strings.ToLower(kind), "form") {
			return // its fields, or those of the query
		}
		var text string
		var bytes struct{ Base64 string }
		switch {
		case string(properties) == strings.Trim(body, " \t\r\n"):
		case json.Unmarshal(properties, &text) == nil && text == body:
		case json.Unmarshal(properties, &bytes) == nil:
			if got, err := base64.StdEncoding.DecodeString(bytes.Base64); err == nil && string(got) == body {
				return
			}
			fallthrough
		default:
			t.Fatalf("%q became %q", body, properties)
		}
	})
}

// FuzzPixel asks for a pixel with any query: always the image, and an event that
// is JSON, if there is one.
func FuzzPixel(f *testing.F) {
	g, taken := whole(f, nil)
	for _, s := range []string{"userId=u", "a.b=1&a=2&a.b.c=3", "..=1", "%FF=1", "event=x&properties.p=%00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		*taken = nil
		r := httptest.NewRequest("GET", "/pixel/v1/page", nil)
		r.URL.RawQuery = query
		r.SetBasicAuth("src_a", "")
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		if w.Code != 200 || w.Header().Get("Content-Type") != "image/gif" {
			t.Fatalf("%q: %d %v", query, w.Code, w.Header())
		}
		if *taken != nil && (!json.Valid(*taken) || !utf8.Valid(*taken)) {
			t.Fatalf("%q became %q", query, *taken)
		}
	})
}

// FuzzForwarded holds the address of a client to its rules: an address, and one
// that only a trusted proxy told of when it is not the peer's.
func FuzzForwarded(f *testing.F) {
	var got string
	g, _ := whole(f, func(c *ingest.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		c.Append = func(_ context.Context, events []event.Event) error { got = events[0].User; return nil }
	})
	f.Add("1.1.1.1, 10.0.0.2", "[2001:db8::1]:443")
	f.Add("unknown", "10.1.1.1,,10.2.2.2")
	f.Fuzz(func(t *testing.T, first, second string) {
		for peer, trusted := range map[string]bool{"10.0.0.1": true, "203.0.113.9": false} {
			post(g, "x", func(r *http.Request) {
				r.RemoteAddr = peer + ":1"
				r.Header["X-Forwarded-For"] = []string{first, second}
			})
			ip, err := netip.ParseAddr(got)
			if err != nil || ip.Zone() != "" || ip.Is4In6() || !trusted && got != peer {
				t.Fatalf("%q, %q from %s: %q", first, second, peer, got)
			}
			if got != peer && !strings.Contains(first+second, got) && ip.Is4() && !strings.Contains(first+second, "::") && !strings.Contains(first+second, ":0") {
				t.Fatalf("%q, %q from %s: %q, which nobody said", first, second, peer, got)
			}
		}
	})
}
