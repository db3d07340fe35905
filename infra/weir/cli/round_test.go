package cli_test

import (
	"strings"
	"testing"

	"weir/shared/command"
	"weir/shared/fault"
	"weir/shared/workspace/document"
)

func TestOneRoundNamesAllProblems(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := newShell(t, f)
	file := s.file("weir.yaml", `workspace: acme
region: eu
sources:
  - { name: web, typ: http }
transformations:
  - name: mask
    language: javascript
    code: "export function transformEvent(e) { return e }"
    tests:
      - { event: { userId: u }, expect: [] }
destinations:
  - { name: hook, type: webhook, settings: { url: "http://127.0.0.1:1" }, secrets: { headers: { from: env, name: WEIR_SECRET_NOT_SET } } }
connections:
  - { source: web, destination: nowhere }
`)
	f.judge = func(document.Document) []fault.Problem {
		return []fault.Problem{
			{Path: "connections[0].destination", Code: "unknown_destination", Text: "There is no destination nowhere."},
			{Path: "sources[0].type", Code: "missing", Text: "A source needs a type."},
			{Path: "destinations[0].secrets.headers", Code: "missing", Text: "The secret is missing."},
		}
	}
	code, _, said := s.run("apply", "-f", file)
	if code != command.ExitFailed {
		t.Errorf("exit %d, want %d", code, command.ExitFailed)
	}
	for _, want := range []string{
		`weir.yaml:4 sources[0].typ: there is no key "typ" here; did you mean`,
		"weir.yaml:10 transformations[0].tests[0]: The event becomes 1 events, not 0.",
		"weir.yaml:12 destinations[0].secrets.headers: the environment variable WEIR_SECRET_NOT_SET is not set",
		"weir.yaml:14 connections[0].destination: There is no destination nowhere.",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("the answer lacks %q:\n%s", want, said)
		}
	}
	for _, follows := range []string{"A source needs a type.", "The secret is missing."} {
		if strings.Contains(said, follows) {
			t.Errorf("the answer says %q, which only follows from another problem:\n%s", follows, said)
		}
	}
}

func TestDiffSaysByItsExitCodeWhetherSomethingWouldChange(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := newShell(t, f)
	file := s.file("weir.yaml", plain)
	s.fails(command.ExitFailed, []string{"the file differs from what is configured"}, "diff", "-f", file, "--exit-code")
	s.must("diff", "-f", file)
	s.fails(command.ExitUsage, []string{"nowhere.yaml"}, "diff", "-f", "nowhere.yaml", "--exit-code")
	s.fails(command.ExitFailed, []string{"nowhere.yaml"}, "diff", "-f", "nowhere.yaml")
	s.must("apply", "-f", file)
	if out := s.must("diff", "-f", file, "--exit-code"); !strings.Contains(out, "nothing would change") {
		t.Errorf("diff of what is configured: %s", out)
	}
}

func TestATableIsATableEverywhere(t *testing.T) {
	t.Parallel()
	s := newShell(t, newFake(t))
	code := s.file("code.js", "export function transformEvent(e) { return e }")
	s.in = `{"type":"track","event":"E","userId":"u","messageId":"m-1"}` + "\n" + `{"type":"track","event":"E","userId":"u","messageId":"m-2"}` + "\n"
	for _, args := range []string{"preview transform -f " + code, "preview warehouse duckdb"} {
		out := s.must(append(strings.Fields(args), "--output", "table")...)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if len(lines) != 3 || !strings.HasPrefix(lines[0], "MESSAGEID") || !strings.HasPrefix(lines[1], "m-1") || !strings.HasPrefix(lines[2], "m-2") {
			t.Errorf("weir %s as a table:\n%s", args, out)
		}
	}
}

func TestShellsCompleteNames(t *testing.T) {
	t.Parallel()
	_, s := filled(t)
	for args, want := range map[string]string{
		"ledger --workspace ": "acme\nquiet\n", "tail --destination ": "hook\n", "replay --source ": "web\n", "query ": "hook\n", "export ": "acme\nquiet\n",
	} {
		if out := s.must(append([]string{"__complete"}, strings.Split(args, " ")...)...); !strings.HasPrefix(out, want) {
			t.Errorf("weir %s<tab> offers %q, want %q", args, out, want)
		}
	}
}

func TestASecretIsCheckedBeforeItIsSealed(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := newShell(t, f)
	file := s.file("weir.yaml", strings.Replace(plain, `settings: { url: "http://127.0.0.1:9/x" }`, `settings: { url: "http://127.0.0.1:9/x" }
    secrets: { headers: { from: env, name: WEIR_SECRET_H } }`, 1))
	for value, says := range map[string]string{
		`Bearer hush`:                           "env WEIR_SECRET_H: This is a JSON object of texts",
		`{"Authorization":"Bearer hush\nhush"}`: "env WEIR_SECRET_H: The text holds a control character",
	} {
		s.env["WEIR_SECRET_H"] = value
		code, _, said := s.run("apply", "-f", file)
		if code != command.ExitFailed || !strings.Contains(said, "destinations[0].secrets.headers") || !strings.Contains(said, says) || strings.Contains(said, "hush") {
			t.Errorf("with %q: exit %d\n%s", value, code, said)
		}
	}
	if len(f.workspaces) != 0 {
		t.Error("a workspace was made with a secret that no plane can use")
	}
}
