package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/shared/command"
)

const ownKind = `family: destination
name: crm
title: CRM
doc: Our own.
base: { any: https://crm.example }
auth: [{ type: bearer, value: "{secrets.key}" }]
secrets:
  - { name: key, type: string, title: Key, required: true }
calls:
  - on: { type: [track] }
    path: /events
    body: { name: event }
answers:
  - { status: 200, when: { ok: false }, is: dead, code: rejected_400 }
`

const ownCase = `A track call.
-- secrets.json --
{"key": "made-up-key"}
-- events.jsonl --
{"messageId":"m1","type":"track","userId":"ada","event":"First Light"}
{"messageId":"m2","type":"page","userId":"ada"}
-- answers.jsonl --
{"status": 200, "body": {"ok": false}}
-- want.jsonl --
`

func TestAKindOfOnesOwnIsCheckedWithItsCasesWithoutAServer(t *testing.T) {
	t.Parallel()
	s := newShell(t, newFake(t))
	file := s.file("crm.yaml", ownKind)
	if out := s.must("destination", "lint", file); out != file+": ok, 0 cases\n" {
		t.Errorf("without cases: %s", out)
	}
	name := filepath.Join(filepath.Dir(file), "testdata", "track.txtar")
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(ownCase), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, _ := s.run("destination", "lint", file)
	for _, want := range []string{
		name + ": want.jsonl is not what comes out", `+ {"events":["m1"],"method":"POST","url":"https://crm.example/events"`, `\"name\":\"First Light\"`,
		`+ {"events":["m2"],"outcome":"dropped","code":"unsupported_event"}`, `+ {"status":200,"verdicts":["m1 dead rejected_400"]}`,
	} {
		if code != command.ExitFailed || !strings.Contains(out, want) {
			t.Errorf("exit %d\n%swant %s", code, out, want)
		}
	}
	if strings.Contains(out, "made-up-key") {
		t.Errorf("a secret is shown:\n%s", out)
	}
	s.must("destination", "lint", file, "--update")
	if out := s.must("destination", "lint", file); out != file+": ok, 1 cases\n" {
		t.Errorf("with what came out: %s", out)
	}
	written, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(written), "First Light") || !strings.HasPrefix(string(written), "A track call.\n") {
		t.Errorf("the case is now %s, %v", written, err)
	}
	s.file("crm.yaml", strings.Replace(ownKind, "name: event", "title: event", 1))
	if code, out, _ := s.run("destination", "lint", file); code != command.ExitFailed || !strings.Contains(out, "\n- {\"events\":[\"m1\"]") || !strings.Contains(out, "\n+ {\"events\":[\"m1\"]") || strings.Contains(out, "m2") {
		t.Errorf("with another body: exit %d\n%s", code, out)
	}
	bad := s.file("bad.yaml", strings.Replace(strings.Replace(ownKind, "path: /events", "way: /events", 1), "title: CRM", "titel: CRM", 1))
	code, out, says := s.run("destination", "lint", bad)
	for _, want := range []string{bad + ":3 titel: ", bad + ":1 title: ", bad + ":11 calls[0].way: ", bad + ":10 calls[0]: "} {
		if code != command.ExitFailed || !strings.Contains(out, want) {
			t.Errorf("exit %d, %s\n%swant %s", code, says, out, want)
		}
	}
	s.fails(command.ExitUsage, []string{"lint"}, "destination", "lint")
	s.fails(command.ExitFailed, []string{"none.yaml"}, "destination", "lint", filepath.Join(filepath.Dir(file), "none.yaml"))
}

func TestAKindOfOnesOwnIsPreviewed(t *testing.T) {
	t.Parallel()
	s := newShell(t, newFake(t))
	file, with := s.file("crm.yaml", ownKind), s.file("settings.yaml", "secrets: { key: made-up-key }\n")
	s.file("events", "")
	for _, args := range [][]string{{file}, {"custom", "--spec", file}} {
		if out := s.must(append([]string{"preview", "destination", "--settings", with}, args...)...); out != "" {
			t.Errorf("%v of no events: %s", args, out)
		}
	}
	s.fails(command.ExitUsage, []string{"--spec FILE goes with the type custom"}, "preview", "destination", "custom")
	s.fails(command.ExitUsage, []string{"--spec FILE goes with the type custom"}, "preview", "destination", "webhook", "--spec", file)
	s.fails(command.ExitFailed, []string{"titel"}, "preview", "destination", s.file("bad.yaml", strings.Replace(ownKind, "title: CRM", "titel: CRM", 1)))
}
