package mapping_test

import (
	"net/http"
	"testing"

	"weir/dataplane/destination"
	"weir/dataplane/destination/mapping"
	"weir/shared/catalog"
	"weir/shared/secret"
)

// FuzzFiles: a file that the check accepts never panics on any event or answer, and
// never loses or doubles an item.
func FuzzFiles(f *testing.F) {
	for _, lines := range []string{
		large,
		"calls:\n  - { path: \"/x/{event}\", batch: { wrap: { name: event, l: \"{items}\" }, max: 2 }, parts: [{ u: userId }, { each: $products, body: { p: ., k: $key } }] }\n",
		"calls:\n  - { on: { event: [A, \"{settings.events}\"] }, path: /a, format: form, body: { \"*\": [{ rest: properties, flatten: _, keys: snake_case }, { rest: traits, rename: { a: b }, as: [string, { truncate: 3 }] }], \"{userId}\": 1 } }\n  - { retry: acme_a, after: 1m }\n",
		"lookups:\n  c: { key: \"{userId}{$email}\", path: /s, found: data.0.id, missing: 404 }\ncalls:\n  - { when: { any: [{ found.c: { exists: true } }, { userId: { not: [a, b], matches: \"x+\" } }] }, path: \"/c/{found.c}\", body: { a: \"{found.c}\" }, then: [{ path: /y, format: none }] }\nanswers:\n  - { status: [200, 4xx], items: [a.*.*, b.*], index: i, reason: r, reasons: { x: { is: retry, code: busy } }, is: dead, code: acme_a }\n",
		"calls:\n  - { path: /x, format: lines, batch: true, body: { each: properties.l, value: { each: $event.properties.l, value: { list: [., $index] } } } }\nanswers:\n  - { status: 200, items: e.*, id: id, part: id, where: { c: { above: 3 } }, is: split }\n",
	} {
		f.Add(lines, `{"flag":true,"word":"w","events":{"X":"y"}}`, usual, `{"type":"track","userId":"ada","event":"A","properties":{"l":[1,[2],{"a":"b"}],"":1}}`, `{"a":{"b":[{"i":0,"r":"x"}]},"e":[{"id":"1"}]}`)
		f.Add(lines, `{"flag":true,"overrides":{"a":"event","items.x":{"when":{"type":"track"},"value":{"each":"$products","value":"."}},"a.b":1}}`, usual, `{"type":"page"}`, `{}`)
	}
	f.Fuzz(func(t *testing.T, lines, settings, one, two, answer string) {
		spec, err := catalog.Parse([]byte(head + lines))
		if err != nil || spec.Calls == nil || len(spec.Calls.Go) > 0 {
			return
		}
		o, err := mapping.Define([]byte(head+lines))().Open([]byte(settings), map[string]secret.String{"key": secret.NewString("k")})
		if err != nil {
			return
		}
		b := batchOf(one, two, one, `{}`)
		if kind, ok := o.HTTP.(destination.Chained); ok {
			b.Found = map[string]string{}
			for _, r := range kind.LookUps(b) {
				found, v := kind.Find(r, destination.Response{Status: 200, Body: []byte(answer)})
				if v.Outcome == destination.Delivered {
					b.Found[r.Key] = found
				}
			}
		}
		for b.Stage = 0; b.Stage < 3; b.Stage++ {
			exactly(t, o.HTTP, b, answer)
		}
	})
}

// exactly wants each item in one request or verdict, and one verdict on each item of a
// request.
func exactly(t *testing.T, d destination.Destination, b destination.Batch, answer string) {
	t.Helper()
	reqs, verdicts := d.Build(b)
	fate := make([]int, len(b.Items))
	for _, v := range verdicts {
		fate[v.Item]++
	}
	for _, r := range reqs {
		for _, i := range r.Items {
			fate[i]++
		}
		for _, status := range []int{200, 400, 429, 500} {
			judged := make([]int, len(b.Items))
			for _, v := range d.Judge(r, destination.Response{Status: status, Body: []byte(answer), Header: http.Header{}}) {
				judged[v.Item]++
				if v.Outcome < destination.Delivered || v.Outcome > destination.Split {
					t.Errorf("status %d: outcome %d", status, v.Outcome)
				}
			}
			for _, i := range r.Items {
				if judged[i] != 1 {
					t.Errorf("status %d: item %d has %d verdicts", status, i, judged[i])
				}
			}
		}
	}
	for i, times := range fate {
		if times != 1 {
			t.Errorf("item %d ends %d times: %v %v", i, times, reqs, verdicts)
		}
	}
}
