package engine_test

import (
	"encoding/json"
	"maps"
	"os/exec"
	"strings"
	"testing"

	"weir/shared/script"
)

// polyfilled are expressions with what Node makes of them.
var polyfilled = map[string]string{
	`new URL("https://User:pa%20ss@EXAMPLE.com:443/a/../b/./c?x=1&y=a b#Frag ment").href`:                `"https://User:pa%20ss@example.com/b/c?x=1&y=a%20b#Frag%20ment"`,
	`new URL("../x?q", "http://h:8080/a/b/c").href`:                                                      `"http://h:8080/a/x?q"`,
	`new URL("//other/p", "https://h/").href`:                                                            `"https://other/p"`,
	`new URL("?only", "https://h/p/q?old#f").href`:                                                       `"https://h/p/q?only"`,
	`new URL("#f", "https://h/p?q").href`:                                                                `"https://h/p?q#f"`,
	`new URL("https://h").pathname`:                                                                      `"/"`,
	`new URL("https:h/x").href`:                                                                          `"https://h/x"`,
	`new URL("mailto:a@b.c").href`:                                                                       `"mailto:a@b.c"`,
	`new URL("data:text/plain,hello world").pathname`:                                                    `"text/plain,hello world"`,
	`new URL("file:///C:/x/../y").href`:                                                                  `"file:///C:/y"`,
	`new URL("app://host/p?q#r").host`:                                                                   `"host"`,
	`new URL("http://[::1]:3000/").host`:                                                                 `"[::1]:3000"`,
	`new URL("http://0x7f.1/").hostname`:                                                                 `"127.0.0.1"`,
	`new URL("http://bücher.example/ü?ü").href`:                                                          `"http://xn--bcher-kva.example/%C3%BC?%C3%BC"`,
	`new URL("http://日本語.jp").hostname`:                                                                  `"xn--wgv71a119e.jp"`,
	`(() => { try { new URL("nope"); return "made" } catch (e) { return e.name } })()`:                   `"TypeError"`,
	`(() => { try { new URL("http://a b/"); return "made" } catch (e) { return e.name } })()`:            `"TypeError"`,
	`URL.canParse("http://x:99999/")`:                                                                    `false`,
	`(() => { const u = new URL("http://x/?a=1"); u.searchParams.append("b", "ü &"); return u.href })()`: `"http://x/?a=1&b=%C3%BC+%26"`,
	`(() => { const u = new URL("http://x/a?b#c"); u.search = "?n=1"; u.hash = ""; u.pathname = "/p q"; u.port = "81"; u.hostname = "y"; u.protocol = "https"; return u.href })()`: `"https://y:81/p%20q?n=1"`,
	`new URL("http://x/?utm_source=a&utm_source=b").searchParams.getAll("utm_source")`:                                                                                             `["a","b"]`,
	`new URL("https://example.com/x").origin`:             `"https://example.com"`,
	`JSON.stringify({ u: new URL("http://x/") })`:         `"{\"u\":\"http://x/\"}"`,
	`Array.from(new URLSearchParams("?b=2&a=1&a=%zz&c"))`: `[["b","2"],["a","1"],["a","%zz"],["c",""]]`,
	`(() => { const p = new URLSearchParams({ z: 1, a: 2 }); p.sort(); p.set("z", "3"); p.delete("a"); return [p.toString(), p.size, p.has("z")] })()`: `["z=3",1,true]`,
	`Array.from(new TextEncoder().encode("aü€😀\ud800"))`:                                                                                         `[97,195,188,226,130,172,240,159,152,128,239,191,189]`,
	`new TextDecoder().decode(new Uint8Array([0xEF,0xBB,0xBF,97,195,188,0xFF,240,159,152]))`:                                                     `"aü\ufffd\ufffd"`,
	`(() => { const d = new TextDecoder(); return d.decode(new Uint8Array([226, 130]), { stream: true }) + d.decode(new Uint8Array([172])) })()`: `"€"`,
	`(() => { try { new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array([255])) } catch (e) { return e.name } })()`:                  `"TypeError"`,
	`btoa("Hello, World!\u00ff") + atob(" SGVs bG8= ")`:                                                                                          `"SGVsbG8sIFdvcmxkIf8=Hello"`,
	`(() => { try { atob("a") } catch (e) { return e.name } })()`:                                                                                `"InvalidCharacterError"`,
	`(() => { try { btoa("€") } catch (e) { return e.name } })()`:                                                                                `"InvalidCharacterError"`,
	`(() => { const a = { d: new Date(5), m: new Map([[1, new Set([2])]]), l: [1, , 3], n: null }; a.self = a; const b = structuredClone(a); return [b !== a, b.self === b, b.d.getTime(), b.m.get(1).has(2), b.l.length, 1 in b.l, b.n] })()`: `[true,true,5,true,3,false,null]`,
	`(() => { try { structuredClone({ f() {} }) } catch (e) { return e.name } })()`: `"DataCloneError"`,
}

// localized is what people use most of locale functions.
var localized = map[string]string{
	`new Date("2026-03-08T06:30:00Z").toLocaleDateString("en-US", { timeZone: "America/New_York", weekday: "long" })`:                  `"Sunday"`,
	`new Date("2026-03-08T07:30:00Z").toLocaleString("en-US", { timeZone: "America/New_York" })`:                                       `"3/8/2026, 3:30:00 AM"`,
	`new Date("2026-07-01T22:30:00Z").toLocaleString("en-US", { timeZone: "Europe/Berlin", dateStyle: "medium", timeStyle: "short" })`: `"Jul 2, 2026, 12:30 AM"`,
	`new Date(0).toLocaleDateString()`: `"1/1/1970"`,
	`new Date("2026-07-01T22:30:05Z").toLocaleTimeString("en-US", { hour12: false, timeZone: "Asia/Tokyo" })`:                            `"07:30:05"`,
	`new Date("2026-07-01T22:30:05Z").toLocaleDateString("en-US", { year: "numeric", month: "long", day: "numeric", weekday: "short" })`: `"Wed, July 1, 2026"`,
	`new Date("2026-07-01T22:30:05Z").toLocaleTimeString("en-US", { timeZone: "America/Los_Angeles", timeZoneName: "short" })`:           `"3:30:05 PM PDT"`,
	`(1234567.891).toLocaleString()`:                                                                                                              `"1,234,567.891"`,
	`(1234.5).toLocaleString("en-US", { style: "currency", currency: "USD" })`:                                                                    `"$1,234.50"`,
	`(-5).toLocaleString("en-US", { style: "currency", currency: "EUR", currencySign: "accounting" })`:                                            `"(€5.00)"`,
	`(1234).toLocaleString("en-US", { style: "currency", currency: "JPY" })`:                                                                      `"¥1,234"`,
	`(0.256).toLocaleString("en-US", { style: "percent", maximumFractionDigits: 1 })`:                                                             `"25.6%"`,
	`new Intl.NumberFormat("en-US", { notation: "compact" }).format(1234567)`:                                                                     `"1.2M"`,
	`new Intl.NumberFormat("en-US", { minimumFractionDigits: 2 }).format(5)`:                                                                      `"5.00"`,
	`new Intl.DateTimeFormat("en-US", { timeZone: "Asia/Kolkata", hour: "numeric", minute: "2-digit" }).format(new Date("2026-07-01T22:30:00Z"))`: `"4:00 AM"`,
	`new Intl.DateTimeFormat("en-US", { timeZone: "Europe/Paris" }).resolvedOptions().timeZone`:                                                   `"Europe/Paris"`,
	`["b", "a", "B", "é", "e", "Z", "z", "10", "9", "_"].sort((a, b) => a.localeCompare(b))`:                                                      `["_","10","9","a","b","B","e","é","z","Z"]`,
	`["resume".localeCompare("résumé"), "a".localeCompare("B"), "a".localeCompare("a"), "Zoë".localeCompare("Zoe", "en")]`:                        `[-1,-1,0,1]`,
	`"straße".toLocaleUpperCase("en-US") + "İ".toLocaleLowerCase()`:                                                                               `"STRASSEi̇"`,
	`(() => { try { new Date(0).toLocaleString("en-US", { timeZone: "Nowhere/Land" }) } catch (e) { return e.name } })()`:                         `"RangeError"`,
	`(() => { try { (1).toLocaleString("en-US", { minimumIntegerDigits: 1e9 }) } catch (e) { return e.name } })()`:                                `"RangeError"`,
}

// TestWhatIsNotSupportedSaysSo: a RangeError names the option and what there is.
func TestWhatIsNotSupportedSaysSo(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		`new Date().toLocaleDateString("de-DE")`:                                                          `RangeError: the locale "de-DE" is not supported; there is en-US`,
		`(5).toLocaleString(["fr", "en"])`:                                                                `RangeError: the locale "fr" is not supported; there is en-US`,
		`new Date()["to" + String.fromCharCode(76) + "ocaleString"]()`:                                    `RangeError: toLocaleString is not supported in code that does not name it`,
		`"a".localeCompare("b", "sv")`:                                                                    `RangeError: the locale "sv" is not supported; there is en-US`,
		`"a".localeCompare("b", "en", { sensitivity: "base" })`:                                           `RangeError: the option sensitivity: "base" is not supported; there are variant`,
		`"a".localeCompare("б")`:                                                                          `RangeError: texts with '\u0431' cannot be compared`,
		`"I".toLocaleLowerCase("tr")`:                                                                     `RangeError: the locale "tr" is not supported`,
		`new Date().toLocaleString("en-US", { timeZoneName: "long" })`:                                    `RangeError: the option timeZoneName: "long" is not supported; there are short`,
		`new Date().toLocaleString("en-US", { calendar: "japanese" })`:                                    `RangeError: the option calendar: "japanese" is not supported; there are gregory`,
		`new Date().toLocaleString("en-US", { era: "short" })`:                                            `RangeError: the option era is not supported`,
		`new Date().toLocaleString("en-US", { minute: "numeric" })`:                                       `RangeError: the options minute together are not supported; there are year, month, day`,
		`new Intl.NumberFormat("en-US", { style: "currency", currency: "USD", currencyDisplay: "name" })`: `RangeError: the option currencyDisplay: "name" is not supported; there are symbol, narrowSymbol, code`,
		`new Intl.PluralRules("en-US")`:                                                                   `RangeError: Intl.PluralRules is not supported; there are DateTimeFormat, NumberFormat, Collator`,
		`new Intl.DateTimeFormat("en-US").formatRange(0, 1)`:                                              `RangeError: DateTimeFormat.formatRange is not supported`,
	} {
		a := run(t, load(t, script.Step{Code: "exports.transformEvent = e => { " + code + "; return e }"}), `{"messageId":"m"}`)
		if len(a.Failures) != 1 || !strings.HasPrefix(a.Failures[0].Text, strings.ReplaceAll(want, `\\`, `\`)) {
			t.Errorf("%s: %+v, want %s", code, a, want)
		}
	}
}

func init() { maps.Copy(polyfilled, localized) }

func TestPolyfillsDoWhatNodeDoes(t *testing.T) {
	t.Parallel()
	for code, want := range polyfilled {
		a := run(t, load(t, script.Step{Code: "exports.transformEvent = e => ({ is: " + code + " })"}), `{"messageId":"m"}`)
		if len(a.Outputs) != 1 {
			t.Errorf("%s: %+v", code, a)
			continue
		}
		if got := a.Outputs[0].JSON; !equalJSON(t, got, `{"is":`+want+`}`) {
			t.Errorf("%s: %s, want %s", code, got, want)
		}
	}
}

// TestPolyfilledIsWhatNodeSays holds the table to the real thing.
func TestPolyfilledIsWhatNodeSays(t *testing.T) {
	t.Parallel()
	var program strings.Builder
	program.WriteString("const out = {};\n")
	for code := range polyfilled {
		quoted, err := json.Marshal(code)
		if err != nil {
			t.Fatal(err)
		}
		program.WriteString("out[" + string(quoted) + "] = (" + code + ");\n")
	}
	program.WriteString("console.log(JSON.stringify(out))")
	node := exec.Command("node", "-")
	node.Env = append(node.Environ(), "TZ=UTC", "LANG=en_US.UTF-8", "LC_ALL=en_US.UTF-8")
	node.Stdin = strings.NewReader(program.String())
	text, err := node.Output()
	if err != nil {
		t.Fatalf("node: %v", err)
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for code, want := range polyfilled {
		if !equalJSON(t, string(got[code]), want) {
			t.Errorf("%s = %s in Node, the table says %s", code, got[code], want)
		}
	}
}

func equalJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	p, _ := json.Marshal(x)
	q, _ := json.Marshal(y)
	return string(p) == string(q)
}
