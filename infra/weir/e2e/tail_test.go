package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// sight is a line of `weir tail`.
type sight struct {
	At, Stage, Source, Destination, MessageID, Outcome, Code string
	Event                                                    json.RawMessage
}

// sights are the lines of a tail so far, by "messageId stage outcome destination".
func sights(t *testing.T, tail *process) map[string]sight {
	t.Helper()
	all := map[string]sight{}
	for _, line := range strings.Split(tail.output(), "\n") {
		if !strings.HasPrefix(line, "{") {
			continue
		}
		var s sight
		dec := json.NewDecoder(strings.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&s); err != nil {
			t.Fatalf("line %s: %v", line, err)
		}
		all[strings.TrimSpace(fmt.Sprintf("%s %s %s %s", s.MessageID, s.Stage, s.Outcome, s.Destination))] = s
	}
	return all
}

// TestOneSeesEventsPass follows events with `weir tail` from the gateway to their
// ends, and what a filter leaves out.
func TestOneSeesEventsPass(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	hook.set(func(w http.ResponseWriter, _ *http.Request, body []byte) bool {
		if bytes.Contains(body, []byte(`"event":"Bad"`)) {
			w.WriteHeader(http.StatusBadRequest)
			return true
		}
		return false
	})
	_, in := dev(t, t.TempDir(), hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL}))
	all := start(t, "tail", "--data-dir", in.Dir)
	all.line("watching workspace acme")
	dead := start(t, "tail", "--data-dir", in.Dir, "--source", "web", "--destination", "hook", "--outcome", "dead")
	dead.line("watching workspace acme")

	good := `{"userId":"u","event":"Good","messageId":"good","properties":{"n":12345678901234567890}}`
	accept(t, in.Gateway, "/v1/track", "wk_web", good)
	accept(t, in.Gateway, "/v1/track", "wk_web", good)
	accept(t, in.Gateway, "/v1/track", "wk_web", `{"userId":"u","event":"Bad","messageId":"bad"}`)
	accept(t, in.Gateway, "/v1/batch", "wk_web", `{"batch":[{"type":"track","userId":"u","event":"Beside","messageId":"beside"},{"type":"track","event":"Nobody","messageId":"nobody"}]}`)
	var seen map[string]sight
	for _, want := range []string{
		"good gateway accepted", "good pipeline routed", "good deliver delivered hook", "good pipeline duplicate",
		"bad gateway accepted", "bad pipeline routed", "bad deliver dead hook", "beside deliver delivered hook",
	} {
		until(t, "the sighting "+want, func() bool { seen = sights(t, all); _, ok := seen[want]; return ok })
	}
	until(t, "the quarantined one, which has no messageId of its own", func() bool {
		for key, s := range sights(t, all) {
			if strings.HasSuffix(key, " gateway quarantined") && s.Code == "no_id" && bytes.Contains(s.Event, []byte(`"messageId":"nobody"`)) {
				return true
			}
		}
		return false
	})
	if s := seen["good deliver delivered hook"]; s.Source != "web" || !bytes.Contains(s.Event, []byte(`"n":12345678901234567890`)) || s.Code != "" {
		t.Errorf("the delivery is shown as %+v", s)
	}
	if s := seen["bad deliver dead hook"]; s.Code == "" {
		t.Errorf("the dead letter has no code: %+v", s)
	}
	until(t, "the dead one in the filtered tail", func() bool { return len(sights(t, dead)) > 0 })
	for key := range sights(t, dead) {
		if key != "bad deliver dead hook" {
			t.Errorf("the filtered tail shows %s", key)
		}
	}
	for _, tail := range []*process{all, dead} {
		_ = tail.cmd.Process.Signal(syscall.SIGINT)
		<-tail.done
		if tail.err != nil {
			t.Errorf("%s after Ctrl-C: %v", tail.name, tail.err)
		}
	}
}

// TestWhatWaitsIsListed lists what is parked before a destination that is down,
// until it is up.
func TestWhatWaitsIsListed(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	hook.set(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	dead := "http://" + freePort(t)
	_, in := dev(t, t.TempDir(), hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL, "gone": dead}))
	accept(t, in.Gateway, "/v1/track", "wk_web", `{"userId":"u","event":"Late","messageId":"late"}`)
	accept(t, in.Gateway, "/v1/batch", "wk_web", `{"batch":[{"userId":"u","event":"Later","messageId":"later"},{"event":"Nobody"}]}`)
	list := func(args ...string) (found []string) {
		for line := range strings.Lines(run(t, 0, "", append([]string{"dlq", "list", "--output", "json", "--data-dir", in.Dir}, args...)...)) {
			var d struct {
				MessageID, Code string
				Event           struct{ Event string }
			}
			if err := json.Unmarshal([]byte(line), &d); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			found = append(found, strings.TrimSpace(d.Event.Event+" "+d.Code))
		}
		return found
	}
	until(t, "both parked, in their order, with what their destination answers", func() bool {
		return slices.Equal(list("--parked", "--destination", "hook"), []string{"Late server_error", "Later server_error"})
	})
	until(t, "an alarm that names the destination and the reason", func() bool {
		out := run(t, 0, "", "status", "--data-dir", in.Dir)
		return strings.Contains(out, "destination_down ×1 (acme/hook: server_error)") && strings.Contains(out, "acme/gone: refused")
	})
	file := filepath.Join(t.TempDir(), "weir.yaml")
	write(t, file, hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL}))
	run(t, 0, "", "apply", "-f", file, "--discard-parked", "--data-dir", in.Dir)
	if out := run(t, 0, "", "status", "--data-dir", in.Dir); strings.Contains(out, "acme/gone") || strings.Contains(out, "refused") || !strings.Contains(out, "acme/hook: server_error") {
		t.Errorf("status once the revision without a destination is applied:\n%s", out)
	}
	if metrics := fetch(t, in.Metrics+"/metrics", ""); strings.Count(metrics, "weir_deliver_down{") != 1 || strings.Count(metrics, `kind="parked"`) != 2 {
		t.Errorf("metrics of a destination that was removed, or none of the one that was not:\n%s", metrics)
	}
	until(t, "one quarantined", func() bool { return slices.Equal(list("--quarantined", "--source", "web"), []string{"Nobody no_id"}) })
	hook.set(nil)
	until(t, "nothing parked any more", func() bool { return len(list("--parked")) == 0 })
	if n := hook.ids(); n["late"] != 1 || n["later"] != 1 {
		t.Errorf("arrived: %v", n)
	}
}

// capabilityFor asks the control plane for a capability and returns it with the
// view's address.
func capabilityFor(t *testing.T, in installation, body string) (token, view string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, in.Control+"/api/v1/capabilities", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+in.Token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("capability %s: %d %s %v", body, resp.StatusCode, b, err)
	}
	return field(t, string(b), "token"), field(t, string(b), "viewUrl")
}

// look asks a view and returns status and answer.
func look(t *testing.T, method, url, token, origin, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if origin != "" {
		req.Header.Set("Origin", origin)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestCapabilitiesOpenOnePlaneOneWorkspaceOneThing attacks the views of two
// planes with genuine capabilities for something else.
func TestCapabilitiesOpenOnePlaneOneWorkspaceOneThing(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	_, in := dev(t, t.TempDir(), hookConfig("acme", "eu", "wk_a", map[string]string{"hook": hook.URL})+"---\n"+
		hookConfig("other", "eu", "wk_b", map[string]string{"theirs": hook.URL})+"---\n"+hookConfig("far", "us", "wk_c", map[string]string{"far": hook.URL}), "--regions", "eu,us")
	dead, view := capabilityFor(t, in, `{"workspace":"acme","action":"quarantine:read"}`)
	_, us := capabilityFor(t, in, `{"workspace":"far","action":"quarantine:read"}`)
	some, _ := capabilityFor(t, in, `{"workspace":"acme","action":"destination:test","destinations":["hook"]}`)
	page, _ := capabilityFor(t, in, fmt.Sprintf(`{"workspace":"acme","action":"quarantine:read","origin":%q}`, in.Control))
	const rotten = `{"batch":[{"type":"track","userId":"u","messageId":"kept"},{"type":"track","event":"WEIRMARK","messageId":"rotten"}]}`
	for _, key := range []string{"wk_a", "wk_b"} {
		accept(t, in.Gateway, "/v1/batch", key, rotten)
	}
	var answer string
	until(t, "the quarantined event in the view", func() bool {
		var code int
		code, answer = look(t, "GET", view+"/v1/quarantine", dead, "", "")
		return code == 200 && strings.Contains(answer, "WEIRMARK")
	})
	if strings.Count(answer, `"place"`) != 1 || !strings.Contains(answer, `"source":"web"`) {
		t.Errorf("the workspace's quarantine shows %s, want one event", answer)
	}
	until(t, "both good events at the webhook", func() bool { return len(hook.all()) == 2 })
	for name, tc := range map[string]struct {
		method, url, token, origin, body string
		want                             int
	}{
		"without one":                {"GET", view + "/v1/quarantine", "", "", "", 401},
		"another plane":              {"GET", us + "/v1/quarantine", dead, "", "", 403},
		"another action":             {"GET", view + "/v1/live", dead, "", "", 403},
		"another workspace's source": {"GET", view + "/v1/quarantine?source=theirs", dead, "", "", 404},
		"a page with a program's":    {"GET", view + "/v1/quarantine", dead, in.Control, "", 403},
		"a page of another origin":   {"GET", view + "/v1/quarantine", page, "https://evil.example", "", 403},
		"a page with its own":        {"GET", view + "/v1/quarantine", page, in.Control, "", 200},
		"another object":             {"POST", view + "/v1/destinations/test", some, "", `{"destination":"theirs"}`, 403},
		"its own object":             {"POST", view + "/v1/destinations/test", some, "", `{"destination":"hook"}`, 200},
	} {
		code, answer := look(t, tc.method, tc.url, tc.token, tc.origin, tc.body)
		if code != tc.want || code != 200 && strings.Contains(answer, "WEIRMARK") {
			t.Errorf("%s: %d %s, want %d", name, code, answer, tc.want)
		}
	}
	if n := len(hook.all()); n != 2 {
		t.Errorf("the webhook took %d requests, want the two good events and nothing of the connection tests", n)
	}
}

// TestAPlaneOutOfReachIsNamed asks for live events and rows when the plane is
// gone.
func TestAPlaneOutOfReachIsNamed(t *testing.T) {
	t.Parallel()
	r := startRoles(t)
	hook := newSink(t)
	r.apply(0, hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL}))
	tail := exec.Command(binary, "tail", "--control", "http://"+r.http, "--token", r.token, "--data-dir", filepath.Join(t.TempDir(), "none"))
	follower := startCommand(t, tail)
	follower.line("watching workspace acme")
	r.plane.stop()
	follower.line("trying again, what passes meanwhile is not shown")
	for _, args := range [][]string{{"tail"}, {"query", "hook", "select 1"}} {
		out := run(t, 1, "", append(args, "--control", "http://"+r.http, "--token", r.token)...)
		for _, text := range []string{"the plane's view at http", "cannot be reached", "check that it runs"} {
			if !strings.Contains(out, text) {
				t.Errorf("weir %s says %s, want %q", args[0], out, text)
			}
		}
	}
	r.startPlane()
	until(t, "an event in the tail that was started before", func() bool {
		_, _ = post("http://"+r.gateway, "/v1/track", "wk_web", `{"userId":"u","event":"Back"}`)
		return strings.Contains(follower.output(), `"Back"`)
	})
	follower.stop()
}
