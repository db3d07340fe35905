package mapping_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination"
)

func track(user, event, more string) string {
	return `{"type":"track","userId":"` + user + `","event":"` + event + `"` + more + `}`
}

// TestCalls: which call is taken, how it is addressed, what is left out and why.
func TestCalls(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ lines, settings, event, want string }{
		"by type and name": {`
  - { on: { type: [track], event: [Order Completed, "{settings.events}"] }, path: /orders, format: none }
  - { on: { type: [track, page] }, path: /events, format: none }`, `{"events":{"Mine":"x"}}`, track("ada", "Mine", ""), `POST /orders [0] `},
		"a synonym":   {"\n  - { on: { event: Order Completed }, path: /orders, format: none }", `{}`, track("ada", "order_completed", ""), `POST /orders [0] `},
		"no call":     {"\n  - { on: { type: [page] }, path: /x, format: none }", `{}`, track("ada", "X", ""), `0 2 unsupported_event`},
		"dropped":     {"\n  - { on: { type: [track] }, drop: acme_a }", `{}`, track("ada", "X", ""), `0 2 acme_a`},
		"retried":     {"\n  - { retry: acme_b, after: 5m }", `{}`, track("ada", "X", ""), `0 3 acme_b`},
		"by settings": {"\n  - { when: { settings.flag: true }, path: /x, format: none }\n  - { when: { settings.flag: { not: true } }, path: /y, format: none }", `{}`, track("ada", "X", ""), `POST /y [0] `},
		"any, none": {"\n  - { when: { none: [{ userId: bob }, { event: X }] }, path: /x, format: none }\n  - { when: { any: [{ userId: bob }, { event: [X, Y] }], properties.n: { below: 3, is: number } }, path: /y, format: none }",
			`{}`, track("ada", "X", `,"properties":{"n":2}`), `POST /y [0] `},
		"settings that exclude": {"\n  - { when: { any: [{ settings.word: a }] }, path: /x, format: none }\n  - { when: { event: { matches: 'X+', in: \"{settings.words}\" } }, path: /y, format: none }", `{"word":"b","words":["XX"]}`, track("ada", "XX", ""), `POST /y [0] `},
		"required":              {"\n  - { require: [userId, { from: $email, as: email, code: acme_a }], path: /x, format: none }", `{}`, track("ada", "X", `,"properties":{"email":"no address"}`), `0 2 acme_a`},
		"required, no code":     {"\n  - { require: groupId | traits.group, path: /x, format: none }", `{}`, track("ada", "X", ""), `0 2 missing_field`},
		"too old":               {"\n  - { age: { max: 1h, code: acme_a }, path: /x, format: none }", `{}`, track("ada", "X", `,"timestamp":"2026-01-02T02:04:05Z"`), `0 2 acme_a`},
		"in the future":         {"\n  - { age: { ahead: 1h }, path: /x, format: none }", `{}`, track("ada", "X", `,"timestamp":"2026-01-02T05:04:05Z"`), `0 2 event_too_old`},
		"young enough":          {"\n  - { age: { max: 1h, ahead: 1m }, path: /x, format: none }", `{}`, track("ada", "X", `,"timestamp":"2026-01-02T02:04:06Z"`), `POST /x [0] `},
		"addressed": {"\n  - { method: PUT, path: \"/u/{userId}/{settings.word}\", query: { a: event, b: { constant: [1, 2] }, c: groupId }, format: none }",
			`{"word":"a/b"}`, track("a/../b?c", "X & Y", ""), `PUT /u/a%2F..%2Fb%3Fc/a%2Fb?a=X+%26+Y&b=1&b=2 [0] `},
		"no way up":      {"\n  - { path: \"/u/{event}/x\", format: none }", `{}`, track("ada", "..", ""), `POST /u/%2E%2E/x [0] `},
		"no reference":   {"\n  - { path: \"/u/{groupId}\", format: none }", `{}`, track("ada", "X", ""), `0 2 missing_field`},
		"form":           {"\n  - { path: /x, format: form, body: { a: event, b: properties.l, c: properties.o, d: groupId } }", `{}`, track("ada", "X Y", `,"properties":{"l":[1,"z"],"o":{"k":1}}`), `POST /x [0] a=X+Y&b=1&b=z&c=%7B%22k%22%3A1%7D`},
		"text":           {"\n  - { path: /x, format: text, body: \"{userId} did {event}\" }", `{}`, track("ada", "X", ""), `POST /x [0] ada did X`},
		"a whole body":   {"\n  - { path: /x, body: properties }", `{}`, track("ada", "X", `,"properties":{"a": [1,  2]}`), `POST /x [0] {"a": [1,  2]}`},
		"no body at all": {"\n  - { path: /x, body: properties }", `{}`, track("ada", "X", ""), `0 2 missing_field`},
		"anchors":        {"\n  - { on: { type: [page] }, path: /x, body: &b { a: userId, b: 1 } }\n  - { path: /x, body: { <<: *b, b: 2, c: 3 } }", `{}`, track("ada", "X", ""), `POST /x [0] {"b":2,"c":3,"a":"ada"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := lines(open(t, "calls:"+tc.lines+"\n", tc.settings).Build(batchOf(tc.event)))
			if got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestHeaders: headers of the file beside the type of the body.
func TestHeaders(t *testing.T) {
	t.Parallel()
	d := open(t, "calls:\n  - { path: /x, headers: { x-id: messageId, x-n: groupId, X-Odd: properties.odd }, body: { a: 1 } }\n", "{}")
	reqs, _ := d.Build(batchOf(track("ada", "X", `,"properties":{"odd":"a\r\nb"}`)))
	want := http.Header{"Content-Type": {"application/json"}, "X-Id": {"m1"}, "X-Odd": {"ab"}}
	if len(reqs) != 1 || len(reqs[0].Header) != len(want) || reqs[0].Header.Get("X-Id") != "m1" || reqs[0].Header.Get("X-Odd") != "ab" {
		t.Errorf("got %v, want headers %v", reqs, want)
	}
}

// TestBatches: which events share a request, and in which order requests go.
func TestBatches(t *testing.T) {
	t.Parallel()
	two := "\n  - { on: { event: [A] }, path: /a, batch: true, body: { u: userId } }\n  - { on: { event: [B] }, path: /b, batch: true, body: { u: userId } }"
	for name, tc := range map[string]struct {
		lines, settings string
		events          []string
		want            string
	}{
		"wrapped": {"\n  - { path: /x, batch: { wrap: { options: { n: 1, of: \"{settings.word}\" }, events: \"{items}\" } }, body: { u: userId } }", `{"word":"w"}`,
			[]string{track("a", "X", ""), track("b", "X", "")}, `POST /x [0 1] {"options":{"n":1,"of":"w"},"events":[{"u":"a"},{"u":"b"}]}`},
		"lines":        {"\n  - { path: /x, format: lines, batch: true, body: { u: userId } }", `{}`, []string{track("a", "X", ""), track("b", "X", "")}, "POST /x [0 1] {\"u\":\"a\"}\n{\"u\":\"b\"}\n"},
		"at most":      {"\n  - { path: /x, batch: { max: 2 }, body: { u: userId } }", `{}`, []string{track("a", "X", ""), track("b", "X", ""), track("c", "X", "")}, "POST /x [0 1] [{\"u\":\"a\"},{\"u\":\"b\"}]\nPOST /x [2] [{\"u\":\"c\"}]"},
		"by their key": {"\n  - { path: \"/x/{event}\", batch: true, body: { u: userId } }", `{}`, []string{track("a", "X", ""), track("b", "Y", ""), track("c", "X", "")}, "POST /x/X [0 2] [{\"u\":\"a\"},{\"u\":\"c\"}]\nPOST /x/Y [1] [{\"u\":\"b\"}]"},
		"by the wrap":  {"\n  - { path: /x, batch: { wrap: { name: event, l: \"{items}\" } }, body: { u: userId } }", `{}`, []string{track("a", "X", ""), track("b", "Y", ""), track("c", "X", "")}, "POST /x [0 2] {\"name\":\"X\",\"l\":[{\"u\":\"a\"},{\"u\":\"c\"}]}\nPOST /x [1] {\"name\":\"Y\",\"l\":[{\"u\":\"b\"}]}"},
		"order of a user": {two, `{}`, []string{track("a", "A", ""), track("a", "B", ""), track("a", "A", ""), track("b", "A", "")},
			"POST /a [0] [{\"u\":\"a\"}]\nPOST /b [1] [{\"u\":\"a\"}]\nPOST /a [2 3] [{\"u\":\"a\"},{\"u\":\"b\"}]"},
		"no order": {two, `{"ordered":false}`, []string{track("a", "A", ""), track("a", "B", ""), track("a", "A", "")}, "POST /a [0 2] [{\"u\":\"a\"},{\"u\":\"a\"}]\nPOST /b [1] [{\"u\":\"a\"}]"},
		"parts": {"\n  - path: /x\n    batch: true\n    parts:\n      - { e: event }\n      - { each: $products, when: { settings.flag: true }, body: { p: product_id, id: \"{$event.messageId}-{$position}\" } }", `{"flag":true}`,
			[]string{track("a", "X", `,"properties":{"products":[{"product_id":1},{"product_id":2}]}`), track("b", "Y", "")},
			`POST /x [0 1] [{"e":"X"},{"p":1,"id":"m1-1"},{"p":2,"id":"m1-2"},{"e":"Y"}]`},
		"bytes": {"\n  - { path: /x, batch: true, body: { p: properties.p } }", `{}`, []string{track("a", "X", `,"properties":{"p":"`+strings.Repeat("x", 2500)+`"}`), track("b", "X", `,"properties":{"p":"`+strings.Repeat("x", 2500)+`"}`)},
			"POST /x [0] [{\"p\":\"" + strings.Repeat("x", 2500) + "\"}]\nPOST /x [1] [{\"p\":\"" + strings.Repeat("x", 2500) + "\"}]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := lines(open(t, "calls:"+tc.lines+"\n", tc.settings).Build(batchOf(tc.events...)))
			if got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestRequestsOfElements: a call with each is a request for each element, at stages of its own.
func TestRequestsOfElements(t *testing.T) {
	t.Parallel()
	d := open(t, `calls:
  - on: { event: Y }
    each: properties.l
    path: "/y/{.}"
    query: { u: $user }
    format: none
  - path: /x
    format: none
    then:
      - { when: { properties.on: true }, each: $products, max: 2, path: /p, headers: { X-N: $index }, body: { id: "{$event.messageId}-{$position}", s: sku, u: $event.userId } }
      - { path: /end, format: none }
`, `{}`)
	three := `,"properties":{"on":true,"products":[{"sku":"a"},{"sku":"b"},{"sku":"c"}]}`
	for name, tc := range map[string]struct {
		event string
		want  []string
	}{
		"in turn":       {track("ada", "X", three), []string{`POST /x [0] `, `POST /p [0] {"id":"m1-1","s":"a","u":"ada"}`, `POST /p [0] {"id":"m1-2","s":"b","u":"ada"}`, `POST /end [0] `}},
		"none":          {track("ada", "X", `,"properties":{"on":true}`), []string{`POST /x [0] `, `POST /end [0] `}},
		"left out":      {track("ada", "X", strings.Replace(three, "true", "false", 1)), []string{`POST /x [0] `, `POST /end [0] `}},
		"first":         {track("ada", "Y", `,"properties":{"l":["a","b"]}`), []string{`POST /y/a?u=ada [0] `, `POST /y/b?u=ada [0] `}},
		"first of none": {track("ada", "Y", ""), []string{`0 2 missing_field`}},
		"too many":      {track("ada", "Y", `,"properties":{"l":[`+strings.Repeat("1,", 128)+`1]}`), []string{`0 4 event_too_large`}},
	} {
		b, got := batchOf(tc.event), []string(nil)
		for {
			reqs, verdicts := d.Build(b)
			got = append(got, lines(reqs, verdicts))
			if len(reqs) == 0 || reqs[0].Next == 0 {
				break
			}
			b.Stage = reqs[0].Next
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

// TestWhatFollows: requests of one event that go one after the other, by stage.
func TestWhatFollows(t *testing.T) {
	t.Parallel()
	d := open(t, `calls:
  - path: /users
    batch: true
    body: { u: userId }
    then:
      - { when: { properties.list: { exists: true } }, path: "/lists/{properties.list}", body: { u: userId } }
      - { path: /events, batch: true, body: { e: event } }
`, `{}`)
	b := batchOf(track("a", "X", `,"properties":{"list":"l1"}`), track("b", "Y", ""), track("a", "Z", ""))
	want := []string{"POST /users [0 1] [{\"u\":\"a\"},{\"u\":\"b\"}]\nPOST /users [2] [{\"u\":\"a\"}]",
		"POST /lists/l1 [0] {\"u\":\"a\"}\nPOST /events [1 2] [{\"e\":\"Y\"},{\"e\":\"Z\"}]",
		"POST /events [0] [{\"e\":\"X\"}]"}
	for b.Stage = 0; b.Stage < 3; b.Stage++ {
		if b.Stage == 2 {
			b.Items = b.Items[:1] // those of the other two were built
		}
		reqs, verdicts := d.Build(b)
		if got := lines(reqs, verdicts); got != want[b.Stage] {
			t.Errorf("stage %d: got\n%s\nwant\n%s", b.Stage, got, want[b.Stage])
		}
		for _, r := range reqs {
			next := b.Stage + 1
			if b.Stage == 2 || b.Stage == 1 && r.Items[0] > 0 {
				next = 0
			}
			if r.Next != next {
				t.Errorf("stage %d: stage %d follows for %v, want %d", b.Stage, r.Next, r.Items, next)
			}
		}
	}
}

// TestAnswers: what answers mean, for all items and for parts.
func TestAnswers(t *testing.T) {
	t.Parallel()
	const spec = `calls:
  - { path: /x, batch: { wrap: { data: { rows: "{items}" } } }, parts: [{ id: messageId }, { when: { event: Two }, object: { id: "{messageId}-2" } }] }
answers:
  - { status: 200, when: { ok: false, code: [7, 8] }, is: dead, code: acme_a, detail: why }
  - { status: 200, when: { ok: wait }, is: retry, code: acme_b, after: { from: wait, unit: ms } }
  - { status: [200, 400], items: [failed.*, more.*.*], index: at, reason: code, reasons: { slow: { is: retry, code: busy }, gone: acme_b }, is: dead, code: acme_a }
  - { status: 200, items: results.*, index: $index, where: { status: { not: ok } }, is: dead, code: acme_b }
  - { status: 201, items: bad.*, id: event.id, part: id, is: dropped, code: acme_a }
  - { status: 207, items: bad.*.ids.*, id: ., part: id, reason: ., reasons: { m3: acme_b }, is: dead, code: acme_a }
  - { status: 4xx, contains: quota, is: retry, code: acme_b }
  - { status: 5xx, contains: weird, is: retry, code: acme_b }
  - { status: 422, is: delivered }
`
	d := open(t, spec, "{}")
	reqs, verdicts := d.Build(batchOf(track("a", "One", ""), track("b", "Two", ""), track("c", "One", "")))
	if len(reqs) != 1 || len(verdicts) > 0 || len(reqs[0].Parts) != 4 {
		t.Fatalf("built %v %v", reqs, verdicts)
	}
	for name, tc := range map[string]struct {
		status     int
		body, want string
	}{
		"delivered":            {200, `{"ok":true}`, "0 1 \n1 1 \n2 1 "},
		"dead in a 200":        {200, `{"ok":false,"code":7,"why":"no"}`, "0 4 acme_a\n1 4 acme_a\n2 4 acme_a"},
		"to be repeated":       {200, `{"ok":"wait","wait":2500}`, "0 3 acme_b\n1 3 acme_b\n2 3 acme_b"},
		"by index":             {200, `{"failed":[{"at":2,"code":"x"},{"at":3,"code":"slow"},{"at":9},{}]}`, "0 1 \n1 4 acme_a\n2 3 busy"},
		"by index, of lists":   {400, `{"more":{"a":[{"at":0,"code":"gone"}]}}`, "0 4 acme_b\n1 5 rejected_400\n2 5 rejected_400"},
		"nothing is refused":   {400, `{}`, "0 5 rejected_400\n1 5 rejected_400\n2 5 rejected_400"},
		"by id":                {201, `{"bad":[{"event":{"id":"m2-2"}},{"event":{"id":"other"}}]}`, "0 1 \n1 2 acme_a\n2 1 "},
		"by id, of texts":      {207, `{"bad":[{"ids":["m2-2","m3"]},{"ids":["other"]}]}`, "0 1 \n1 4 acme_a\n2 4 acme_b"},
		"by text":              {403, `no quota left`, "0 3 acme_b\n1 3 acme_b\n2 3 acme_b"},
		"a 5xx is repeated":    {503, `weird`, "0 3 acme_b\n1 3 acme_b\n2 3 acme_b"},
		"a 5xx of its own":     {503, ``, "0 3 server_error\n1 3 server_error\n2 3 server_error"},
		"delivered none so":    {422, ``, "0 1 \n1 1 \n2 1 "},
		"no JSON":              {200, `<html>`, "0 1 \n1 1 \n2 1 "},
		"what no answer meets": {401, `{}`, "0 4 rejected_401\n1 4 rejected_401\n2 4 rejected_401"},
	} {
		got := lines(nil, d.Judge(reqs[0], destination.Response{Status: tc.status, Body: []byte(tc.body), Header: http.Header{}}))
		if got != tc.want {
			t.Errorf("%s: %d %s\ngot\n%s\nwant\n%s", name, tc.status, tc.body, got, tc.want)
		}
	}
	v := d.Judge(reqs[0], destination.Response{Status: 200, Body: []byte(`{"ok":"wait","wait":2500}`)})
	if v[0].After.String() != "2.5s" {
		t.Errorf("the answer says to wait 2.5s, got %v", v[0].After)
	}
}

// TestLookUps: what is asked first, and what becomes of what it found.
func TestLookUps(t *testing.T) {
	t.Parallel()
	d := open(t, `lookups:
  contact: { on: { type: [track] }, key: userId | $email, path: /search, query: { id: userId }, found: data.0.id, missing: 404 }
calls:
  - { when: { found.contact: { exists: true } }, path: "/contacts/{found.contact}/events", body: { c: "{found.contact}" } }
  - { on: { type: [track] }, path: /contacts, body: { u: userId } }
`, "{}")
	kind, ok := d.(destination.Chained)
	if !ok {
		t.Fatal("a kind with look-ups is no Chained")
	}
	b := batchOf(track("a", "X", ""), track("b", "X", ""), track("a", "Y", ""), `{"type":"page","userId":"a"}`)
	asked := kind.LookUps(b)
	if got := lines(asked, nil); got != "GET /search?id=a [0 2] \nGET /search?id=b [1] " || asked[0].Key != "contact a" {
		t.Errorf("look-ups: %s, key %q", got, asked[0].Key)
	}
	b.Found = map[string]string{"contact a": "c-1"}
	want := "POST /contacts/c-1/events [0] {\"c\":\"c-1\"}\nPOST /contacts [1] {\"u\":\"b\"}\nPOST /contacts/c-1/events [2] {\"c\":\"c-1\"}\n3 2 unsupported_event"
	if got := lines(d.Build(b)); got != want {
		t.Errorf("built\n%s\nwant\n%s", got, want)
	}
	for body, want := range map[string]string{`{"data":[{"id":17}]}`: "17", `{"data":[]}`: "", `<`: ""} {
		if found, v := kind.Find(asked[0], destination.Response{Status: 200, Body: []byte(body)}); found != want || v.Outcome != destination.Delivered {
			t.Errorf("found %q %v in %s, want %q", found, v, body, want)
		}
	}
	if found, v := kind.Find(asked[0], destination.Response{Status: 404}); found != "" || v.Outcome != destination.Delivered {
		t.Errorf("a 404: %q %v, want nothing found", found, v)
	}
	if _, v := kind.Find(asked[0], destination.Response{Status: 503}); v.Outcome != destination.Retry {
		t.Errorf("a 503: %v, want a retry", v)
	}
}
