package engine_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"weir/dataplane/transform/engine"
	"weir/shared/script"
	"weir/shared/script/builtin"
	"weir/shared/script/scripttest"
)

const inImports = `import * as crypto from "crypto"; import _, { get, snakeCase } from "lodash"; import groupBy from "lodash/groupBy"; import * as uuid from "uuid"; import { createHash } from "node:crypto"; import whole from "crypto";
`

// built is expressions over the built-in modules that Node answers alike.
var built = []string{
	`crypto.createHash("sha256").update("Jane@Example.com".trim().toLowerCase()).digest("hex")`, `createHash("md5").update("").digest("base64")`, `whole.createHash("sha1").update("ü€😀\ud800").digest("hex")`,
	`crypto.createHash("SHA256").update("a").update("b", "utf8").update(new Uint8Array([0, 255, 200])).update("ff00", "hex").update("aGk=", "base64").digest("base64url")`,
	`crypto.createHash("sha512").update("\u0000x").digest("hex")`, `crypto.createHash("sha384").update("ÿé", "latin1").digest("hex")`, `Array.from(crypto.createHash("md5").update("x").digest())`,
	`crypto.createHmac("sha256", "key").update("text").digest("hex")`, `crypto.createHmac("sha1", new Uint8Array([1, 2, 255])).update("text").digest("base64")`, `crypto.createHmac("md5", "k".repeat(200)).update("").digest("hex")`,
	`(() => { const h = crypto.createHash("sha256").update("a"), c = h.copy(); return [h.update("b").digest("hex"), c.digest("hex")] })()`, `(() => { try { const h = createHash("md5"); h.digest(); h.update("x") } catch (e) { return e instanceof Error } })()`,
	`crypto.createHash("sha256").update("x".repeat(100000)).update(new Uint8Array(100000)).digest("hex")`, `crypto.timingSafeEqual(new Uint8Array([1, 2]), new Uint8Array([1, 2]))`, `/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID())`,
	`new Set(Array.from({ length: 50 }, () => crypto.randomUUID())).size`, `crypto.randomBytes(20).length`, `globalThis.crypto.getRandomValues(new Uint16Array(9)).some(x => x > 255)`, `typeof globalThis.crypto.randomUUID()`,
	`_.get({ a: [{ b: 5 }] }, "a[0].b")`, `get({}, "x", 1)`, `_.chunk([1, 2, 3, 4, 5], 2)`, `groupBy([6.1, 4.2, 6.3], Math.floor)`, `_.merge({ a: { b: 1 } }, { a: { c: [1] } })`, `_([3, 1, 2]).sortBy().map(x => x * 2).value()`, `_.cloneDeep({ d: [new Date(0)] }).d[0].getTime()`,
	`_.template("hello <%= name %>")({ name: "x" })`, `snakeCase("Order Completed äé")`, `_.camelCase("foo bar")`, `_.omitBy({ a: null, b: 1 }, _.isNil)`, `_.isEqual({ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] })`, `_.VERSION`, `_.escape("<a&b>")`, `_.deburr("déjà vu")`,
	`uuid.v5("weir", uuid.v5.DNS)`, `uuid.v3("x", "6ba7b810-9dad-11d1-80b4-00c04fd430c8")`, `uuid.validate(uuid.v4())`, `uuid.version(uuid.v4())`, `uuid.version(uuid.v1())`, `uuid.NIL`, `uuid.validate("x")`, `uuid.stringify(uuid.parse("6ba7b810-9dad-11d1-80b4-00c04fd430c8"))`,
	`uuid.v4() === uuid.v4()`,
}

// bundled makes a machine of modules as customers write them.
func bundled(t *testing.T, code string) *engine.Machine {
	t.Helper()
	return load(t, scripttest.Compile(t, []script.File{{Name: "t", Code: code}}, nil)[0])
}

// TestBuiltInModulesDoWhatNodeDoes compares with Node's crypto, and with lodash and
// uuid where Node runs them.
func TestBuiltInModulesDoWhatNodeDoes(t *testing.T) {
	t.Parallel()
	list := "[" + strings.Join(built, ",\n") + "]"
	a := run(t, bundled(t, inImports+`export function transformEvent(e) { return { is: `+list+` } }`), `{"messageId":"m"}`)
	if len(a.Outputs) != 1 {
		t.Fatalf("%+v", a)
	}
	lodash, _ := builtin.Source("lodash")
	uuid, _ := builtin.Source("uuid")
	exports := uuid[strings.LastIndex(uuid, "export {"):]
	uuid = strings.TrimSuffix(uuid, exports) + "return {" + strings.NewReplacer("export {", "", "}", "", ";", "").Replace(colons(exports)) + "}"
	quoted, err := json.Marshal(lodash)
	if err != nil {
		t.Fatal(err)
	}
	node := exec.Command("node", "-")
	node.Stdin = strings.NewReader(`const whole = require("crypto"), crypto = whole, { createHash } = crypto, lodash = { exports: {} };
		new Function("module", "exports", ` + string(quoted) + `)(lodash, lodash.exports); const _ = lodash.exports, { get, snakeCase, groupBy } = _;
		globalThis.crypto ??= whole.webcrypto; const uuid = (crypto => {` + uuid + `})(whole.webcrypto); console.log(JSON.stringify({ is: ` + list + `}))`)
	text, err := node.Output()
	if err != nil {
		t.Fatalf("node: %v", err)
	}
	var got, want struct{ Is []json.RawMessage }
	if json.Unmarshal([]byte(a.Outputs[0].JSON), &got) != nil || json.Unmarshal(text, &want) != nil || len(got.Is) != len(built) || len(want.Is) != len(built) {
		t.Fatalf("%s\n%s", a.Outputs[0].JSON, text)
	}
	for i, code := range built {
		if string(got.Is[i]) != string(want.Is[i]) {
			t.Errorf("%s = %s, in Node %s", code, got.Is[i], want.Is[i])
		}
	}
}

// colons turns "a as b" into "b: a".
func colons(exports string) string {
	var out []string
	for _, line := range strings.Split(exports, "\n") {
		if from, to, ok := strings.Cut(strings.TrimSuffix(strings.TrimSpace(line), ","), " as "); ok {
			line = to + ": " + from + ","
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// TestBuiltInsSayWhatTheyHave: a mistake gets an error that names what there is.
func TestBuiltInsSayWhatTheyHave(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		`crypto.createHash("rot13")`:                               "RangeError: crypto: there is no algorithm \"rot13\"; there are md5, sha1",
		`crypto.createHash("md5").update("x", "ebcdic")`:           "there are utf8",
		`crypto.createHash("md5").update("x").digest("base32")`:    "there are hex, base64",
		`crypto.createHash("md5").update(5)`:                       "TypeError: crypto: data has to be a string",
		`crypto.sha256(null)`:                                      "TypeError: crypto: data has to be a string",
		`crypto.sha256("x".repeat(5 << 20))`:                       "RangeError: crypto: more than 4194304 bytes to hash",
		`crypto.randomBytes(1e9)`:                                  "RangeError: crypto: randomBytes gives 0 to 65536 bytes",
		`globalThis.crypto.getRandomValues(new Uint8Array(70000))`: "QuotaExceededError",
	} {
		a := run(t, bundled(t, inImports+`export function transformEvent(e) { `+code+`; return e }`), `{"messageId":"m"}`)
		if len(a.Failures) != 1 || !strings.Contains(a.Failures[0].Text, want) {
			t.Errorf("%s: %+v, want %q", code, a, want)
		}
	}
	if a := run(t, bundled(t, inImports+`export async function transformEvent(e) { const d = await globalThis.crypto.subtle.digest("SHA-256", new TextEncoder().encode("x")); return { same: Array.from(new Uint8Array(d)).join() === Array.from(createHash("sha256").update("x").digest()).join() } }`), `{"messageId":"m"}`); len(a.Outputs) != 1 || a.Outputs[0].JSON != `{"same":true}` {
		t.Errorf("subtle.digest: %+v", a)
	}
}

// TestHashingMeetsTheLimits: whatever is hashed, a run ends in time. It does not
// run beside others, because time is CPU of the process.
func TestHashingMeetsTheLimits(t *testing.T) {
	for code, want := range map[string]string{
		`const h = createHash("sha512"); const mb = "x".repeat(1 << 20); for (let i = 0; i < 100; i++) h.update(mb); h.digest("hex")`: engine.CodeFailed,
		`const mb = "x".repeat(4 << 20); for (;;) crypto.sha512(mb)`:                                                                  engine.CodeTimeout,
		`const b = new Uint8Array(4 << 20); for (;;) crypto.sha256(b)`:                                                                engine.CodeTimeout,
		`for (;;) crypto.randomBytes(65536)`:                                                                                          engine.CodeTimeout,
		`const kept = []; for (;;) kept.push(createHash("md5").update("x".repeat(3 << 20)))`:                                          engine.CodeMemory,
	} {
		m := bundled(t, inImports+`export function transformEvent(e) { `+code+`; return e }`)
		timeout := 300 * time.Millisecond
		if want != engine.CodeTimeout {
			timeout = time.Minute
		}
		a, err := m.Run([]string{`{"messageId":"m"}`}, engine.Meta{}, time.Minute, timeout)
		switch {
		case err != nil && engine.ProblemOf(err).Code == want:
		case err == nil && len(a.Failures) == 1 && a.Failures[0].Code == want:
		default:
			t.Errorf("%s: %+v, %v, want %s", code, a, err, want)
		}
	}
}
