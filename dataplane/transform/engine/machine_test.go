package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/transform/engine"
	"weir/shared/script"
)

var limits = engine.Limits{Memory: 64 << 20, Timeout: 10 * time.Second, MaxOutputs: 100, MaxBytes: 1 << 20}

// load makes a machine that is closed with the test.
func load(t testing.TB, step script.Step) *engine.Machine {
	t.Helper()
	e, err := engine.New(limits, func() {})
	if err != nil {
		t.Fatal(err)
	}
	m, err := e.Machine(step)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func run(t testing.TB, m *engine.Machine, events ...string) engine.Answer {
	t.Helper()
	a, err := m.Run(events, engine.Meta{}, time.Minute, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// numbered are n events with messageIds m0, m1, ...
func numbered(n int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`{"messageId":"m%d","n":%d}`, i, i))
	}
	return list
}

func TestAnAnswerNamesItsEvents(t *testing.T) {
	t.Parallel()
	m := load(t, script.Step{Code: `exports.transformEvent = e => {
		if (e.n === 1) throw new Error("one");
		if (e.n === 2) return null;
		if (e.n === 3) return [{ a: 1 }, { a: 2 }];
		log("saw", e.n);
		return { n: e.n };
	}`})
	got := run(t, m, numbered(5)...)
	for i := range got.Failures {
		got.Failures[i].Stack = ""
	}
	slices.SortStableFunc(got.Outputs, func(a, b engine.Output) int { return a.At - b.At })
	want := engine.Answer{
		Done:     5,
		Outputs:  []engine.Output{{At: 0, JSON: `{"n":0}`}, {At: 3, JSON: `{"a":1}`}, {At: 3, JSON: `{"a":2}`}, {At: 4, JSON: `{"n":4}`}},
		Failures: []engine.Failure{{At: 1, Problem: engine.Problem{Code: engine.CodeFailed, Text: "Error: one"}}},
		Logs:     []engine.Log{{At: 0, Level: "info", Text: "saw 0"}, {At: 4, Level: "info", Text: "saw 4"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("answer (-want +got):\n%s", d)
	}
}

func TestBrokenCodeSaysSoEachTime(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"exports.transformEvent = 5": "transformEvent is a number, not a function",
		"null.x":                     "TypeError: cannot read property 'x' of null",
		"this is no code":            "The code cannot be read: SyntaxError",
	} {
		m := load(t, script.Step{Code: code})
		for range 2 {
			if a := run(t, m, numbered(2)...); a.Done != 2 || a.Broken == nil || a.Broken.Code != engine.CodeFailed || !strings.Contains(a.Broken.Text, want) {
				t.Errorf("%s: %+v, want broken: %s", code, a.Broken, want)
			}
		}
	}
}

const (
	endless = `for (;;) {}`
	bomb    = `const a = []; for (;;) a.push(new Uint8Array(1 << 20))`
)

// TestLimitsEndARun: code that meets a limit ends its machine with the problem
// that an event alone has then. It does not run beside others, because time is
// CPU of the process.
func TestLimitsEndARun(t *testing.T) {
	for code, tc := range map[string]struct {
		timeout time.Duration
		want    string
	}{
		endless: {100 * time.Millisecond, engine.CodeTimeout},
		`return (async () => { for (;;) await null })()`:                  {100 * time.Millisecond, engine.CodeTimeout},
		`const f = () => Promise.resolve().then(f); f(); return e`:        {100 * time.Millisecond, engine.CodeTimeout},
		`try { for (;;) {} } catch (x) { return e } finally { return e }`: {100 * time.Millisecond, engine.CodeTimeout},
		bomb: {time.Minute, engine.CodeMemory},
	} {
		m := load(t, script.Step{Code: "exports.transformEvent = e => { " + code + " }"})
		a, err := m.Run(numbered(1), engine.Meta{}, time.Minute, tc.timeout)
		if err == nil {
			t.Errorf("%s: %+v, want %s", code, a, tc.want)
		} else if p := engine.ProblemOf(err); p.Code != tc.want {
			t.Errorf("%s: %+v, want %s", code, p, tc.want)
		}
	}
}

// TestLimitsEndLoading is TestLimitsEndARun for code that meets them while it is
// loaded.
func TestLimitsEndLoading(t *testing.T) {
	for code, tc := range map[string]struct {
		timeout time.Duration
		want    string
	}{
		endless: {100 * time.Millisecond, engine.CodeTimeout},
		bomb:    {time.Minute, engine.CodeMemory},
	} {
		l := limits
		l.Timeout = tc.timeout
		e, err := engine.New(l, func() {})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Machine(script.Step{Code: code}); err == nil || engine.ProblemOf(err).Code != tc.want {
			t.Errorf("%s: %v, want %s", code, err, tc.want)
		}
	}
}

// TestASliceThatIsOverLeavesTheRest: what was not run has no answer.
func TestASliceThatIsOverLeavesTheRest(t *testing.T) {
	t.Parallel()
	m := load(t, script.Step{Code: `exports.transformEvent = e => { const end = Date.now() + 2; while (Date.now() < end) ; return e }`})
	a, err := m.Run(numbered(3), engine.Meta{}, 0, time.Minute)
	if err != nil || a.Done != 1 || len(a.Outputs) != 1 {
		t.Errorf("%+v, %v, want the first event's answer alone", a, err)
	}
}

func TestReadingTheDestinationIsNoted(t *testing.T) {
	t.Parallel()
	m := load(t, script.Step{Code: `let d; exports.transformEvent = (e, metadata) => { if (e.n === 1) d = metadata(e).destinationId; return { d } }`})
	for i, want := range []bool{false, true, false} { // the third finds nothing that the second kept
		if a := run(t, m, numbered(3)[i]); a.Read != want {
			t.Errorf("event %d: Read = %v, want %v", i, a.Read, want)
		}
	}
}
