package transform_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"weir/dataplane/transform"
	"weir/shared/fault"
	child "weir/shared/worker"
)

// hostile is code for the event numbered 3; the others are returned as they are.
var hostile = map[string]struct {
	code string
	want []string // codes that may end it; "" for an output
}{
	"endless loop":             {`for (;;) {}`, []string{transform.CodeTimeout}},
	"endless promises":         {`return (async () => { for (;;) await null })()`, []string{transform.CodeTimeout}},
	"jobs nobody waits for":    {`const f = () => Promise.resolve().then(f); f(); return e`, []string{transform.CodeTimeout}},
	"caught loop":              {`try { for (;;) {} } catch (x) { return e } finally { return e }`, []string{transform.CodeTimeout}},
	"catastrophic regex":       {`return /^(a+)+$/.test("a".repeat(60) + "!") ? e : e`, []string{transform.CodeTimeout}},
	"allocation":               {`const a = []; for (;;) a.push(new Array(1000).fill(1.5))`, []string{transform.CodeMemory, transform.CodeTimeout}},
	"typed arrays":             {`const a = []; for (;;) a.push(new Uint8Array(1 << 20))`, []string{transform.CodeMemory, transform.CodeTimeout}},
	"one huge array buffer":    {`return { ...e, x: new ArrayBuffer(1e12) }`, []string{transform.CodeMemory, transform.CodeFailed}},
	"strings":                  {`let s = "x"; for (;;) s += s`, []string{transform.CodeMemory, transform.CodeFailed}},
	"flat strings":             {`const a = []; for (let i = 0; ; i++) a.push("x".repeat(1 << 20) + i)`, []string{transform.CodeMemory, transform.CodeFailed, transform.CodeTimeout}},
	"padding":                  {`return { ...e, x: "".padEnd(2 ** 30 - 2, "ab") }`, []string{transform.CodeMemory, transform.CodeFailed}},
	"recursion":                {`const f = () => 1 + f(); f(); return e`, []string{transform.CodeFailed}},
	"caught recursion":         {`const f = () => { try { f() } catch { f() } }; f(); return e`, []string{transform.CodeTimeout, transform.CodeFailed, ""}},
	"deep JSON text":           {`JSON.parse("[".repeat(200000)); return e`, []string{transform.CodeFailed}},
	"deep object":              {`let o = {}; for (let i = 0; i < 200000; i++) o = { o }; e.properties.o = o; return e`, []string{transform.CodeFailed, transform.CodeMemory, transform.CodeTimeout}},
	"nesting beyond the limit": {`let o = {}; for (let i = 0; i < 150; i++) o = { o }; e.properties.o = o; return e`, []string{transform.CodeFailed}},
	"cycle":                    {`e.self = e; return e`, []string{transform.CodeFailed}},
	"BigInt in the output":     {`e.big = 1n; return e`, []string{transform.CodeFailed}},
	"huge BigInt":              {`let b = 3n; for (;;) b = b * b`, []string{transform.CodeTimeout, transform.CodeMemory, transform.CodeFailed, transform.CodeKilled}},
	"large output":             {`e.x = "x".repeat(2 << 20); return e`, []string{transform.CodeOutput}},
	"a thousandfold and one":   {`return Array.from({ length: 1001 }, () => e)`, []string{transform.CodeOutput}},
	"endless list":             {`return new Proxy([], { get: (t, k) => k === "length" ? 2 ** 53 : null })`, []string{transform.CodeTimeout}},
	"wide and large":           {`return Array.from({ length: 90 }, () => ({ ...e, x: "x".repeat(200000) }))`, []string{transform.CodeOutput, transform.CodeMemory, transform.CodeTimeout}},
	"sorting":                  {`const a = new Array(3e6).fill(0).map(() => Math.random()); a.sort(); return e`, []string{transform.CodeTimeout, transform.CodeMemory}},
	"prototype games": {`Object.prototype.toJSON = () => "x"; Array.prototype.push = () => { throw 1 }; Array.prototype[Symbol.iterator] = null; JSON.parse = JSON.stringify = null;
		Promise.prototype.then = null; Object.defineProperty(Array.prototype, 0, { set() { throw 2 } }); Map.prototype.get = Map.prototype.set = null; String.prototype.slice = null; Function.prototype.call = null;
		Reflect.apply = null; Date.now = () => { for (;;) ; }; globalThis.String = null; Object.prototype.get = 1; delete Object.prototype.toJSON; return e`, []string{"", transform.CodeFailed}},
	"toJSON for all":             {`Object.prototype.toJSON = () => "x"; return e`, []string{transform.CodeFailed}},
	"escape by constructors":     {`const g = [].constructor.constructor("return this")(); if (g.process || g.require || g.std || g.os || g.scriptArgs) throw "out"; return e`, []string{""}},
	"modules of the engine":      {`return import(e.nothing ?? "os").then(os => { os.exec(["true"]); return e })`, []string{transform.CodeFailed}},
	"blocking":                   {`Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); return e`, []string{transform.CodeFailed}},
	"promise that never settles": {`return new Promise(() => {})`, []string{transform.CodeFailed}},
	"thenable that calls twice":  {`return { then(f, g) { f(e); f(null); g(1) } }`, []string{""}},
	"thenable that never calls":  {`return { then() {} }`, []string{transform.CodeFailed}},
	"getter that throws":         {`return { get a() { throw new Error("a") } }`, []string{transform.CodeFailed}},
	"thrown proxy":               {`throw new Proxy({}, { get() { throw 1 }, getPrototypeOf() { throw 1 } })`, []string{transform.CodeFailed}},
	"forged memory error":        {`throw new InternalError("out of memory")`, []string{transform.CodeMemory}},
	"flood of logs":              {`for (let i = 0; i < 1e5; i++) log("x".repeat(10000)); return e`, []string{"", transform.CodeTimeout}},
	"hashing without end":        {`const b = new Uint8Array(1 << 20); for (;;) crypto.getRandomValues(b.subarray(0, 65536))`, []string{transform.CodeTimeout}},
	"a huge number as text":      {`for (;;) (3n ** 200000n).toLocaleString()`, []string{transform.CodeTimeout, transform.CodeFailed, transform.CodeMemory, transform.CodeKilled}},
	"absurd options":             {`for (const v of [1e9, -1, NaN, "x".repeat(1e6), {}, [], null, Infinity]) for (const k of ["timeZone", "hour", "dateStyle"]) try { new Date().toLocaleString(v, { [k]: v }) } catch {} return e`, []string{"", transform.CodeTimeout}},
	"absurd digits":              {`for (const v of [1e9, -1, NaN, "x", {}, 101, Infinity]) for (const k of ["minimumIntegerDigits", "maximumFractionDigits", "minimumFractionDigits", "maximumSignificantDigits", "currency", "unit"]) try { (5).toLocaleString("en-US", { [k]: v, style: k === "unit" ? k : "decimal" }) } catch {} return e`, []string{"", transform.CodeTimeout}},
	"forged formatters":          {`WeakMap.prototype.get = () => ({ kind: "NumberFormat", resolved: '{"minimumIntegerDigits":1000000000,"maximumFractionDigits":1000000000,"minimumFractionDigits":1000000000}' }); JSON.stringify = () => '{"options":{"minimumIntegerDigits":1000000000}}'; for (let i = 0; i < 50; i++) try { (5).toLocaleString(); new Intl.NumberFormat().format(5) } catch {} return e`, []string{"", transform.CodeTimeout, transform.CodeFailed, transform.CodeMemory, transform.CodeKilled}},
	"comparing long texts":       {`const a = "aé".repeat(16000), b = a + "z"; for (;;) a.localeCompare(b)`, []string{transform.CodeTimeout}},
	"quotes and lines":           {"e.properties.x = 'o0 {}\\nd1\\ne2 \\u2028\\u0000'; return e", []string{""}},
}

func TestHostileCodeIsContainedInItsEvent(t *testing.T) {
	t.Parallel()
	e := run(t, transform.Config{Workers: 3, Timeout: 200 * time.Millisecond})
	neighbour := compile(t, `export const transformEvent = e => { e.properties.neighbour = 1; return e }`)
	for name, tc := range hostile {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := compile(t, "export function transformEvent(e) {\n if (e.properties.n === 3) { "+tc.code+" }\n return e }")
			in := numbered(t, 8)
			r := apply(t, e, c, in)
			code := ""
			for _, d := range r.Ends {
				if d.From != 3 {
					t.Errorf("event %d ended: %s %s", d.From, d.Code, d.Text)
				} else if code = d.Code; !d.Quarantined {
					t.Errorf("dropped, want quarantined: %s", d.Code)
				}
			}
			if !slices.Contains(tc.want, code) {
				t.Errorf("ended with %q (%v), want one of %q", code, r.Ends, tc.want)
			}
			for _, o := range r.Outs {
				if o.From != 3 && string(o.Event.JSON) != string(in[o.From].JSON) {
					t.Errorf("event %d became %s", o.From, o.Event.JSON)
				}
			}
			size := 0
			for _, l := range r.Logs {
				size += len(l.Text)
			}
			if size > 1<<20 {
				t.Errorf("%d bytes of logs", size)
			}
			if r = apply(t, e, neighbour, numbered(t, 3)); len(r.Outs) != 3 {
				t.Errorf("the neighbour suffers: %v", summary(r))
			}
		})
	}
}

// TestOneChainThatBurnsTimeDoesNotStarveAnother runs another chain while one has
// many events that all run into the limit.
func TestOneChainThatBurnsTimeDoesNotStarveAnother(t *testing.T) {
	t.Parallel()
	e := run(t, transform.Config{Workers: 2, Timeout: 100 * time.Millisecond})
	burning := compile(t, `export function transformEvent(e) { if (e.properties.n % 10 !== 9) for (;;) {} return e }`) // now and then one passes, so it is not suspended
	var burns sync.WaitGroup
	over := make(chan struct{})
	for range 3 {
		burns.Go(func() { apply(t, e, burning, numbered(t, 20)) })
	}
	go func() { burns.Wait(); close(over) }()
	good := compile(t, `export const transformEvent = e => e`)
	for range 15 {
		if r := apply(t, e, good, numbered(t, 10)); len(r.Outs) != 10 {
			t.Fatalf("%v", summary(r))
		}
	}
	select {
	case <-over:
		t.Error("the good chain waited until the burning one was done")
	default:
	}
	burns.Wait()
}

// TestKilledWorkersLoseNothing kills workers while events run through them. It
// runs alone: children lists the workers of all tests.
func TestKilledWorkersLoseNothing(t *testing.T) {
	e := run(t, transform.Config{Workers: 3})
	c := compile(t, `export function transformEvent(e) { let x = 0; for (let i = 0; i < 20000; i++) x += i; e.properties.x = x; return e }`)
	stop, stopped := make(chan struct{}), make(chan struct{})
	var killed atomic.Int64
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
				n := int(killed.Load())
				if pids := children(t); n < 12 && len(pids) > 0 && syscall.Kill(pids[n%len(pids)], syscall.SIGKILL) == nil {
					killed.Add(1)
				}
			}
		}
	}()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for round := 0; round < 4 || killed.Load() < 3; round++ {
				r, err := e.Apply(context.Background(), c, meta, numbered(t, 150))
				for err != nil && fault.KindOf(err) == fault.Unavailable { // all were killed while they started
					r, err = e.Apply(context.Background(), c, meta, numbered(t, 150))
				}
				if err != nil {
					t.Error(err)
					return
				}
				complete(t, 150, r)
				for _, d := range r.Ends {
					t.Errorf("event %d ended: %s %s", d.From, d.Code, d.Text)
				}
				for i, o := range r.Outs {
					if want := fmt.Sprintf("m%d", i); string(o.Event.MessageID) != want {
						t.Errorf("output %d is %s", i, o.Event.MessageID)
					}
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	<-stopped
}

// children lists the worker processes of this one.
func children(t testing.TB) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it ended
		}
		pid, rest, _ := strings.Cut(string(text), " ")
		fields := strings.Fields(rest[strings.LastIndexByte(rest, ')')+1:])
		if len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) && fields[0] != "Z" {
			line, err := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
			if n, err2 := strconv.Atoi(pid); err == nil && err2 == nil && strings.Contains(string(line), child.Command) {
				pids = append(pids, n)
			}
		}
	}
	return pids
}

func TestWithoutWorkersNothingIsDecided(t *testing.T) {
	t.Parallel()
	e := run(t, transform.Config{Command: []string{"/bin/false"}})
	c := compile(t, `export const transformEvent = e => e`)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for range 2 {
		if r, err := e.Apply(ctx, c, meta, numbered(t, 2)); fault.KindOf(err) != fault.Unavailable || len(r.Outs)+len(r.Ends) > 0 {
			t.Errorf("Apply = %v, %v, want unavailable", r, err)
		}
	}
	idle, err := transform.New(transform.Config{})
	if err != nil {
		t.Fatal(err)
	}
	done, end := context.WithCancel(context.Background())
	end()
	if _, err := idle.Apply(done, c, meta, numbered(t, 1)); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Apply with an ended context = %v", err)
	}
	if err := idle.Run(done); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
}

func TestAChainThatOnlyBurnsTimeIsSuspendedAndComesBack(t *testing.T) {
	t.Parallel()
	e := run(t, transform.Config{Workers: 2, Timeout: 20 * time.Millisecond})
	c := compile(t, `export function transformEvent(e) { if (e.properties.n !== 1000) for (;;) {} return e }`)
	r := apply(t, e, c, numbered(t, 120))
	codes := map[string]int{}
	for _, d := range r.Ends {
		codes[d.Code]++
	}
	if codes[transform.CodeTimeout] < 20 || codes[transform.CodeTimeout] > 60 || codes[transform.CodeSuspended] != 120-codes[transform.CodeTimeout] {
		t.Errorf("ended with %v, want some 20 timeouts and the rest suspended", codes)
	}
	if r := apply(t, e, compile(t, `export const transformEvent = e => e`), numbered(t, 5)); len(r.Outs) != 5 {
		t.Errorf("another chain is suspended too: %v", summary(r))
	}
	good := parsed(t, `{"userId":"u","messageId":"m","properties":{"n":1000}}`)
	for deadline := time.Now().Add(time.Minute); ; {
		if r := apply(t, e, c, good); len(r.Outs) == 1 {
			break
		} else if r.Ends[0].Code != transform.CodeSuspended || time.Now().After(deadline) {
			t.Fatalf("not opened again: %v", summary(r))
		}
		time.Sleep(50 * time.Millisecond)
	}
	if r := apply(t, e, c, append(good, good...)); len(r.Outs) != 2 {
		t.Errorf("open, but %v", summary(r))
	}
}
