package destinationtest

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destination/cases"
	"weir/dataplane/event"
	"weir/shared/id"
)

// order is an event of 1.3 KB that every kind should have a use for.
const order = `{"type":"track","event":"Order Completed","userId":"u-12345","anonymousId":"4f6e9d3a-9b1e-4d7c-8a53-2f0d9d1b7c11","messageId":"ajs-next-1764380000000-0f3a7b9c","timestamp":"2026-01-02T03:00:00.345Z","context":{"ip":"203.0.113.7","userAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36","locale":"en-US","gclid":"made-up-click","li_fat_id":"made-up-click","page":{"url":"https://shop.example.com/thanks?o=1","path":"/thanks","referrer":"https://shop.example.com/cart"},"campaign":{"name":"black-friday","source":"newsletter","medium":"email"},"traits":{"email":" Jane.Doe@Example.com ","firstName":"Jane","lastName":"Doe"}},"properties":{"order_id":"50314b8e9bcf000000000000","affiliation":"Google Store","total":27.5,"revenue":"25.00","shipping":3,"tax":2,"discount":2.5,"coupon":"hasbros","currency":"USD","products":[{"product_id":"507f1f77bcf86cd799439011","sku":"45790-32","name":"Monopoly","price":19,"quantity":1,"category":"Games"},{"product_id":"505bd76785ebb509fc183733","sku":"46493-32","name":"Uno Card Game","price":3,"quantity":2,"category":"Games"}]},"integrations":{"All":true}}`

// Bench measures Build of kind, whose folder is dir, over a hundred orders with the
// settings of the first case in which all of them are sent; where there is none, over
// the events of the case of which the most are sent. Kinds without requests have none. It reports the
// time of an event, that of processors alone, and the former also as a multiple of what encoding/json takes to read and write
// the same event.
func Bench(b *testing.B, kind destination.Kind, dir string) {
	files, err := filepath.Glob(filepath.Join(dir, "testdata", "*.txtar"))
	if err != nil || len(files) == 0 {
		b.Fatalf("no case files in %s/testdata: %v", dir, err)
	}
	one, err := cases.Event([]byte(order))
	if err != nil {
		b.Fatal(err)
	}
	var o destination.Opened
	var batch destination.Batch
	for _, file := range files {
		c, err := readCase(file)
		if err != nil {
			b.Fatal(err)
		}
		opened, err := kind.Open(c.Settings, c.Secrets)
		if err != nil || opened.HTTP == nil {
			return
		}
		own := batchOf(slices.Repeat(c.Events, (99+len(c.Events))/len(c.Events)), c.Found)
		if sent(opened.HTTP, own) > sent(o.HTTP, batch) {
			o, batch = opened, own
		}
		if all := batchOf(slices.Repeat([]event.Event{one}, 100), c.Found); sent(opened.HTTP, all) == len(all.Items) {
			o, batch = opened, all
			break
		}
	}
	b.Run(kind.Spec.Name, func(b *testing.B) {
		bare := readAndWrite(b, batch)
		b.ReportAllocs()
		before := processor()
		for b.Loop() {
			fresh := batch
			fresh.Items = slices.Clone(batch.Items) // what Build reads of an event is kept in its item
			o.HTTP.Build(fresh)
		}
		b.ReportMetric(float64((processor()-before).Nanoseconds())/1e3/float64(b.N)/float64(len(batch.Items)), "cpu-us/event")
		each := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / float64(len(batch.Items))
		b.ReportMetric(each/1e3, "us/event")
		b.ReportMetric(each/bare, "x-json")
	})
}

// processor is the time that this process had of processors, with the collector's: on a
// machine that others use, too, it says more than the time that passed.
func processor() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func batchOf(events []event.Event, found map[string]string) destination.Batch {
	batch := destination.Batch{Now: now, Found: found}
	for i, e := range events {
		e.MessageID = id.Event(fmt.Sprintf("m%d", i))
		batch.Items = append(batch.Items, destination.Item{Event: e, Attempt: 1})
	}
	return batch
}

// sent is how many events of a batch are in requests.
func sent(d destination.Destination, batch destination.Batch) (n int) {
	if d == nil {
		return 0
	}
	batch.Items = slices.Clone(batch.Items)
	requests, _ := destination.Build(d, batch)
	for _, r := range requests {
		n += len(r.Items)
	}
	return n
}

// readAndWrite is the nanoseconds that encoding/json takes for an event of a batch.
func readAndWrite(b *testing.B, batch destination.Batch) float64 {
	b.Helper()
	const rounds = 20
	begun := time.Now()
	for range rounds {
		for _, it := range batch.Items {
			var fields map[string]any
			if err := json.Unmarshal(it.Event.JSON, &fields); err != nil {
				b.Fatal(err)
			}
			if _, err := json.Marshal(fields); err != nil {
				b.Fatal(err)
			}
		}
	}
	return float64(time.Since(begun).Nanoseconds()) / rounds / float64(len(batch.Items))
}
