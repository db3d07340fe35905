package mapping_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destination/mapping"
	"weir/dataplane/event"
	"weir/shared/id"
	"weir/shared/secret"
)

const head = `
family: destination
name: acme
title: Acme
doc: A test.
base: { any: "https://api.acme.example" }
auth: [{ type: bearer, value: "{secrets.key}" }]
limits: { batch: { size: 100, bytes: 4000 } }
codes:
  - { name: acme_a, doc: a reason }
  - { name: acme_b, doc: another reason }
secrets: [{ name: key, type: string, title: Key, doc: A key. }]
fields:
  - { name: flag, type: boolean, title: Flag, doc: A flag. }
  - { name: word, type: string, title: Word, doc: A word. }
  - { name: words, type: strings, title: Words, doc: Some words. }
  - { name: events, type: map, title: Events, doc: Names of events. }
  - { name: ordered, type: boolean, title: Ordered, doc: Keep order., default: true }
`

var now = time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)

// open opens the destination of a spec that goes on with lines.
func open(t testing.TB, lines, settings string) destination.Destination {
	t.Helper()
	o, err := mapping.Define([]byte(head+lines))().Open([]byte(settings), map[string]secret.String{"key": secret.NewString("k")})
	if err != nil {
		t.Fatal(err)
	}
	return o.HTTP
}

// batchOf makes a batch of events: JSON objects, whose types and users are read.
func batchOf(events ...string) destination.Batch {
	b := destination.Batch{Now: now}
	for i, text := range events {
		of := func(name string) string {
			_, rest, _ := strings.Cut(text, `"`+name+`":"`)
			value, _, _ := strings.Cut(rest, `"`)
			return value
		}
		b.Items = append(b.Items, destination.Item{Attempt: 1, Event: event.Event{
			MessageID: id.Event(fmt.Sprintf("m%d", i+1)), Type: of("type"), User: of("userId"), ReceivedAt: now, JSON: []byte(text),
		}})
	}
	return b
}

// lines shows what becomes of a batch.
func lines(reqs []destination.Request, verdicts []destination.Verdict) string {
	var b strings.Builder
	for _, r := range reqs {
		fmt.Fprintf(&b, "%s %s %v %s\n", r.Method, strings.TrimPrefix(r.URL, "https://api.acme.example"), r.Items, r.Body)
	}
	for _, v := range verdicts {
		fmt.Fprintf(&b, "%d %d %s\n", v.Item, v.Outcome, v.Code)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

const order = `{"type":"track","event":"Completed Order","userId":"ada","anonymousId":"an-1","timestamp":"2026-01-02T03:04:00.123+01:00",` +
	`"context":{"traits":{"email":" Ada@Example.com ","plan":"pro"},"locale":"en-GB","page":{"url":"https://shop.example/a?b=c"}},` +
	`"properties":{"total":"30.5","big":12345678901234567890,"empty":"","nothing":null,"yes":"yes","Odd Name":1,"a.b":2,"nested":{"x":{"y":1},"l":[1,2]},` +
	`"products":[{"product_id":"p1","name":"One","price":1.5,"quantity":"2"},{"sku":"s2","price":3}]}}`

// TestBodies: each value of a body.
func TestBodies(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ body, settings, want string }{
		"paths":                   {`{ a: userId, b: properties.big, c: properties.nested, d: properties.products.1.sku, e: properties.a\.b, f: properties.Odd Name }`, `{}`, `{"a":"ada","b":12345678901234567890,"c":{"x":{"y":1},"l":[1,2]},"d":"s2","e":2,"f":1}`},
		"absent is left out":      {`{ a: groupId, b: properties.empty, c: properties.nothing, d: { x: groupId }, e: { list: [groupId] }, f: { object: { x: groupId }, keepEmpty: true } }`, `{}`, `{"f":{}}`},
		"the first that is there": {`{ a: groupId | properties.empty | userId, b: [groupId, anonymousId] }`, `{}`, `{"a":"ada","b":"an-1"}`},
		"constants":               {`{ a: 1, b: true, c: { constant: [x, { y: 1.5 }] }, d: { constant: null }, e: { constant: userId } }`, `{}`, `{"a":1,"b":true,"c":["x",{"y":1.5}],"d":null,"e":"userId"}`},
		"templates":               {`{ a: "{userId}/{event}", b: "{properties.big}", c: "{{x}} {groupId | 'no | group'}", d: "{groupId}", e: "{settings.flag}", f: "{settings.word}!" }`, `{"flag":true,"word":"w"}`, `{"a":"ada/Completed Order","b":12345678901234567890,"c":"{x} no | group","e":true,"f":"w!"}`},
		"of the event":            {`{ a: $user, b: $name, c: $trait.plan, d: $email, e: $time, f: $received, g: $now, h: messageId, i: type }`, `{}`, `{"a":"ada","b":"Completed Order","c":"pro","d":" Ada@Example.com ","e":"2026-01-02T02:04:00.123Z","f":"2026-01-02T03:04:05.678Z","g":"2026-01-02T03:04:05.678Z","h":"m1","i":"track"}`},
		"conversions":             {`{ a: { from: $email, as: [email, sha256] }, b: { from: properties.total, as: number }, c: { from: $time, as: unix_ms }, d: { from: messageId, as: { suffix: -2 } }, e: { from: properties.products, as: { sum: price } }, f: { from: properties.yes, as: boolean }, g: { from: userId, as: number } }`, `{}`, `{"a":"b5fc85e55755f9e0d030a10ab4429b6b2944855f9a0d60077fe832becbc41d72","b":30.5,"c":1767319440123,"d":"m1-2","e":4.5,"f":true}`},
		"names":                   {`{ a: { from: event, names: { Order Completed: purchase } }, b: { from: event, names: ["{settings.events}", { Order Completed: no }] }, c: { from: event, names: { Other: x }, onlyNamed: true, or: other }, d: { from: event, names: { Other: x } } }`, `{"events":{"order_completed":"mine"}}`, `{"a":"purchase","b":"mine","c":"other","d":"Completed Order"}`},
		"defaults":                {`{ a: { from: groupId, or: USD }, b: { from: groupId, or: 0 }, c: { from: groupId, or: "{userId}-x" } }`, `{}`, `{"a":"USD","b":0,"c":"ada-x"}`},
		"each":                    {`{ a: { each: $products, body: { id: product_id | sku, n: { from: quantity, as: integer, or: 1 }, at: $index, of: $event.userId, who: $user } }, b: { each: $products, value: product_id }, c: { each: $products, max: 1, body: { p: $position } } }`, `{}`, `{"a":[{"id":"p1","n":2,"at":0,"of":"ada","who":"ada"},{"id":"s2","n":1,"at":1,"of":"ada","who":"ada"}],"b":["p1"],"c":[{"p":1}]}`},
		"members":                 {`{ a: { each: properties.nested, body: { k: $key, v: . } } }`, `{}`, `{"a":[{"k":"x","v":{"y":1}},{"k":"l","v":[1,2]}]}`},
		"rest":                    {`{ a: { rest: properties, only: [big, total], rename: { big: Big } }, b: { rest: properties.nested, flatten: _ }, c: { rest: context.traits, except: "{settings.words}" }, d: { rest: properties, only: [Odd Name], keys: snake_case }, e: { rest: context.traits, max: 1 }, f: { rest: properties.nested, as: string } }`, `{"words":["email"]}`, `{"a":{"total":"30.5","Big":12345678901234567890},"b":{"x_y":1,"l":[1,2]},"c":{"plan":"pro"},"d":{"odd_name":1},"e":{"email":" Ada@Example.com "},"f":{"x":"{\"y\":1}","l":"[1,2]"}}`},
		"members in the object":   {`{ plan: userId, "*": [{ rest: context.traits }, { rest: properties, only: [total, big] }], big: { constant: b } }`, `{}`, `{"plan":"ada","email":" Ada@Example.com ","total":"30.5","big":"b"}`},
		"names from settings":     {`{ "{settings.word}": userId, "{event}": 1, "x-{userId}": 2 }`, `{"word":"key"}`, `{"key":"ada","Completed Order":1,"x-ada":2}`},
		"no name from settings":   {`{ "{settings.word}": userId, a: 1 }`, `{}`, `{"a":1}`},
		"conditions of values":    {`{ a: { from: userId, when: { settings.flag: true } }, b: { constant: 1, when: { settings.flag: false } }, c: { constant: 1, when: { event: Order Completed } }, d: { object: { x: 1 }, when: { properties.total: { above: 40 } } } }`, `{}`, `{"b":1,"c":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, "calls:\n  - path: /x\n    body: "+tc.body+"\n", tc.settings)
			got := lines(d.Build(batchOf(order)))
			want := "POST /x [0] " + tc.want
			if got != want {
				t.Errorf("%s\ngot  %s\nwant %s", tc.body, got, want)
			}
		})
	}
}

// TestAnAnswerThatIsCutSaysNothingOfTheRest: what was not read may refuse any of them. One
// that is alone has no rest.
func TestAnAnswerThatIsCutSaysNothingOfTheRest(t *testing.T) {
	t.Parallel()
	d := open(t, `calls:
  - on: { type: [track] }
    path: /x
    batch: { wrap: { events: "{items}" } }
    body: { id: messageId }
answers:
  - { status: 200, items: errors.*, index: at, is: dead, code: acme_a }
`, "{}")
	res := destination.Response{Status: 200, Body: []byte(`{"errors":[{"at":1},{"at`), Cut: true}
	var got []destination.Outcome
	for _, v := range d.Judge(destination.Request{Items: []int{0, 1, 2}}, res) {
		got = append(got, v.Outcome)
	}
	if want := []destination.Outcome{destination.Split, destination.Split, destination.Split}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if v := d.Judge(destination.Request{Items: []int{0}}, res); v[0].Outcome != destination.Delivered {
		t.Errorf("alone: %+v", v)
	}
}
