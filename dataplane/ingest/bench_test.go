package ingest_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"weir/dataplane/ingest"
	"weir/dataplane/ingest/ratelimit"
	"weir/shared/catalog"
	"weir/shared/id"
)

// typical is a track call of about 1 KB, as a browser's SDK sends it.
func typical(i int) string {
	return fmt.Sprintf(`{"type":"track","event":"Order Completed","userId":"user-%06d","anonymousId":"5f3c0e52-1f7e-4a3f-9c0e-%012d","messageId":"ajs-next-1764000000000-%08d",`+
		`"originalTimestamp":"2026-01-02T03:04:05.678Z","context":{"library":{"name":"analytics.js","version":"next-1.84.3"},"locale":"en-GB","timezone":"Europe/Berlin",`+
		`"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36","page":{"path":"/checkout/done","referrer":"https://shop.example/checkout","search":"?utm_source=x","title":"Thank you","url":"https://shop.example/checkout/done?utm_source=x"},`+
		`"campaign":{"source":"x","medium":"cpc"}},"integrations":{"All":true},"properties":{"order_id":"o-%d","total":129.95,"currency":"EUR","coupon":"SPRING","products":[{"product_id":"p1","sku":"S-1","name":"A long name of a product","price":99.95,"quantity":1},{"product_id":"p2","sku":"S-2","name":"Another one","price":15,"quantity":2}]}}`, i, i, i, i)
}

// cpu returns the CPU time of this process, which other load does not lengthen
// as it does the time on the clock.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// nothing is a ResponseWriter that keeps only the status.
type nothing struct {
	header http.Header
	status int
}

func (n *nothing) Header() http.Header         { return n.header }
func (n *nothing) Write(b []byte) (int, error) { return len(b), nil }
func (n *nothing) WriteHeader(status int)      { n.status = status }
func (n *nothing) SetReadDeadline(time.Time) error {
	return nil
}

// BenchmarkGateway is everything from a request to its events, but for the
// network and the log: routing, key, body, unzipping, validating, enriching.
func BenchmarkGateway(b *testing.B) {
	c := config(fine)
	c.Kinds = []ingest.Kind{{Spec: catalog.Spec{Name: "http"}, Source: source(ingest.Calls())}}
	c.Source = func(key string) (ingest.Entry, bool) {
		return ingest.Entry{Workspace: "ws_a", Source: id.Source(key), Type: "http", Rate: ratelimit.Rate{Events: 1e9}}, true
	}
	g, err := ingest.New(c)
	if err != nil {
		b.Fatal(err)
	}
	members := make([]string, 100)
	for i := range members {
		members[i] = typical(i)
	}
	batch := []byte(`{"sentAt":"2026-01-02T03:04:06.000Z","batch":[` + strings.Join(members, ",") + `]}`)
	for _, bench := range []struct {
		name, path, encoding string
		body                 []byte
		events               int
	}{
		{"batch of 100", "/v1/batch", "", batch, 100},
		{"batch of 100, gzip", "/v1/batch", "gzip", zip(0, batch), 100},
		{"batch of 100, zstd", "/v1/batch", "zstd", zip(4, batch), 100},
		{"one", "/v1/track", "", []byte(typical(1)), 1},
	} {
		b.Run(bench.name, func(b *testing.B) {
			r := httptest.NewRequest("POST", bench.path, nil)
			r.Header.Set("Authorization", "Basic c3JjX2E6")
			if bench.encoding != "" {
				r.Header.Set("Content-Encoding", bench.encoding)
			}
			r.ContentLength = int64(len(bench.body))
			w := &nothing{header: http.Header{}}
			src := bytes.NewReader(bench.body)
			b.ReportAllocs()
			b.SetBytes(int64(len(batch) * bench.events / 100))
			start := cpu(b)
			for b.Loop() {
				src.Reset(bench.body)
				r.Body = closing{src}
				g.ServeHTTP(w, r)
				if w.status != http.StatusOK {
					b.Fatal(w.status)
				}
			}
			b.ReportMetric(float64((cpu(b)-start).Nanoseconds())/float64(b.N)/float64(bench.events), "cpu-ns/event")
		})
	}
}

// closing is a body.
type closing struct{ *bytes.Reader }

func (closing) Close() error { return nil }

// BenchmarkRequestOverTheNetwork is one event a request over a loopback
// connection, beside an echo that reads the body and answers the same: the
// difference is what the gateway costs. The client's part is in both.
func BenchmarkRequestOverTheNetwork(b *testing.B) {
	c := config(fine)
	c.Kinds = []ingest.Kind{{Spec: catalog.Spec{Name: "lines"}, Source: source(ingest.Calls())}}
	g, err := ingest.New(c)
	if err != nil {
		b.Fatal(err)
	}
	bare := echo.New()
	bare.POST("/v1/track", func(c echo.Context) error {
		if _, err := io.Copy(io.Discard, c.Request().Body); err != nil {
			return err
		}
		return c.JSONBlob(http.StatusOK, []byte(`{"success":true}`))
	})
	body := typical(1)
	for _, bench := range []struct {
		name    string
		handler http.Handler
	}{{"bare echo", bare}, {"gateway", g}} {
		b.Run(bench.name, func(b *testing.B) {
			server := httptest.NewServer(bench.handler)
			defer server.Close()
			start := cpu(b)
			for b.Loop() {
				req, _ := http.NewRequest("POST", server.URL+"/v1/track", strings.NewReader(body))
				req.SetBasicAuth("src_a", "")
				res, err := server.Client().Do(req)
				if err != nil || res.StatusCode != http.StatusOK {
					b.Fatal(res, err)
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
			b.ReportMetric(float64((cpu(b)-start).Nanoseconds())/float64(b.N), "cpu-ns/request")
		})
	}
}
