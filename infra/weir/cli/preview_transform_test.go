package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/dataplane"
	"weir/infra/weir/cli"
	"weir/shared/command"
)

// TestMain makes the test binary a worker when it is started as one.
func TestMain(m *testing.M) {
	dataplane.Tasks().Divert()
	os.Exit(m.Run())
}

// previewTransform runs `weir preview transform` and returns its exit code, its
// lines, and what it complained of.
func previewTransform(t *testing.T, in string, args ...string) (int, []string, string) {
	t.Helper()
	var out, complaints bytes.Buffer
	code := cli.Run(context.Background(), command.Process{In: strings.NewReader(in), Out: &out, Err: &complaints}, append([]string{"preview", "transform"}, args...))
	return code, strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n"), complaints.String()
}

func code(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "code.js")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestPreviewTransform(t *testing.T) {
	t.Parallel()
	first := code(t, `import { shout } from "words";
export function transformEvent(event, metadata) {
  if (event.event === "Secret") return null;
  if (event.event === "Bad") throw new Error("bad");
  log("saw", metadata(event).messageId);
  event.event = shout(event.event);
  return event.event === "TWICE!" ? [event, event] : event;
}`)
	second := code(t, `export async function transformEvent(event) { event.second = true; return event }`)
	library := code(t, `export const shout = s => s.toUpperCase() + "!"`)
	in := `{"type":"track","event":"one","userId":"u","messageId":"1","properties":{"big":12345678901234567890,"f":1.0}}

{"event":"Secret","userId":"u","messageId":"2"}
{"event":"Bad","userId":"u","messageId":"3"}
{"event":"twice","userId":"u","messageId":"4"}
nothing
{"event":"last","userId":"u","messageId":"6"}`
	exit, lines, complaints := previewTransform(t, in, "-f", first, "-f", second, "--library", "words="+library)
	if exit != command.ExitDone || len(lines) != 6 {
		t.Fatalf("exit %d, %d lines: %s\n%s", exit, len(lines), complaints, strings.Join(lines, "\n"))
	}
	type line struct {
		MessageID string            `json:"messageId"`
		Events    []json.RawMessage `json:"events"`
		Logs      []string          `json:"logs"`
		Error     *struct{ Code, Message string }
	}
	var got []line
	for _, text := range lines {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil || !strings.Contains(text, `"events":[`) || !strings.Contains(text, `"logs":[`) {
			t.Fatalf("line %s: %v", text, err)
		}
		got = append(got, l)
	}
	if l := got[0]; l.MessageID != "1" || len(l.Events) != 1 || l.Error != nil || len(l.Logs) != 1 || l.Logs[0] != "saw 1" ||
		!strings.Contains(string(l.Events[0]), `"event":"ONE!"`) || !strings.Contains(string(l.Events[0]), `{"big":12345678901234567890,"f":1.0}`) || !strings.Contains(string(l.Events[0]), `"second":true`) {
		t.Errorf("changed: %s", lines[0])
	}
	if l := got[1]; l.MessageID != "2" || len(l.Events) != 0 || l.Error != nil {
		t.Errorf("dropped: %s", lines[1])
	}
	if l := got[2]; l.MessageID != "3" || len(l.Events) != 0 || l.Error == nil || l.Error.Code != "transformation_failed" || !strings.Contains(l.Error.Message, "Error: bad (line 4") {
		t.Errorf("thrown: %s", lines[2])
	}
	if l := got[3]; l.MessageID != "4" || len(l.Events) != 2 || !strings.Contains(string(l.Events[1]), `"messageId":"4:2"`) {
		t.Errorf("fanned out: %s", lines[3])
	}
	if l := got[4]; l.Error == nil || l.Error.Code != "invalid_json" {
		t.Errorf("no JSON: %s", lines[4])
	}
	if got[5].MessageID != "6" {
		t.Errorf("last: %s", lines[5])
	}
}

func TestPreviewTransformSaysWhatIsWrongWithTheCode(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		exit int
		says string
	}{
		"syntax":      {[]string{"-f", code(t, "export function transformEvent(e) {\n  return e.;\n}")}, command.ExitFailed, "scripts[0]: 2:12: "},
		"no export":   {[]string{"-f", code(t, "let a = 1")}, command.ExitFailed, "exports neither"},
		"no file":     {[]string{"-f", "/does/not/exist.js"}, command.ExitFailed, "cannot be opened"},
		"no code":     {nil, command.ExitUsage, "-f CODE.js is missing"},
		"bad library": {[]string{"-f", code(t, "let a"), "--library", "words"}, command.ExitUsage, "is not NAME=FILE"},
	} {
		if exit, _, complaints := previewTransform(t, "", tc.args...); exit != tc.exit || !strings.Contains(complaints, tc.says) {
			t.Errorf("%s: exit %d, %q, want %d and %q", name, exit, complaints, tc.exit, tc.says)
		}
	}
}
