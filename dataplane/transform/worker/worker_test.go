package worker_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/event"
	"weir/dataplane/transform/engine"
	"weir/dataplane/transform/worker"
	"weir/shared/script"
	"weir/shared/script/scripttest"
	child "weir/shared/worker"
)

// TestMain makes the test binary a worker when Start starts it as one.
func TestMain(m *testing.M) {
	child.Tasks{worker.Task: worker.Serve}.Divert()
	os.Exit(m.Run())
}

// start starts a worker that ends with the test.
func start(t testing.TB, timeout time.Duration) *worker.Process {
	t.Helper()
	self, err := child.Self(worker.Task)
	if err != nil {
		t.Fatal(err)
	}
	p, err := worker.Start(context.Background(), self, engine.Limits{Memory: 64 << 20, Timeout: timeout, MaxOutputs: 100, MaxBytes: event.MaxBytes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

// chain bundles modules.
func chain(t testing.TB, codes ...string) worker.Chain {
	t.Helper()
	var files []script.File
	for i, code := range codes {
		files = append(files, script.File{Name: fmt.Sprintf("t%d", i), Code: code})
	}
	steps := scripttest.Compile(t, files, nil)
	c := worker.Chain{Key: script.Key(steps), Steps: steps}
	for _, s := range steps {
		c.Size += len(s.Code)
	}
	return c
}

var meta = engine.Meta{Workspace: "ws", Source: "src", Destination: "dst"}

// numbered is a request of n events with messageIds m0, m1, ...
func numbered(n int) worker.Request {
	q := worker.Request{Meta: meta}
	for i := range n {
		q.IDs = append(q.IDs, fmt.Sprintf("m%d", i))
		q.Events = append(q.Events, fmt.Appendf(nil, `{"userId":"u","messageId":"m%d","n":%d}`, i, i))
	}
	return q
}

// all runs q, which may take several requests, and returns what became of it.
func all(t testing.TB, p *worker.Process, c worker.Chain, q worker.Request) worker.Response {
	t.Helper()
	var sum worker.Response
	for done := 0; done < len(q.Events); done = sum.Done {
		rest := q
		rest.Events, rest.IDs, rest.Single = q.Events[done:], q.IDs[done:], q.Single || sum.Single
		r, err := p.Run(c, rest)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range r.Outs {
			o.From += done
			sum.Outs = append(sum.Outs, o)
		}
		for _, e := range r.Ends {
			e.From += done
			sum.Ends = append(sum.Ends, e)
		}
		sum.Done += r.Done
		sum.Single, sum.Read = r.Single, sum.Read || r.Read
	}
	return sum
}

// TestLimitsEndTheGuiltyEventAlone: what is said of a list in which one event
// meets a limit is said of that event.
func TestLimitsEndTheGuiltyEventAlone(t *testing.T) {
	t.Parallel()
	p := start(t, 500*time.Millisecond)
	for code, want := range map[string]string{
		`for (;;) {}`: engine.CodeTimeout,
		`const a = []; for (;;) a.push(new Uint8Array(1 << 20))`: engine.CodeMemory,
		`e.x = "x".repeat(2 << 20); return e`:                    engine.CodeOutput,
		`return Array.from({ length: 1000 }, () => e)`:           engine.CodeOutput,
		`throw new Error("x")`:                                   engine.CodeFailed,
		`return null`:                                            engine.CodeDropped,
	} {
		q := numbered(6)
		r := all(t, p, chain(t, "export function transformEvent(e) {\n if (e.n === 3) { "+code+" }\n return e }"), q)
		if len(r.Ends) != 1 || r.Ends[0].From != 3 || r.Ends[0].Code != want {
			t.Errorf("%s: ended %+v, want event 3 alone with %s", code, r.Ends, want)
		}
		for i, at := range []int{0, 1, 2, 4, 5} {
			if i >= len(r.Outs) || r.Outs[i].From != at || !r.Outs[i].Same {
				t.Errorf("%s: outputs %+v, want the others unchanged", code, r.Outs)
				break
			}
		}
	}
}

// TestAnEndNamesItsStep: in a chain, too.
func TestAnEndNamesItsStep(t *testing.T) {
	t.Parallel()
	p := start(t, 10*time.Second)
	c := chain(t, `export const transformEvent = e => e.n === 0 ? null : [e, e]`, `export const transformEvent = e => { if (e.n === 1) throw 1; return e }`)
	r := all(t, p, c, numbered(3))
	var got []string
	for _, e := range r.Ends {
		got = append(got, fmt.Sprint(e.From, " ended in ", e.Step))
	}
	for _, o := range r.Outs {
		got = append(got, fmt.Sprint(o.From, " ", o.Same, " ", event.Lookup(o.JSON, "messageId")))
	}
	if d := cmp.Diff([]string{"0 ended in 0", "1 ended in 1", "2 true ", "2 false m2:2"}, got); d != "" {
		t.Errorf("response (-want +got):\n%s", d)
	}
}

// TestStopEndsARequest: a plane that stops does not wait for customers' code.
func TestStopEndsARequest(t *testing.T) {
	t.Parallel()
	self, err := child.Self(worker.Task)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	p, err := worker.Start(ctx, self, engine.Limits{Memory: 64 << 20, Timeout: time.Minute, MaxOutputs: 1, MaxBytes: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	c := chain(t, `export const transformEvent = e => { for (;;) {} }`)
	ended := make(chan error, 1)
	go func() { _, err := p.Run(c, numbered(1)); ended <- err }()
	stop()
	if err := <-ended; err == nil {
		t.Error("an endless request was answered")
	}
}

// TestLargeEventsPass sends events of the largest size through code that changes
// nothing.
func TestLargeEventsPass(t *testing.T) {
	t.Parallel()
	p := start(t, 10*time.Second)
	q := worker.Request{Meta: meta}
	add := func(text string) {
		q.IDs = append(q.IDs, event.Lookup([]byte(text), "messageId"))
		q.Events = append(q.Events, []byte(text))
	}
	for i, each := range []string{"[],", "{},", `{"a":1},`, `"\ud83d\ude00",`, "1.5,", `"` + strings.Repeat("x", 500) + `",`, "12345678901234567890,"} {
		list := strings.Repeat(each, 1_000_000/len(each))
		add(fmt.Sprintf(`{"userId":"u","messageId":"m%d","list":[%s]}`, i, list[:len(list)-1]))
	}
	var keys strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&keys, `"key%d":%d,`, i, i)
	}
	add(`{` + keys.String() + `"userId":"u","messageId":"keys"}`)
	r := all(t, p, chain(t, `export const transformEvent = e => e`), q)
	if len(r.Ends) > 0 || len(r.Outs) != len(q.Events) {
		t.Errorf("%d outputs of %d events, ended: %+v", len(r.Outs), len(q.Events), r.Ends)
	}
	for _, o := range r.Outs {
		if !o.Same {
			t.Errorf("event %d changed", o.From)
		}
	}
}

// TestStateDoesNotLeak lets code keep what it sees and looks for it elsewhere, in
// the same worker.
func TestStateDoesNotLeak(t *testing.T) {
	t.Parallel()
	p := start(t, 10*time.Second)
	keep := `let mine = 0; export function transformEvent(e) { globalThis.kept = (globalThis.kept ?? 0) + 1; mine++; Array.prototype.left = "left"; return { kept, mine } }`
	look := `let mine = 0; export function transformEvent(e) { return { seen: globalThis.kept ?? [].left ?? "clean" } }`
	all(t, p, chain(t, keep), numbered(50))
	other := func(change func(*engine.Meta)) engine.Meta {
		m := meta
		change(&m)
		return m
	}
	for name, tc := range map[string]struct {
		meta  engine.Meta
		codes []string
		want  string
	}{
		"the same":            {meta, []string{keep}, `{"messageId":"m0","kept":1,"mine":1}`},
		"another chain":       {meta, []string{look}, `{"messageId":"m0","seen":"clean"}`},
		"the second of two":   {meta, []string{keep, look}, `{"messageId":"m0","seen":"clean"}`},
		"another destination": {other(func(m *engine.Meta) { m.Destination = "other" }), []string{keep}, `{"messageId":"m0","kept":1,"mine":1}`},
		"another workspace":   {other(func(m *engine.Meta) { m.Workspace = "other" }), []string{keep}, `{"messageId":"m0","kept":1,"mine":1}`},
		"another source":      {other(func(m *engine.Meta) { m.Source = "other" }), []string{keep}, `{"messageId":"m0","kept":1,"mine":1}`},
	} {
		q := numbered(1)
		q.Meta = tc.meta
		if r := all(t, p, chain(t, tc.codes...), q); len(r.Outs) != 1 {
			t.Errorf("%s: %+v, want %s", name, r.Ends, tc.want)
		} else if got := string(r.Outs[0].JSON); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestReadingTheDestinationIsNoted(t *testing.T) {
	t.Parallel()
	p := start(t, 10*time.Second)
	for code, want := range map[string]bool{
		`export function transformEvent(e, metadata) { e.x = metadata(e).sourceId + metadata(e).messageId; return e }`:                                   false,
		`export function transformEvent(e, metadata) { if (metadata(e).destinationType === "x") return null; return e }`:                                 true,
		`export function transformEvent(e, metadata) { const m = { ...metadata(e) }; return e }`:                                                         true,
		`export function transformEvent(e, metadata) { JSON.stringify(metadata(e)); return e }`:                                                          true,
		`export function transformBatch(events, metadata) { for (const e of events) if (metadata(e)["destination" + "Name"]) return []; return events }`: true,
	} {
		if r := all(t, p, chain(t, code), numbered(2)); r.Read != want {
			t.Errorf("Read = %v for %s", r.Read, code)
		}
	}
	two := chain(t, `export const transformEvent = e => e`, `export const transformEvent = (e, metadata) => ({ ...e, d: metadata(e).destinationId })`)
	if r := all(t, p, two, numbered(1)); !r.Read {
		t.Error("not noted in the second of a chain")
	}
}

// FuzzFrames feeds the decoders of the worker's protocol.
func FuzzFrames(f *testing.F) {
	for _, b := range worker.Frames() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if err := worker.ThroughFrames(body); err != nil {
			t.Fatal(err)
		}
	})
}
