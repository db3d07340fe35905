package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"weir/infra/weir/bench/webhook"
)

// Write keys of further sources.
const (
	codeKey  = "wk_bench_code"
	rowsKey  = "wk_bench_rows"
	aloneKey = "wk_bench_alone"
	soakKey  = "wk_bench_soak"
	lateKey  = "wk_bench_late"
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

// failing is how many of ten webhooks fail.
const failing = 9

// besideConfig is a warehouse, and a webhook that is reached alone or beside
// nine that fail. urls are those of the failing, by write key of the source beside.
func besideConfig(sink, late string, urls map[string]string) []byte {
	var sources, destinations, connections strings.Builder
	for n, key := range slices.Sorted(maps.Keys(urls)) {
		_, _ = fmt.Fprintf(&sources, "  - { name: beside%d, type: http, writeKey: %s }\n", n, key)
		_, _ = fmt.Fprintf(&connections, "  - { source: beside%d, destination: hook }\n", n)
		for i := range failing {
			_, _ = fmt.Fprintf(&destinations, "  - { name: sick%d%d, type: webhook, settings: { url: \"%s/%d\" } }\n", n, i, urls[key], i)
			_, _ = fmt.Fprintf(&connections, "  - { source: beside%d, destination: sick%d%d }\n", n, n, i)
		}
	}
	return fmt.Appendf(nil, `workspace: bench
region: eu
sources:
  - { name: rows, type: http, writeKey: %s }
  - { name: alone, type: http, writeKey: %s }
  - { name: late, type: http, writeKey: %s }
%sdestinations:
  - { name: hook, type: webhook, settings: { url: "%s/events" } }
  - { name: late, type: webhook, settings: { url: %q } }
  - { name: lake, type: duckdb, settings: { path: "bench.duckdb", syncEvery: 5s } }
%sconnections:
  - { source: rows, destination: lake }
  - { source: alone, destination: hook }
  - { source: late, destination: hook }
  - { source: late, destination: late }
%s`, rowsKey, aloneKey, lateKey, &sources, sink, late, &destinations, &connections)
}

// soakConfig sends everything to the sink and to others.
func soakConfig(sink string, others []*webhook.Webhook) []byte {
	var destinations, connections strings.Builder
	for i, h := range others {
		_, _ = fmt.Fprintf(&destinations, "  - { name: sick%d, type: webhook, settings: { url: %q } }\n", i, h.URL)
		_, _ = fmt.Fprintf(&connections, "  - { source: web, destination: sick%d }\n", i)
	}
	return fmt.Appendf(nil, `workspace: bench
region: eu
sources:
  - { name: web, type: http, writeKey: %s }
destinations:
  - { name: hook, type: webhook, settings: { url: "%s/events" } }
%sconnections:
  - { source: web, destination: hook }
%s`, soakKey, sink, &destinations, &connections)
}
