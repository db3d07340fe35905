package transform_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/dataplane/transform"
	"weir/shared/script"
	"weir/shared/script/scripttest"
)

// typical is a track call of about 1 KB, as a browser SDK sends it.
func typical(i int) string {
	return fmt.Sprintf(`{"type":"track","event":"Order Completed","userId":"user-%06d","anonymousId":"5f3c0e52-1f7e-4a3f-9c0e-%012d","messageId":"ajs-next-1764000000000-%08d",`+
		`"originalTimestamp":"2026-01-02T03:04:05.678Z","context":{"library":{"name":"analytics.js","version":"next-1.84.3"},"locale":"en-GB","timezone":"Europe/Berlin",`+
		`"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36","page":{"path":"/checkout/done","referrer":"https://shop.example/checkout","search":"?utm_source=x","title":"Thank you","url":"https://shop.example/checkout/done?utm_source=x"},`+
		`"campaign":{"source":"x","medium":"cpc"}},"integrations":{"All":true},"properties":{"order_id":"o-%d","total":129.95,"currency":"EUR","coupon":"SPRING","products":[{"product_id":"p1","sku":"S-1","name":"A long name of a product","price":99.95,"quantity":1},{"product_id":"p2","sku":"S-2","name":"Another one","price":15,"quantity":2}]}}`, i, i, i, i)
}

const noop = `export function transformEvent(event) { return event; }`

// twenty is a function of some twenty lines: a library, a filter, a rename map,
// a regular expression, lists, template strings.
const twenty = `
import { clean } from "strings";
const names = { order_id: "orderId", total: "amount", currency: "currency", coupon: "code" };
export function transformEvent(event, metadata) {
  if (event.type !== "track" || event.event === "Heartbeat") return null;
  const { properties = {}, context } = event;
  const renamed = {};
  for (const [key, value] of Object.entries(properties)) {
    renamed[names[key] ?? key] = value;
  }
  renamed.products = (properties.products ?? [])
    .filter(p => p.price > 1)
    .map(p => ({ ...p, name: clean(p.name), revenue: p.price * p.quantity }));
  renamed.count = renamed.products.length;
  const campaign = /utm_source=([^&]+)/.exec(context?.page?.search ?? "")?.[1];
  if (campaign) renamed.label = ` + "`${campaign}/${metadata(event).sourceName}`" + `;
  if (renamed.email) renamed.email = renamed.email.toLowerCase();
  delete renamed.code;
  return { ...event, event: event.event.trim(), properties: renamed };
}
`

func BenchmarkApply(b *testing.B) {
	library := script.File{Name: "strings", Code: `export const clean = s => s.trim().replace(/\s+/g, " ").toLowerCase();`}
	for _, bench := range []struct {
		name, code string
		events     int // of one call
	}{
		{"noop", noop, 100},
		{"noopAlone", noop, 1},
		{"twenty", twenty, 100},
		{"twentyAsync", strings.Replace(twenty, "export function", "export async function", 1), 100},
		{"twentyTens", twenty, 10},
		{"batch", `export function transformBatch(events) { return events; }`, 100},
		{"top", `export function transformEvent(event) { event.event = "x" + event.event; return event; }`, 100},
	} {
		b.Run(bench.name, func(b *testing.B) {
			e := run(b, transform.Config{Workers: 2})
			c := transform.NewChain(scripttest.Compile(b, []script.File{{Code: bench.code}}, []script.File{library}))
			n := bench.events
			texts := make([]string, n)
			for i := range texts {
				texts[i] = typical(i)
			}
			in := parsed(b, texts...)
			for range 20 {
				apply(b, e, c, in)
			}
			pids := children(b)
			start := used(b, pids)
			for b.Loop() {
				r, err := e.Apply(context.Background(), c, meta, in)
				if err != nil || len(r.Outs) != n {
					b.Fatal(err, r.Ends)
				}
			}
			spent := used(b, pids) - start
			each := max(spent/time.Duration(b.N*n), 1)
			b.ReportMetric(float64(each.Nanoseconds()), "cpu-ns/event")
			b.ReportMetric(float64(time.Second/each), "events/s/core")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// used is the CPU time of this process and of workers.
func used(b *testing.B, pids []int) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	total := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			b.Fatal(err)
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		for _, f := range fields[11:13] { // utime, stime in hundredths of a second
			ticks, err := strconv.Atoi(f)
			if err != nil {
				b.Fatal(err)
			}
			total += time.Duration(ticks) * 10 * time.Millisecond
		}
	}
	return total
}
