package engine_test

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"weir/dataplane/transform/engine"
	"weir/shared/script"
)

// probeCode is a transformation that runs what an event tells it to, and
// describes all objects that it can reach.
//
//go:embed testdata/probe.js
var probeCode string

// attacks are code that leaves something behind for whoever comes next.
var attacks = []string{
	`globalThis.left = 1`, `left = 1`, `eval("var left = 1")`, `(0, eval)("var left = 1; let hidden = 2; function fleft() {}")`, `Object.defineProperty(globalThis, "left", { value: 1 })`,
	`counter++; list.push(e); Object.assign(table, { left: e.attack }); cache.set("left", e); weak.set(table, e); seen.add(table)`,
	`private.add(1); closure(5)`, `table.a = 5; delete table.b; Object.freeze(table); Object.setPrototypeOf(list, null)`,
	`sticky.lastIndex = 7; sticky.exec("aaaa"); global.test("xaxa")`, `RegExp.prototype.exec = () => null`, `/(left)/.exec("left")`,
	`open.next(); open.next()`, `asked = open.return(1)`, `tag()`, `pending = new Promise(r => { resolve = r })`, `Promise.resolve().then(() => { globalThis.late = 1 }); Promise.reject(1)`,
	`(async () => { for (let i = 0; i < 50; i++) await 0; counter = 77; Array.prototype.late = 1 })()`,
	`Math.random = () => 4; Date.now = () => 5; JSON.stringify = JSON.parse = () => "{}"`, `Math = JSON = Object = Array = undefined`, `delete globalThis.Array; delete globalThis.JSON`,
	`Object.prototype.left = 1; Array.prototype.push = null; String.prototype.trim = function () { return "left" }; Function.prototype.call = 1`,
	`Object.setPrototypeOf(Array.prototype, { left: 1 })`, `Object.preventExtensions(globalThis)`, `for (const k of Object.getOwnPropertyNames(globalThis)) try { Object.freeze(globalThis[k]); Object.freeze(globalThis[k].prototype) } catch {}`,
	`Object.defineProperty(Object.prototype, "messageId", { get() { return "left" }, set() {}, configurable: true })`, `Object.defineProperty(Array.prototype, 0, { set() { globalThis.left = 1 } })`,
	`console.log = () => { throw 1 }; log = 5; console.left = 1`, `Error.prepareStackTrace = () => "left"; Error.stackTraceLimit = 0`, `Symbol.for("left"); Symbol.prototype.left = 1`,
	`URL.prototype.left = URLSearchParams.prototype.get = 1; TextEncoder = null; atob.left = structuredClone.left = 1`, `Promise.prototype.then = function () { return this }; Promise.resolve = null`,
	`new (class extends Array {}) ; Array[Symbol.species] = 1; Object.defineProperty(Array, Symbol.species, { value: Map })`, `buffer[3] = 9; view.setInt8(1, 5)`, `shared[0] = 9; Atomics.add(shared, 0, 4)`,
	`Object.getPrototypeOf(async function* () {}).left = Object.getPrototypeOf([][Symbol.iterator]()).next = 1`, `metadata.left = 1; metadata(e).left = 1`, `exports.transformEvent = () => ({ left: 1 }); module.exports = { transformEvent: () => null }`,
	`arguments.callee.left = 1`, `when.setFullYear(1970); Date.prototype.getTime = () => 0`, `new Function("return this")().left = 1`, `registry.register({}, 1); ref = new WeakRef({})`, `BigInt.prototype.toJSON = () => 1`,
	`e.__proto__.left = 1; e.constructor.left = 2; ({}).__proto__.__proto__ = null`, `const big = []; for (let i = 0; i < 3e5; i++) big.push({ i }); globalThis.big = big`, `globalThis.text = "x".repeat(3e6) + "y"`, `throw Object.assign(globalThis, { left: 1 })`,
	`return new Promise(() => { globalThis.left = 1 })`, `return { then(f) { globalThis.left = 1; f({ left: 1 }) } }`, `return [{ get a() { globalThis.left = 1; return counter++ } }]`, `return { toJSON() { counter++; globalThis.left = 1; return {} } }`,
}

// seen is what a machine's code finds, described in full.
func seen(t *testing.T, m *engine.Machine) string {
	t.Helper()
	a := run(t, m, `{"messageId":"m","probe":true}`)
	if len(a.Outputs) != 1 || len(a.Outputs[0].JSON) < 50_000 {
		t.Fatalf("the probe failed: %+v", a)
	}
	return a.Outputs[0].JSON
}

func attack(t *testing.T, code string, seed uint32) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"messageId": "m", "attack": code, "seed": seed})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestAnEventFindsNothingOfOthers: whatever an event's code writes to, the next
// one finds the machine as loading left it.
func TestAnEventFindsNothingOfOthers(t *testing.T) {
	t.Parallel()
	l := limits
	l.MaxBytes = 8 << 20
	e, err := engine.New(l, func() {})
	if err != nil {
		t.Fatal(err)
	}
	m, err := e.Machine(script.Step{Code: probeCode})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	want := seen(t, m)
	for _, code := range attacks {
		if run(t, m, attack(t, code, 1)); seen(t, m) != want {
			t.Fatalf("%s: left something behind", code)
		}
	}
	seed := rand.Uint32()
	for i := range 60 { // objects at random, changed at random
		if run(t, m, attack(t, "return disorder(e.seed)", seed+uint32(i))); seen(t, m) != want {
			t.Fatalf("seed %d: disorder left something behind", seed+uint32(i))
		}
	}
	var list []string
	for i, code := range attacks {
		list = append(list, attack(t, code, uint32(i)))
	}
	if run(t, m, list...); seen(t, m) != want {
		t.Error("a list of attacks left something behind")
	}
}

// TestABatchFindsNothingOfOthers: a batch counts as one.
func TestABatchFindsNothingOfOthers(t *testing.T) {
	t.Parallel()
	m := load(t, script.Step{Batch: true, Code: `let n = 0; exports.transformBatch = events => events.map(e => ({ ...e, n: ++n, left: [].left, g: globalThis.g++ })) ; globalThis.g = 1; exports.x = Array.prototype.left`})
	first, again := run(t, m, numbered(3)...), run(t, m, numbered(3)...)
	if fmt.Sprint(first) != fmt.Sprint(again) || len(first.Outputs) != 3 || first.Outputs[2].JSON != `{"messageId":"m2","n":3,"g":3}` {
		t.Errorf("%+v, then %+v", first, again)
	}
}

// TestConstantsOfTheModuleAreThere: what loading computed stays, and chance stays
// chance.
func TestConstantsOfTheModuleAreThere(t *testing.T) {
	t.Parallel()
	m := load(t, script.Step{Code: `const table = new Map(Array.from({ length: 1000 }, (_, i) => ["k" + i, i])); let ready = 0; Promise.resolve().then(() => { ready = 1 });
		exports.transformEvent = e => ({ v: table.get("k" + e.n), ready, r: Math.random() })`})
	chance := map[float64]bool{}
	for i, o := range run(t, m, numbered(50)...).Outputs {
		var got struct {
			V     int
			Ready int
			R     float64
		}
		if err := json.Unmarshal([]byte(o.JSON), &got); err != nil || got.V != i || got.Ready != 1 {
			t.Errorf("event %d: %s, %v", i, o.JSON, err)
		}
		chance[got.R] = true
	}
	if len(chance) != 50 {
		t.Errorf("%d different numbers of 50 at random", len(chance))
	}
}
