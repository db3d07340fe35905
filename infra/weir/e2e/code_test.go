package e2e_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// hostile is code that harms by the kind of event, and what that ends as.
const hostile = `
export function transformEvent(event) {
  log(event);
  switch (event.event) {
    case "loop": for (;;) {}
    case "bomb": { const all = []; for (;;) all.push("x".repeat(1 << 20) + all.length); }
    case "throw": throw new Error(event.properties.secret);
    case "fan": return Array.from({ length: 1001 }, (_, i) => ({ ...event, messageId: "f" + i }));
    case "garbage": return 42;
    case "cycle": event.self = event; return event;
    case "regex": return /^(a+)+$/.test("a".repeat(40) + "b");
    case "recurse": { const f = () => f() + 1; return f(); }
    case "never": return new Promise(() => {});
    case "escape": return event.constructor.constructor("return process")().exit(1);
    case "large": return { ...event, x: "x".repeat(2 << 20) };
  }
  return event;
}`

var hostileCodes = map[string][]string{
	"loop":    {"transformation_timeout"},
	"bomb":    {"transformation_memory", "transformation_timeout"},
	"throw":   {"transformation_failed"},
	"fan":     {"transformation_output"},
	"garbage": {"transformation_failed"},
	"cycle":   {"transformation_failed"},
	"regex":   {"transformation_timeout"},
	"recurse": {"transformation_failed", "transformation_memory"},
	"never":   {"transformation_failed", "transformation_timeout"},
	"escape":  {"transformation_failed"},
	"large":   {"transformation_output"},
}

// hostileConfig is a webhook behind hostile code, and one beside it.
func hostileConfig(bad, good string) string {
	return fmt.Sprintf(`workspace: acme
region: eu
sources:
  - { name: web, type: http, writeKey: wk_web }
transformations:
  - name: hostile
    language: javascript
    code: |
      %s
destinations:
  - { name: bad, type: webhook, settings: { url: %q } }
  - { name: good, type: webhook, settings: { url: %q } }
connections:
  - { source: web, destination: bad, transformations: [hostile] }
  - { source: web, destination: good }
`, strings.ReplaceAll(strings.TrimSpace(hostile), "\n", "\n      "), bad, good)
}

// TestHostileCodeHarmsItsEventOnly sends events on which the code of one
// destination fails in every way; its other events and its neighbour get theirs.
func TestHostileCodeHarmsItsEventOnly(t *testing.T) {
	t.Parallel()
	bad, good := newSink(t), newSink(t)
	_, in := dev(t, t.TempDir(), hostileConfig(bad.URL, good.URL))
	sent := map[string]time.Time{}
	send := func(kind, mid string) {
		sent[mid] = time.Now()
		accept(t, in.Gateway, "/v1/track", "wk_web", fmt.Sprintf(`{"userId":%q,"event":%q,"messageId":%q,"properties":{"secret":"WEIRMARK"}}`, mid, kind, mid))
	}
	const rounds = 4
	for i := range rounds {
		for kind := range hostileCodes {
			send(kind, fmt.Sprintf("%s-%d", kind, i))
			send("fine", fmt.Sprintf("fine-%s-%d", kind, i))
		}
	}
	until(t, "everything at the neighbour", func() bool { return len(good.ids()) == len(sent) })
	var late []time.Duration
	for _, a := range good.all() {
		late = append(late, a.At.Sub(sent[a.Header.Get("Weir-Message-Id")]))
	}
	slices.Sort(late)
	p99 := late[len(late)*99/100]
	t.Logf("neighbour: p50 %v, p99 %v", late[len(late)/2], p99)
	if p99 > 5*time.Second {
		t.Errorf("p99 of the neighbour is %v", p99)
	}
	until(t, "what is fine at the other, too", func() bool { return len(bad.ids()) == len(hostileCodes)*rounds })
	got := map[string][]string{}
	until(t, "all else in quarantine", func() bool {
		got = quarantined(t, in)
		n := 0
		for _, codes := range got {
			n += len(codes)
		}
		return n == len(hostileCodes)*rounds
	})
	for kind, want := range hostileCodes {
		if len(got[kind]) != rounds {
			t.Errorf("%s: %d in quarantine, want %d", kind, len(got[kind]), rounds)
		}
		for _, code := range got[kind] {
			// Where limits are met again and again, the code is suspended for moments.
			if !slices.Contains(want, code) && code != "transformation_suspended" {
				t.Errorf("%s ends as %s, want %v", kind, code, want)
			}
		}
	}
	until(t, "balanced books", func() bool {
		b, g := bookOf(t, in, "web", "bad"), bookOf(t, in, "web", "good")
		return b.Balanced && b.InFlight == 0 && b.Quarantined == int64(len(hostileCodes)*rounds) && b.Delivered == int64(len(hostileCodes)*rounds) &&
			g.Balanced && g.InFlight == 0 && g.Delivered == int64(len(sent))
	})
}

// quarantined lists the codes of quarantined events by the event's name.
func quarantined(t *testing.T, in installation) map[string][]string {
	t.Helper()
	got := map[string][]string{}
	for line := range strings.Lines(run(t, 0, "", "dlq", "list", "--quarantined", "--output", "json", "--data-dir", in.Dir)) {
		var d struct {
			Code  string
			Event struct{ Event string }
		}
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		got[d.Event.Event] = append(got[d.Event.Event], d.Code)
	}
	return got
}

// TestBadCodeIsFoundAtCommit applies code that cannot run: nothing of it is
// committed, and the place is named.
func TestBadCodeIsFoundAtCommit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, in := dev(t, dir, rowsConfig("http://127.0.0.1:1/", `export function transformEvent(event) { return event; }`))
	before := run(t, 0, "", "export", "--data-dir", in.Dir)
	for name, tc := range map[string]struct {
		code, library string
		want          []string
	}{
		"syntax":         {code: "export function transformEvent(event) {\n  return event +;\n}", want: []string{"transformations[0].code", "2:17"}},
		"unknown import": {code: "import fs from 'fs';\nexport function transformEvent(event) { return event; }", want: []string{"transformations[0].code", "1:16", `There is no library called "fs"`}},
		"no such export": {code: "import { whisper } from 'text';\nexport function transformEvent(event) { return event; }", want: []string{"transformations[0].code", "1:10", "whisper"}},
		"nothing in it":  {code: "const x = 1;", want: []string{"transformations[0].code", "transformEvent"}},
		"two of them":    {code: "export const transformEvent = (e) => e, transformBatch = (e) => e;", want: []string{"transformations[0].code"}},
		"bad library":    {code: "import { shout } from 'text';\nexport const transformEvent = (e) => e;", library: "export const shout = (s => s;", want: []string{"libraries[0].code", "1:29"}},
	} {
		config := rowsConfig("http://127.0.0.1:1/", tc.code)
		if tc.library != "" {
			config = strings.Replace(config, "export const shout = (s) => s.toUpperCase();", tc.library, 1)
		}
		file := filepath.Join(dir, "bad.yaml")
		write(t, file, config)
		out := run(t, 1, "", "apply", "-f", file, "--data-dir", in.Dir)
		for _, text := range tc.want {
			if !contains(out, text) {
				t.Errorf("%s: apply says %s, want %q", name, out, text)
			}
		}
	}
	if after := run(t, 0, "", "export", "--data-dir", in.Dir); after != before {
		t.Errorf("bad code changed the configuration from\n%s\nto\n%s", before, after)
	}
}
