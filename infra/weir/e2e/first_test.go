package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOneCommandDeliversTheFirstEvent is what a new user sees.
func TestOneCommandDeliversTheFirstEvent(t *testing.T) {
	t.Parallel()
	p, in := dev(t, t.TempDir(), "")
	for _, want := range []string{`http://127\.0\.0\.1:\d+`, `curl `, `admin@`, `wk_`} {
		p.line(want)
	}
	if st, err := os.Stat(filepath.Join(in.Dir, "dev.json")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("dev.json: %v %v, want mode 0600", st, err)
	}
	accept(t, in.Gateway, "/v1/track", in.WriteKey, `{"userId":"ada","event":"First Light"}`)
	p.line(`First Light`)
	if out := run(t, 0, "", "status", "--data-dir", in.Dir); !strings.Contains(out, "eu") {
		t.Errorf("status does not name the plane:\n%s", out)
	}
	p.stop()
}

// TestEveryValueArrivesAsSent sends what JSON can hold through one webhook.
func TestEveryValueArrivesAsSent(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	_, in := dev(t, t.TempDir(), hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL}))
	values := map[string]string{
		"big":     `12345678901234567890`,
		"neg":     `-9223372036854775808`,
		"float":   `1.0`,
		"exp":     `1E+400`,
		"unicode": `"\u00e9é\ud83d\ude00 \u0000"`,
		"slash":   `"a\/b"`,
		"order":   `{"z":1,"a":2,"10":3,"9":4}`,
		"dup":     `{"a":1,"a":2}`,
		"space":   `[ 1 ,  2 ]`,
		"null":    `null`,
		"lone":    `"\ud800"`,
	}
	var props []string
	for k, v := range values {
		props = append(props, fmt.Sprintf("%q:%s", k, v))
	}
	accept(t, in.Gateway, "/v1/track", "wk_web", `{"userId":"u1","event":"Values","messageId":"m-values","properties":{`+strings.Join(props, ",")+`}}`)
	until(t, "the event at the webhook", func() bool { return len(hook.all()) > 0 })
	got := hook.all()[0]
	for k, v := range values {
		if want := fmt.Sprintf("%q:%s", k, v); !bytes.Contains(got.Body, []byte(want)) {
			t.Errorf("%s is not in what arrived: %s", want, got.Body)
		}
	}
	if got.Header.Get("Weir-Message-Id") != "m-values" || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", got.Header)
	}
}

// TestSDK sends with an unmodified SDK: every event exactly once.
func TestSDK(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	_, in := dev(t, t.TempDir(), hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL}))
	out, err := exec.Command("node", "segment.cjs", in.Gateway, "wk_web", "200").CombinedOutput()
	if err != nil {
		t.Fatalf("segment.cjs: %v\n%s", err, out)
	}
	accept(t, in.Gateway, "/v1/track", "wk_web", `{"userId":"u","event":"By Hand","messageId":"by-hand","properties":{"n":9007199254740993}}`)
	until(t, "205 events at the webhook", func() bool { return len(hook.ids()) == 205 })
	types := map[string]int{}
	for _, a := range hook.all() {
		var e struct{ Type, MessageID, ReceivedAt, OriginalTimestamp string }
		if err := json.Unmarshal(a.Body, &e); err != nil {
			t.Fatalf("%s: %v", a.Body, err)
		}
		if e.MessageID == "" || e.ReceivedAt == "" || e.OriginalTimestamp == "" {
			t.Errorf("an event lacks what Weir adds: %s", a.Body)
		}
		types[e.Type]++
		if n := hook.ids()[e.MessageID]; n != 1 {
			t.Errorf("%s arrived %d times", e.MessageID, n)
		}
	}
	for _, typ := range []string{"identify", "page", "group", "alias"} {
		if types[typ] != 1 {
			t.Errorf("%d events of type %s, want 1", types[typ], typ)
		}
	}
	until(t, "a balanced book of 205 delivered", func() bool {
		b := bookOf(t, in, "web", "hook")
		return b.Delivered == 205 && b.Routed == 205 && b.Balanced && b.InFlight == 0
	})
}

// TestRefusals shows the answers to what cannot be taken.
func TestRefusals(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	_, in := dev(t, t.TempDir(), hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL})+
		"---\nworkspace: idle\nregion: eu\nsources:\n  - { name: off, type: http, writeKey: wk_off, disabled: true }\n")
	for name, tc := range map[string]struct {
		path, key, body string
		status          int
	}{
		"unknown key":       {"/v1/track", "wk_nobody", `{"userId":"u","event":"e"}`, 401},
		"disabled source":   {"/v1/track", "wk_off", `{"userId":"u","event":"e"}`, 404},
		"malformed":         {"/v1/track", "wk_web", `{"userId":`, 400},
		"nothing in it":     {"/v1/batch", "wk_web", `{"batch":[]}`, 400},
		"too large":         {"/v1/track", "wk_web", `{"userId":"u","x":"` + strings.Repeat("x", 5<<20) + `"}`, 413},
		"half of a batch":   {"/v1/batch", "wk_web", `{"batch":[{"type":"track","userId":"u","event":"good","messageId":"half"},42]}`, 200},
		"unknown path":      {"/v2/track", "wk_web", `{}`, 404},
		"slash at the end":  {"/v1/track/", "wk_web", `{"userId":"u","event":"e","messageId":"slash"}`, 200},
		"one letter":        {"/v1/t", "wk_web", `{"userId":"u","event":"e","messageId":"letter"}`, 200},
		"metrics of an SDK": {"/v1/m", "wk_web", `anything`, 200},
	} {
		status, answer := post(in.Gateway, tc.path, tc.key, tc.body)
		if status != tc.status {
			t.Errorf("%s: %d %s, want %d", name, status, answer, tc.status)
		}
		if name == "half of a batch" && !strings.Contains(answer, `"index":1`) {
			t.Errorf("%s: the answer does not name the bad member: %s", name, answer)
		}
	}
	until(t, "the three good ones at the webhook", func() bool {
		ids := hook.ids()
		return ids["half"] == 1 && ids["slash"] == 1 && ids["letter"] == 1
	})
	resp, err := http.Get(in.Gateway + "/ready")
	if err != nil || resp.StatusCode != 200 {
		t.Errorf("/ready after all that: %v %v", resp, err)
	}
}
