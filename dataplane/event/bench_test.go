package event_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/dataplane/event"
)

// typical is a track call of about 1 KB, as a browser SDK sends it.
func typical(i int) string {
	return fmt.Sprintf(`{"type":"track","event":"Order Completed","userId":"user-%06d","anonymousId":"5f3c0e52-1f7e-4a3f-9c0e-%012d","messageId":"ajs-next-1764000000000-%08d",`+
		`"originalTimestamp":"2026-01-02T03:04:05.678Z","context":{"library":{"name":"analytics.js","version":"next-1.84.3"},"locale":"en-GB","timezone":"Europe/Berlin",`+
		`"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36","page":{"path":"/checkout/done","referrer":"https://shop.example/checkout","search":"?utm_source=x","title":"Thank you","url":"https://shop.example/checkout/done?utm_source=x"},`+
		`"campaign":{"source":"x","medium":"cpc"}},"integrations":{"All":true},"properties":{"order_id":"o-%d","total":129.95,"currency":"EUR","coupon":"SPRING","products":[{"product_id":"p1","sku":"S-1","name":"A long name of a product","price":99.95,"quantity":1},{"product_id":"p2","sku":"S-2","name":"Another one","price":15,"quantity":2}]}}`, i, i, i, i)
}

func batchOf(n int) []byte {
	members := make([]string, n)
	for i := range members {
		members[i] = typical(i)
	}
	return []byte(`{"sentAt":"2026-01-02T03:04:06.000Z","batch":[` + strings.Join(members, ",") + `]}`)
}

func BenchmarkParseBatch(b *testing.B) {
	const n = 100
	body := batchOf(n)
	stamp := event.Stamp{Workspace: "ws_a", Source: "src_a", ReceivedAt: time.Now(), RequestIP: "203.0.113.9"}
	var batch event.Batch
	var p event.Parser
	b.SetBytes(int64(len(body)))
	start := cpu(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := batch.Cut(body); err != nil {
			b.Fatal(err)
		}
		p.Begin(stamp, &batch, len(body), len(batch.Members))
		for _, m := range batch.Members {
			if _, code := p.Event(m); code != "" {
				b.Fatal(code)
			}
		}
	}
	b.ReportMetric(float64((cpu(b)-start).Nanoseconds())/float64(b.N)/n, "cpu-ns/event")
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
