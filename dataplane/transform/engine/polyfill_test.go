package engine_test

import (
	"encoding/json"
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
