package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// codeConfig is hookConfig with code on the way to hook.
func codeConfig(url, code string) string {
	return fmt.Sprintf(`workspace: acme
region: eu
sources:
  - { name: web, type: http, writeKey: wk_web }
transformations:
  - name: tidy
    language: javascript
    code: |
      export function transformEvent(event) {
        %s
        return event;
      }
destinations:
  - { name: hook, type: webhook, settings: { url: %q } }
  - { name: copy, type: webhook, settings: { url: %q } }
connections:
  - { source: web, destination: hook, transformations: [tidy] }
  - { source: web, destination: copy }
`, code, url+"/hook", url+"/copy")
}

// TestWhatCodeRefusedArrivesOnceTheCodeIsCorrected replays what a
// transformation refused: not before the code is corrected, then to its own
// destination alone, and once.
func TestWhatCodeRefusedArrivesOnceTheCodeIsCorrected(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	dir := t.TempDir()
	_, in := dev(t, dir, codeConfig(hook.URL, `if (event.event === "Bad") throw new Error("cannot take " + event.properties.n.x.y);`))
	at := []string{"--data-dir", in.Dir}
	weir := func(args ...string) string { t.Helper(); return run(t, 0, "", append(args, at...)...) }
	accept(t, in.Gateway, "/v1/batch", "wk_web", `{"batch":[{"type":"track","userId":"u","event":"Good","messageId":"good"},{"type":"track","userId":"u","event":"Bad","messageId":"bad"},{"type":"track","event":"Nobody"}]}`)
	until(t, "one in quarantine with its code", func() bool { return bookOf(t, in, "web", "hook").Quarantined == 1 })
	until(t, "the rest at the webhook", func() bool { n := hook.ids(); return n["good"] == 2 && n["bad"] == 1 })
	dry := func() (counts struct {
		Events int
		Codes  map[string]int
	}) {
		t.Helper()
		if err := json.Unmarshal([]byte(weir("replay", "--dry-run", "--all", "--output", "json")), &counts); err != nil {
			t.Fatal(err)
		}
		return counts
	}
	if n := dry(); n.Events != 2 || n.Codes["transformation_failed"] != 1 || n.Codes["no_id"] != 1 {
		t.Errorf("a dry run counts %+v, want one refused by code and one at the gateway", n)
	}
	if out := run(t, 2, "", append([]string{"replay"}, at...)...); !strings.Contains(out, "say which quarantined events") {
		t.Errorf("without a choice: %s", out)
	}

	if out := weir("replay", "--code", "no_id"); !strings.HasPrefix(out, "replayed 0 events\n") {
		t.Errorf("what breaks the rule still: %s", out)
	}
	weir("replay", "--code", "transformation_failed")
	until(t, "it is refused again", func() bool { return bookOf(t, in, "web", "hook").Quarantined == 2 })

	file := filepath.Join(dir, "corrected.yaml")
	write(t, file, codeConfig(hook.URL, `event.properties = { corrected: true };`))
	weir("apply", "-f", file)
	if out := weir("replay", "--source", "web", "--code", "transformation_failed"); !strings.HasPrefix(out, "replayed 1 events\n") {
		t.Errorf("replay: %s", out)
	}
	until(t, "it is delivered", func() bool { return bookOf(t, in, "web", "hook").Delivered == 2 })
	if n := hook.ids(); n["bad"] != 2 || n["good"] != 2 {
		t.Errorf("arrived: %v, want each once at hook and once at copy", n)
	}
	own := bookOf(t, in, "web", "")
	if own.Accepted != 3 || own.Replayed != 2 || own.Duplicate != 0 || own.Quarantined != 1 {
		t.Errorf("the source's book is %+v, want 3 accepted, 2 replayed and 1 quarantined", own)
	}
	for _, b := range ledger(t, in) {
		if !b.Balanced || b.InFlight != 0 {
			t.Errorf("book %+v does not balance", b)
		}
	}
	if n := dry(); n.Events != 1 || n.Codes["no_id"] != 1 {
		t.Errorf("left: %+v, want what broke a rule at the gateway", n)
	}
	if out := weir("replay", "--all", "--output", "json"); !strings.HasPrefix(out, `{"replayed":0}`) {
		t.Errorf("a second replay: %s", out)
	}
}

// TestADeadLetterStartsFromItsOriginal: a destination refuses what a
// transformation made; the corrected one makes something else of the original.
func TestADeadLetterStartsFromItsOriginal(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	hook.set(func(w http.ResponseWriter, _ *http.Request, body []byte) bool {
		if bytes.Contains(body, []byte(`"wrong":true`)) {
			w.WriteHeader(http.StatusBadRequest)
			return true
		}
		return false
	})
	dir := t.TempDir()
	_, in := dev(t, dir, codeConfig(hook.URL, `delete event.properties; event.wrong = true;`))
	weir := func(args ...string) string {
		t.Helper()
		return run(t, 0, "", append(args, "--data-dir", in.Dir)...)
	}
	accept(t, in.Gateway, "/v1/track", "wk_web", `{"userId":"u","event":"Bought","messageId":"m","properties":{"n":12345678901234567890}}`)
	until(t, "it is dead", func() bool { return bookOf(t, in, "web", "hook").Dead == 1 })
	weir("dlq", "redrive", "--destination", "hook", "--all")
	until(t, "it is refused again, since it is sent as it was made", func() bool {
		return strings.Contains(weir("dlq", "list", "--output", "json"), `"wrong":true`) && bookOf(t, in, "web", "hook").Dead == 1
	})
	file := filepath.Join(dir, "corrected.yaml")
	write(t, file, codeConfig(hook.URL, `event.properties.corrected = true;`))
	weir("apply", "-f", file)
	if out := weir("dlq", "redrive", "--destination", "hook", "--all", "--retransform"); !strings.HasPrefix(out, "1 sent again.\n") {
		t.Errorf("redrive: %s", out)
	}
	until(t, "it is delivered", func() bool { return bookOf(t, in, "web", "hook").Delivered == 1 })
	var corrected int
	for _, a := range hook.all() {
		if bytes.Contains(a.Body, []byte(`"n":12345678901234567890`)) && bytes.Contains(a.Body, []byte(`"corrected":true`)) {
			corrected++
		}
	}
	if corrected != 1 || len(hook.all()) != 2 {
		t.Errorf("%d of %d arrivals are corrected, want 1 of 2: the other is the neighbour's", corrected, len(hook.all()))
	}
	b, own := bookOf(t, in, "web", "hook"), bookOf(t, in, "web", "")
	if b.Dead != 0 || b.Routed != 2 || b.Dropped["retransformed"] != 1 || !b.Balanced || own.Accepted != 1 || own.Replayed != 1 || !own.Balanced {
		t.Errorf("books %+v and %+v, want 1 dropped as retransformed and 1 replayed", b, own)
	}
}
