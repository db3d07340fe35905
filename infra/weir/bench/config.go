package main

import (
	"fmt"
	"strings"
)

// Write keys of further sources.
const (
	codeKey   = "wk_bench_code"
	rowsKey   = "wk_bench_rows"
	aloneKey  = "wk_bench_alone"
	besideKey = "wk_bench_beside"
)

// webhookConfig takes the sink's URL. Its function has twenty lines: a filter, a
// map of names, a list, a regular expression, a template string.
const webhookConfig = `workspace: bench
region: eu
sources:
  - { name: web, type: http, writeKey: ` + writeKey + ` }
  - { name: code, type: http, writeKey: ` + codeKey + ` }
transformations:
  - name: twenty
    language: javascript
    code: |
      const names = { checkout_id: "orderId", revenue: "amount", currency: "currency", coupon: "code" };
      const clean = s => s.trim().replace(/\s+/g, " ").toLowerCase();
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
        const step = /step=([^&]+)/.exec(context?.page?.search ?? "")?.[1];
        if (step) renamed.label = "" + step + "/" + metadata(event).sourceName;
        if (renamed.email) renamed.email = renamed.email.toLowerCase();
        delete renamed.code;
        return { ...event, event: event.event.trim(), properties: renamed };
      }
destinations:
  - { name: hook, type: webhook, settings: { url: "%s/events" } }
connections:
  - { source: web, destination: hook }
  - { source: code, destination: hook, transformations: [twenty] }
`

// holes is how many of ten webhooks never answer.
const holes = 9

// besideConfig is a warehouse, and a webhook that is reached alone or beside
// those that never answer.
func besideConfig(sink, hole string) []byte {
	var destinations, connections strings.Builder
	for i := range holes {
		_, _ = fmt.Fprintf(&destinations, "  - { name: hole%d, type: webhook, settings: { url: \"%s/%d\" } }\n", i, hole, i)
		_, _ = fmt.Fprintf(&connections, "  - { source: beside, destination: hole%d }\n", i)
	}
	return fmt.Appendf(nil, `workspace: bench
region: eu
sources:
  - { name: rows, type: http, writeKey: %s }
  - { name: alone, type: http, writeKey: %s }
  - { name: beside, type: http, writeKey: %s }
destinations:
  - { name: hook, type: webhook, settings: { url: "%s/events" } }
  - { name: lake, type: duckdb, settings: { path: "bench.duckdb", syncEvery: 5s } }
%sconnections:
  - { source: rows, destination: lake }
  - { source: alone, destination: hook }
  - { source: beside, destination: hook }
%s`, rowsKey, aloneKey, besideKey, sink, &destinations, &connections)
}
