package transform_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/event"
	"weir/dataplane/transform"
	"weir/shared/script"
	"weir/shared/script/scripttest"
)

// run starts an engine that ends with the test.
func run(t testing.TB, c transform.Config) *transform.Pool {
	t.Helper()
	e, err := transform.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return e
}

func compile(t testing.TB, codes ...string) *transform.Chain {
	t.Helper()
	var scripts []script.File
	for i, code := range codes {
		scripts = append(scripts, script.File{Name: fmt.Sprintf("t%d", i), Code: code})
	}
	return transform.NewChain(scripttest.Compile(t, scripts, nil))
}

// parsed makes events of JSON texts that have messageIds.
func parsed(t testing.TB, texts ...string) []event.Event {
	t.Helper()
	var out []event.Event
	for _, text := range texts {
		var p event.Parser
		p.Begin(event.Stamp{Workspace: "ws", Source: "src", ReceivedAt: time.Unix(1767323045, 0), RequestIP: "203.0.113.9"}, nil, len(text), 1)
		e, code := p.Event([]byte(text))
		if code != "" {
			t.Fatal(code)
		}
		out = append(out, e)
	}
	return out
}

// numbered makes n events with messageIds m0, m1, ...
func numbered(t testing.TB, n int) []event.Event {
	t.Helper()
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf(`{"type":"track","event":"E","userId":"u","messageId":"m%d","properties":{"n":%d}}`, i, i)
	}
	return parsed(t, texts...)
}

var meta = transform.Meta{Workspace: "ws", Source: "src", SourceName: "web", SourceType: "http", Destination: "dst", DestinationName: "hook", DestinationType: "webhook"}

func apply(t testing.TB, e *transform.Pool, c *transform.Chain, in []event.Event) transform.Result {
	t.Helper()
	r, err := e.Apply(context.Background(), c, meta, in)
	if err != nil {
		t.Fatal(err)
	}
	complete(t, len(in), r)
	return r
}

// complete fails unless each of n events has outputs or exactly one end.
func complete(t testing.TB, n int, r transform.Result) {
	t.Helper()
	outs, ends := make([]int, n), make([]int, n)
	last := 0
	for _, o := range r.Outs {
		outs[o.From]++
		if o.From < last {
			t.Errorf("output of %d after one of %d", o.From, last)
		}
		last = o.From
	}
	for _, d := range r.Ends {
		ends[d.From]++
	}
	for i := range n {
		if (outs[i] > 0) == (ends[i] > 0) || ends[i] > 1 {
			t.Errorf("event %d has %d outputs and %d ends", i, outs[i], ends[i])
		}
	}
}

// summary is a result as lines: what of each event came out, by its messageId and
// properties, and how it ended.
func summary(r transform.Result) []string {
	var lines []string
	for _, o := range r.Outs {
		properties := ""
		for k, v := range event.Fields(o.Event.JSON) {
			if string(k) == "properties" {
				properties = string(v)
			}
		}
		lines = append(lines, fmt.Sprintf("%d %s %s", o.From, o.Event.MessageID, properties))
	}
	for _, d := range r.Ends {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%d %s %s", d.From, d.Code, d.Text)))
	}
	for _, l := range r.Logs {
		lines = append(lines, fmt.Sprintf("%d log %s %s", l.From, l.Level, l.Text))
	}
	return lines
}

func TestWhatCodeReturnsDecidesWhatComesOut(t *testing.T) {
	t.Parallel()
	e := run(t, transform.Config{})
	for name, tc := range map[string]struct {
		codes []string
		n     int
		want  []string
	}{
		"unchanged": {[]string{`export function transformEvent(event) { return event }`}, 2, []string{`0 m0 {"n":0}`, `1 m1 {"n":1}`}},
		"changed":   {[]string{`export function transformEvent(event) { event.properties.x = 1; return event }`}, 1, []string{`0 m0 {"n":0,"x":1}`}},
		"replaced":  {[]string{`export const transformEvent = ({ userId }) => ({ userId, properties: { a: [1] } })`}, 1, []string{`0 m0 {"a":[1]}`}},
		"dropped":   {[]string{`export function transformEvent(event) { if (event.properties.n > 0) return event; return null }`}, 2, []string{`1 m1 {"n":1}`, `0 transformation_dropped`}},
		"nothing":   {[]string{`export function transformEvent(event) { }`}, 1, []string{`0 transformation_dropped`}},
		"fan out": {[]string{`export function transformEvent(e) { return [e, { ...e, properties: {} }, { ...e, messageId: "own" }, { userId: "u" }, null] }`}, 1,
			[]string{`0 m0 {"n":0}`, `0 m0:2 {}`, `0 own {"n":0}`, `0 m0:4 `}},
		"empty list":  {[]string{`export const transformEvent = () => []`}, 1, []string{`0 transformation_dropped`}},
		"number":      {[]string{`export const transformEvent = () => 5`}, 1, []string{`0 transformation_failed an output is a number, not an event`}},
		"bad in list": {[]string{`export const transformEvent = e => [e, "x"]`}, 1, []string{`0 transformation_failed an output is a string, not an event`}},
		"no user":     {[]string{`export const transformEvent = e => ({ a: 1 })`}, 1, []string{`0 transformation_failed an output has neither userId nor anonymousId`}},
		"throws": {[]string{"export function transformEvent(e) {\n  if (e.properties.n == 1)\n    throw new TypeError('no ' + e.event);\n  return e\n}"}, 3,
			[]string{`0 m0 {"n":0}`, `2 m2 {"n":2}`, `1 transformation_failed TypeError: no E (line 3, column 15)`}},
		"async":                            {[]string{`export async function transformEvent(e) { await null; e.properties.n += 10; await 1; return e }`}, 3, []string{`0 m0 {"n":10}`, `1 m1 {"n":11}`, `2 m2 {"n":12}`}},
		"reject":                           {[]string{`export async function transformEvent(e) { await null; if (e.properties.n == 0) throw 'x'; return e }`}, 2, []string{`1 m1 {"n":1}`, `0 transformation_failed thrown: x`}},
		"never":                            {[]string{`export function transformEvent(e) { return e.properties.n == 1 ? new Promise(() => {}) : e }`}, 3, []string{`0 m0 {"n":0}`, `2 m2 {"n":2}`, `1 transformation_failed the promise never settles`}},
		"batch":                            {[]string{`export function transformBatch(events, metadata) { return events.filter(e => e.properties.n != 1).map(e => ({ ...e, properties: { id: metadata(e).messageId } })) }`}, 3, []string{`0 m0 {"id":"m0"}`, `2 m2 {"id":"m2"}`, `1 transformation_dropped`}},
		"batch that reorders and fans out": {[]string{`export async function transformBatch(events) { return [events[1], events[0], { ...events[1] }] }`}, 2, []string{`0 m0 {"n":0}`, `1 m1 {"n":1}`, `1 m1:2 {"n":1}`}},
		"batch with a strange output":      {[]string{`export function transformBatch(events) { return [events[0], { userId: 'u', messageId: 'strange' }] }`}, 2, []string{`0 m0 {"n":0}`, `1 transformation_failed transformBatch returned an event with a messageId that is not of this batch: "strange"`}},
		"batch that throws for one":        {[]string{`export function transformBatch(events) { return events.map(e => { if (e.properties.n == 1) throw new Error('one'); return e }) }`}, 3, []string{`0 m0 {"n":0}`, `2 m2 {"n":2}`, `1 transformation_failed Error: one (line 1, column 102)`}},
		"metadata": {[]string{`export function transformEvent(e, metadata) { const m = metadata(e); e.properties = { ...m }; return e }`}, 1,
			[]string{`0 m0 {"sourceId":"src","sourceName":"web","sourceType":"http","destinationId":"dst","destinationName":"hook","destinationType":"webhook","workspaceId":"ws","messageId":"m0"}`}},
		"log": {[]string{`export function transformEvent(e) { log('a', 1, { b: [2] }, new Error('x')); console.warn(null); return e }`}, 1, []string{`0 m0 {"n":0}`, `0 log info a 1 {"b":[2]} Error: x`, `0 log warn null`}},
		"chain": {[]string{`export const transformEvent = e => [e, e]`, `export const transformEvent = e => e.messageId == 'm0:2' ? [{ ...e, properties: 1 }, e] : e`}, 1,
			[]string{`0 m0 {"n":0}`, `0 m0:2 1`, `0 m0:3 {"n":0}`}},
		"chain in which the second fails": {[]string{`export const transformEvent = e => e`, `export const transformEvent = e => { throw new Error('second') }`}, 1, []string{`0 transformation_failed t1: Error: second (line 1, column 48)`}},
		"load fails": {[]string{"const a = null;\na.b();\nexport const transformEvent = e => e"}, 2, []string{
			`0 transformation_failed TypeError: cannot read property 'b' of null (line 2, column 1)`, `1 transformation_failed TypeError: cannot read property 'b' of null (line 2, column 1)`}},
		"no function": {[]string{`export const transformEvent = 5`}, 1, []string{`0 transformation_failed transformEvent is a number, not a function`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff(tc.want, summary(apply(t, e, compile(t, tc.codes...), numbered(t, tc.n)))); d != "" {
				t.Errorf("result (-want +got):\n%s", d)
			}
		})
	}
}

// TestAnEventBecomesAThousand: an order fans out into its items, the most that
// there may be by default.
func TestAnEventBecomesAThousand(t *testing.T) {
	t.Parallel()
	e := run(t, transform.Config{Workers: 2, Timeout: 10 * time.Second})
	c := compile(t, `export const transformEvent = e => Array.from({ length: e.properties.n }, (_, i) => ({ ...e, properties: { i } }))`)
	in := parsed(t, `{"userId":"u","messageId":"all","properties":{"n":1000}}`, `{"userId":"u","messageId":"more","properties":{"n":1001}}`)
	r := apply(t, e, c, in)
	if len(r.Outs) != 1000 || r.Outs[0].Event.MessageID != "all" || r.Outs[999].Event.MessageID != "all:1000" {
		t.Errorf("%d outputs, ended %+v", len(r.Outs), r.Ends)
	}
	if len(r.Ends) != 1 || r.Ends[0].From != 1 || r.Ends[0].Code != transform.CodeOutput || !strings.Contains(r.Ends[0].Text, "more than 1000 events, the most") {
		t.Errorf("ended %+v", r.Ends)
	}
}

// TestATransformationHasItsOwnMostOutputs: of each event that one gets it makes at most
// its own number, whatever others of its chain make, and never more than the plane's.
func TestATransformationHasItsOwnMostOutputs(t *testing.T) {
	t.Parallel()
	e := run(t, transform.Config{Workers: 2, MaxOutputs: 20, Timeout: 10 * time.Second})
	const each = `export const transformEvent = e => Array.from({ length: e.properties.n }, () => ({ ...e }))`
	const batch = `export const transformBatch = all => all.flatMap(e => Array.from({ length: e.properties.n }, () => ({ ...e })))`
	for name, tc := range map[string]struct {
		steps []script.Step
		n     []int // outputs that the code makes of each event
		want  []int // outputs; negative: the limit that the refusal names
	}{
		"within":               {codes(t, 3, each), []int{3, 1}, []int{3, 1}},
		"past it":              {codes(t, 3, each), []int{4, 3}, []int{-3, 3}},
		"batch":                {codes(t, 3, batch), []int{3, 4, 1}, []int{3, -3, 1}},
		"batch of one":         {codes(t, 3, batch), []int{100}, []int{-3}},
		"none of its own":      {codes(t, 0, each), []int{20, 21}, []int{20, -20}},
		"above the plane's":    {codes(t, 1000, each), []int{20, 21}, []int{20, -20}},
		"each event of a fan":  {codes(t, 3, each, `export const transformEvent = e => [e, e, e]`), []int{3}, []int{9}},
		"together too many":    {codes(t, 5, each, each), []int{5}, []int{-20}},
		"the second one's own": {append(codes(t, 0, each), codes(t, 2, `export const transformEvent = e => [e, e, e]`)...), []int{3}, []int{-2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var texts []string
			for i, n := range tc.n {
				texts = append(texts, fmt.Sprintf(`{"userId":"u","messageId":"m%d","properties":{"n":%d}}`, i, n))
			}
			r := apply(t, e, transform.NewChain(tc.steps), parsed(t, texts...))
			got := make([]int, len(tc.n))
			for _, o := range r.Outs {
				got[o.From]++
			}
			for _, d := range r.Ends {
				if _, err := fmt.Sscanf(strings.TrimPrefix(strings.TrimPrefix(d.Text, "t0: "), "t1: "), "the event became more than %d events", &got[d.From]); err != nil || d.Code != transform.CodeOutput {
					t.Errorf("event %d ended with %s %s", d.From, d.Code, d.Text)
				}
				got[d.From] *= -1
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("outputs %v, want %v", got, tc.want)
			}
		})
	}
}

// codes compiles codes, each of which makes most events of one.
func codes(t *testing.T, most int, codes ...string) []script.Step {
	t.Helper()
	var files []script.File
	for i, code := range codes {
		files = append(files, script.File{Name: fmt.Sprint("t", i), Code: code, MaxOutputs: most})
	}
	return scripttest.Compile(t, files, nil)
}
