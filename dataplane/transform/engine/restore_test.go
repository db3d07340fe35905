package engine_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"weir/dataplane/transform/engine"
	"weir/shared/script"
)

func restore(sent, got string) (string, bool) {
	var r engine.Restorer
	out, ok := r.Restore(nil, []byte(sent), []byte(got))
	return string(out), ok
}

func TestRestore(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ sent, got, want string }{
		"equal":                 {`{"a": 1.0}`, `{"a":1}`, `{"a": 1.0}`},
		"integer beyond 2^53":   {`{"a":9007199254740993,"b":1}`, `{"a":9007199254740992,"b":2}`, `{"a":9007199254740993,"b":2}`},
		"number beyond float64": {`{"a":1e999,"b":1}`, `{"a":null,"b":2}`, `{"a":1e999,"b":2}`},
		"null is not a number":  {`{"a":5,"b":1}`, `{"a":null,"b":2}`, `{"a":null,"b":2}`},
		"escapes":               {`{"a":"\u00e9\/","b":1}`, `{"a":"é/","b":2}`, `{"a":"\u00e9\/","b":2}`},
		"lone surrogate":        {`{"a":"\uD800","b":1}`, `{"a":"\ud800","b":2}`, `{"a":"\uD800","b":2}`},
		"numeric keys":          {`{"b":1,"2":1,"1":1}`, `{"1":1,"2":1,"b":1}`, `{"b":1,"2":1,"1":1}`},
		"numeric keys, changed": {`{"b":1,"2":1,"1":1}`, `{"1":1,"2":3,"b":1,"c":0}`, `{"b":1,"2":3,"1":1,"c":0}`},
		"removed":               {`{"a":1.0,"b":2.0}`, `{"b":2}`, `{"b":2.0}`},
		"nested":                {`{"a":{"x":1.0,"y":[1.0, 2.0]},"b":1}`, `{"a":{"x":1,"y":[1,3]},"b":2}`, `{"a":{"x":1.0,"y":[1.0,3]},"b":2}`},
		"list that shrank":      {`{"a":[1.0,2.0]}`, `{"a":[1]}`, `{"a":[1.0]}`},
		"list that grew":        {`{"a":[1.0]}`, `{"a":[1,1.5]}`, `{"a":[1.0,1.5]}`},
		"key twice, untouched":  {`{"a":{"k":1,"k":2},"b":1}`, `{"a":{"k":2},"b":2}`, `{"a":{"k":1,"k":2},"b":2}`},
		"key twice, changed":    {`{"a":{"k":1,"k":2.0,"l":1}}`, `{"a":{"k":2,"l":3}}`, `{"a":{"k":2.0,"l":3}}`},
		"type changed":          {`{"a":"1","b":[1],"c":{}}`, `{"a":1,"b":{"0":1},"c":[]}`, `{"a":1,"b":{"0":1},"c":[]}`},
		"minus zero":            {`{"a":-0,"b":1}`, `{"a":0,"b":2}`, `{"a":-0,"b":2}`},
		"escaped key":           {`{"\u0061":1.0,"b":1}`, `{"a":1,"b":2}`, `{"\u0061":1.0,"b":2}`},
		"__proto__":             {`{"__proto__":1.0,"b":1}`, `{"__proto__":1,"b":2}`, `{"__proto__":1.0,"b":2}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, ok := restore(tc.sent, tc.got); !ok || got != tc.want {
				t.Errorf("Restore(%s, %s) = %s, %v, want %s", tc.sent, tc.got, got, ok, tc.want)
			}
		})
	}
}

// random writes JSON: odd numbers, escapes, white space, keys twice.
type random struct {
	*rand.Rand
	plain bool // as JavaScript would write it
}

func (r random) value(depth int) string {
	n := 8
	if depth <= 0 {
		n = 6
	}
	switch r.IntN(n) {
	case 0:
		return []string{"true", "false", "null"}[r.IntN(3)]
	case 1, 2:
		return r.number()
	case 6:
		var parts []string
		for range r.IntN(5) {
			parts = append(parts, r.value(depth-1))
		}
		return "[" + r.space() + strings.Join(parts, ","+r.space()) + "]"
	case 7:
		return r.object(depth)
	}
	return r.text()
}

func (r random) object(depth int) string {
	var parts []string
	seen := map[string]bool{}
	for range r.IntN(6) {
		key := r.text()
		if seen[key] && r.plain {
			continue
		}
		seen[key] = true
		parts = append(parts, key+r.space()+":"+r.space()+r.value(depth-1))
	}
	return "{" + r.space() + strings.Join(parts, ","+r.space()) + "}"
}

func (r random) space() string {
	if r.plain || r.IntN(4) > 0 {
		return ""
	}
	return []string{" ", "\n", "\t "}[r.IntN(3)]
}

func (r random) number() string {
	switch r.IntN(7) {
	case 0:
		return strconv.Itoa(r.IntN(1000) - 500)
	case 1:
		return strconv.FormatUint(r.Uint64(), 10)
	case 2:
		return strconv.FormatFloat(math.Ldexp(r.Float64(), r.IntN(200)-100), 'g', -1, 64)
	case 3:
		return []string{"1.0", "1e3", "-0", "1E+2", "0.10", "1e999", "-1e999", "5e-324", "123456789012345678901234567890"}[r.IntN(9)]
	}
	return strconv.FormatFloat(r.NormFloat64()*1000, 'f', r.IntN(4), 64)
}

func (r random) text() string {
	pieces := []string{"a", "b", "key", "1", "2", "10", "ü", "€", "😀", `\u00e9`, `\/`, `\n`, `\"`, `\\`, `\ud800`, `\uDC00x`, `\u0000`, `\ud83d\ude00`, "\u2028", "toJSON", "__proto__", " "}
	var b strings.Builder
	for range r.IntN(4) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return `"` + b.String() + `"`
}

// TestUntouchedValuesKeepTheirBytes sends random events through code that
// changes one field and leaves the rest, and through code that rebuilds all.
func TestUntouchedValuesKeepTheirBytes(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := random{Rand: rand.New(rand.NewPCG(seed, 1))}
	var sent []string
	for i := range 400 {
		sent = append(sent, fmt.Sprintf(`{"userId":"u","messageId":"m%d","changed":1,"body":%s}`, i, r.value(4)))
	}
	for name, tc := range map[string]struct {
		code  string
		batch bool
	}{
		"changed":  {`exports.transformEvent = e => { e.changed = 2; return e }`, false},
		"rebuilt":  {`exports.transformEvent = e => ({ ...structuredClone(e), changed: 2 })`, false},
		"touched":  {`exports.transformEvent = e => { for (const k in e.body) { e.body[k] } return Object.fromEntries(Object.entries({ ...e, changed: 2 })) }`, false},
		"batch":    {`exports.transformBatch = events => events.map(e => ({ ...e, changed: 2 }))`, true},
		"reversed": {`exports.transformEvent = e => Object.fromEntries(Object.entries({ ...e, changed: 2 }).reverse())`, false},
		"same":     {`exports.transformEvent = e => e`, false},
	} {
		a := run(t, load(t, script.Step{Code: tc.code, Batch: tc.batch}), sent...)
		if len(a.Outputs) != len(sent) {
			t.Errorf("seed %d, %s: %d outputs of %d events: %v", seed, name, len(a.Outputs), len(sent), a.Failures)
			continue
		}
		for _, o := range a.Outputs {
			want := sent[o.At]
			if name != "same" {
				want = strings.Replace(want, `"changed":1`, `"changed":2`, 1)
			}
			if got, ok := restore(sent[o.At], o.JSON); !ok || got != want {
				t.Errorf("seed %d, %s: event %s became\n%s, want\n%s", seed, name, sent[o.At], got, want)
				break
			}
		}
	}
}

// TestDirectWritesWhatJSONStringifyWrites compares the two on values of all kinds.
func TestDirectWritesWhatJSONStringifyWrites(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := random{Rand: rand.New(rand.NewPCG(seed, 2)), plain: true}
	codes := map[string]bool{ // true: direct writes it itself
		`({})`: true, `[]`: true, `({ a: [1, , 2] })`: false, `({ a: new Date(0) })`: false, `({ get a() { return 1 } })`: false,
		`({ toJSON() { return 5 } })`: false, `({ a: Object.create(null) })`: true, `({ a: Object.create({ toJSON() { return 1 } }) })`: false,
		`({ b: 1, 1: 2, 0: 3 })`: false, `({ a: undefined, b: 1 })`: true, `({ [Symbol("x")]: 1, a: 2 })`: true, `({ a() {} , b: 1 })`: false,
		`(() => { const o = { a: 1, b: 2, c: 3 }; delete o.b; o.d = 4; return o })()`: true, `(() => { const o = { a: 1 }; Object.defineProperty(o, "h", { value: 1 }); return o })()`: true,
		`(() => { const o = {}; for (let i = 0; i < 300; i++) o["k" + i] = i; for (let i = 0; i < 250; i++) delete o["k" + i]; return o })()`: true,
		`(() => { const a = [1, 2, 3]; a.length = 2; return a })()`:                                                                           true, `(() => { const a = [1]; a[5] = 1; return a })()`: false, `(() => { const a = [1]; a.x = 1; return a })()`: false,
		`Object.freeze({ a: Object.freeze({ b: 1 }) })`: true, `({ a: "x".repeat(5000) + "y".repeat(9000) })`: false, `(() => { class A { constructor() { this.x = 1 } } return { a: new A() } })()`: false,
		`({ a: new Proxy({}, {}) })`: false, `(() => { const s = { b: 1 }; return { x: s, y: s, z: [s, s] } })()`: true, `({ a: new Map(), b: new Uint8Array(2) })`: false,
		`(() => { Object.prototype.toJSON = () => 1; return { a: 1 } })()`: false, `(() => { Array.prototype.toJSON = () => 1; return [1] })()`: false,
		`(() => { Object.setPrototypeOf(Array.prototype, { toJSON: () => 1 }); return [1] })()`: false, `({ a: Object(1), b: Object("x") })`: false,
		`({ a: JSON.rawJSON("1") })`: false, `({ a: 1 / 3, b: 1e300, c: 2 ** 31, d: 1e-6, e: 1.5e-7, f: 123456789.123, g: 1e20, h: -1e21, i: 5e-324, j: 1.7976931348623157e308 })`: true,
		`(() => { const o = { a: 1 }; o.self = [o]; return o.self.length ? { a: "cycle" } : o })()`: true,
	}
	for range 150 {
		object := r.object(4)
		codes["JSON.parse("+strconv.Quote(object)+")"] = false
	}
	for code, must := range codes {
		direct, slow, plain, known, err := engine.Written(code)
		switch {
		case err != nil:
			t.Errorf("seed %d: %v", seed, err)
		case !known:
			t.Fatal("direct does not know this engine")
		case plain && direct != slow:
			t.Errorf("seed %d: %s: direct wrote %s, JSON.stringify %s", seed, code, direct, slow)
		case plain != must && !strings.HasPrefix(code, "JSON.parse"):
			t.Errorf("%s: written by direct is %v, want %v", code, plain, must)
		}
	}
	if _, _, plain, _, _ := engine.Written(`(() => { const o = {}; o.self = o; return o })()`); plain {
		t.Error("direct wrote a cycle")
	}
	if _, _, plain, _, _ := engine.Written(`(() => { let o = {}; for (let i = 0; i < 60; i++) o = { a: o, b: o }; return i => o })()()`); plain {
		t.Error("direct wrote 2^60 objects")
	}
}

// FuzzRestore: what is restored is JSON with the meaning of what was returned,
// but for numbers, which are as near as float64 can tell.
func FuzzRestore(f *testing.F) {
	f.Add(`{"a":1.0,"b":[1e999]}`, `{"a":1,"b":[null],"c":0}`)
	f.Add(`{"b":1,"2":1,"1":{"x":"\ud800"}}`, `{"1":{"x":"\ud800"},"2":1,"b":1}`)
	f.Fuzz(func(t *testing.T, sent, got string) {
		if !json.Valid([]byte(sent)) || !json.Valid([]byte(got)) {
			_, _ = restore(sent, got)
			return
		}
		out, ok := restore(sent, got)
		if !ok {
			return // nested too deeply
		}
		if !json.Valid([]byte(out)) {
			t.Fatalf("Restore(%q, %q) = %q", sent, got, out)
		}
		if twice, ok := restore(sent, out); !ok || twice != out {
			t.Fatalf("Restore(%q, %q) = %q, and again %q", sent, got, out, twice)
		}
	})
}
