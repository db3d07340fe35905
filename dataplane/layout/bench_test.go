package layout_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/dataplane/layout"
)

// typical is a track call of about 1 KB, as a browser SDK sends it.
const typical = `{"type":"track","event":"Order Completed","userId":"user-000001","anonymousId":"5f3c0e52-1f7e-4a3f-9c0e-000000000001","messageId":"ajs-next-1764000000000-00000001","originalTimestamp":"2026-01-02T03:04:05.678Z",` +
	`"context":{"library":{"name":"analytics.js","version":"next-1.84.3"},"locale":"en-GB","timezone":"Europe/Berlin","userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36","page":{"path":"/checkout/done","referrer":"https://shop.example/checkout","search":"?utm_source=x","title":"Thank you","url":"https://shop.example/checkout/done?utm_source=x"},"campaign":{"source":"x","medium":"cpc"}},` +
	`"integrations":{"All":true},"properties":{"order_id":"o-1","total":129.95,"currency":"EUR","coupon":"SPRING","products":[{"product_id":"p1","sku":"S-1","name":"A long name of a product","price":99.95,"quantity":1},{"product_id":"p2","sku":"S-2","name":"Another one","price":15,"quantity":2}]}}`

func bench(b *testing.B, text string) {
	d := dialect(b, "postgres")
	o, m, event := &layout.Options{}, layout.Meta{Now: now}, []byte(text)
	b.SetBytes(int64(len(event)))
	b.ReportAllocs()
	start := cpu(b)
	for b.Loop() {
		if _, _, err := d.Rows(o, m, event); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpu(b)-start).Nanoseconds())/float64(b.N), "cpu-ns/op")
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

func BenchmarkTypical(b *testing.B) { bench(b, typical) }

func BenchmarkDeep(b *testing.B) {
	bench(b, `{"type":"page","properties":`+strings.Repeat(`{"abcdefgh":`, 127)+`1`+strings.Repeat(`}`, 127)+`}`)
}

func BenchmarkMegabyte(b *testing.B) {
	bench(b, `{"type":"page","properties":{"list":[`+strings.Repeat(`{"a":"some text","n":12},`, 40_000)+`1]}}`)
}
