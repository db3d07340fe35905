package mapping_test

import (
	"strings"
	"testing"
)

// large is a file with what a usual kind needs.
const large = `calls:
  - on: { type: [track, page, screen] }
    require: [{ from: userId | anonymousId, code: acme_a }]
    age: { max: 87600h }
    path: /2/batch
    batch: { wrap: { options: { min: 1 }, events: "{items}" } }
    body:
      event: { from: $name, names: { Order Completed: purchase, Product Added: add_to_cart, Product Viewed: view_item } }
      user_id: userId
      device_id: context.device.id | anonymousId
      insert_id: messageId
      time: { from: $time, as: unix_ms }
      ip: context.ip
      email_sha: { from: $email, as: [email, sha256] }
      revenue: { from: properties.revenue | properties.total, as: number, when: { event: Order Completed } }
      currency: { from: properties.currency, or: USD }
      items: { each: $products, body: { id: product_id | sku, name: name, price: { from: price, as: number }, quantity: { from: quantity, as: integer, or: 1 } } }
      props: { rest: properties, except: [products, revenue, total, currency, email] }
      page: { url: context.page.url, referrer: context.page.referrer }
`

const usual = `{"type":"track","event":"Order Completed","userId":"u-12345","anonymousId":"4f6e9d3a-9b1e-4d7c-8a53-2f0d9d1b7c11","messageId":"ajs-next-1764380000000-0f3a7b9c","timestamp":"2025-11-28T10:11:12.345Z","context":{"ip":"203.0.113.7","userAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36","locale":"en-US","page":{"url":"https://shop.example.com/thanks?o=1","path":"/thanks","referrer":"https://shop.example.com/cart"},"campaign":{"name":"black-friday","source":"newsletter","medium":"email"},"traits":{"email":" Jane.Doe@Example.com ","firstName":"Jane","lastName":"Doe"}},"properties":{"order_id":"50314b8e9bcf000000000000","affiliation":"Google Store","total":27.5,"revenue":"25.00","shipping":3,"tax":2,"discount":2.5,"coupon":"hasbros","currency":"USD","products":[{"product_id":"507f1f77bcf86cd799439011","sku":"45790-32","name":"Monopoly","price":19,"quantity":1,"category":"Games"},{"product_id":"505bd76785ebb509fc183733","sku":"46493-32","name":"Uno Card Game","price":"3","category":"Games"}]},"integrations":{"All":true}}`

// BenchmarkBuild is for an event of 1.2 KB with 14 members, a list and a hash. The goal
// is 30 µs at most.
func BenchmarkBuild(b *testing.B) {
	d := open(b, large, "{}")
	events := make([]string, 100)
	for i := range events {
		events[i] = strings.Replace(usual, "u-12345", "u-"+strings.Repeat("7", i%7+1), 1)
	}
	batch := batchOf(events...)
	b.ReportAllocs()
	for b.Loop() {
		if reqs, verdicts := d.Build(batch); len(reqs) != 1 && len(verdicts) > 0 {
			b.Fatal(reqs, verdicts)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/event")
}
