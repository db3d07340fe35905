package cli_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/infra/weir/cli/remote"
	"weir/shared/catalog"
	"weir/shared/command"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire/envelope"
	"weir/shared/workspace/document"
)

const plain = `workspace: acme
region: eu
sources:
  - { name: web, type: http }
destinations:
  - name: hook
    type: webhook
    settings: { url: "http://127.0.0.1:9/x" }
connections:
  - { source: web, destination: hook }
`

const secretive = `workspace: acme
region: eu
sources:
  - name: hooks
    type: webhook
    writeKey: wk_h
    secrets: { signing: { from: env, name: WEIR_SECRET_H } }
destinations:
  - name: hook
    type: webhook
    settings: { url: "http://127.0.0.1:9/x" }
    secrets: { password: { from: env, name: WEIR_SECRET_H }, token: { from: file, path: token.txt } }
`

// noTime replaces the one word of the output that differs from run to run.
func noTime(s string) string {
	head, tail, ok := strings.Cut(s, " applied in ")
	if !ok {
		return s
	}
	_, rest, _ := strings.Cut(tail, "\n")
	return head + " applied in T\n" + rest
}

func TestApplyMakesARevisionOnceAndWaitsForThePlane(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := newShell(t, f)
	file := s.file("weir.yaml", plain)
	want := `workspace acme (eu)
  + workspace acme
  + source web
  + destination hook
  + connection web -> hook
workspace acme: revision 1 applied in T
source web: write key wk_made_web
`
	if d := cmp.Diff(want, noTime(s.must("apply", "-f", file))); d != "" {
		t.Errorf("first (-want +got):\n%s", d)
	}
	if got, want := s.must("apply", "-f", file), "workspace acme: nothing to change, revision 1 is running\n"; got != want {
		t.Errorf("second: %q, want %q", got, want)
	}
	s.file("weir.yaml", strings.ReplaceAll(plain, "/x", "/y"))
	if got, want := s.must("diff", "-f", file), "workspace acme (eu)\n  ~ destination hook: settings\n"; got != want {
		t.Errorf("diff: %q, want %q", got, want)
	}
	if n := f.workspaces["acme"].Number; n != 1 {
		t.Errorf("after two applies and a diff the revision is %d, want 1", n)
	}
	out := s.must("apply", "-f", file, "--output", "json")
	if want := `{"workspaces":[{"workspace":"acme","number":2,"changes":[{"fields":["settings"],"kind":"destination","name":"hook","op":"change"}],"state":"applied","problems":[]}]}` + "\n"; out != want {
		t.Errorf("json: %s, want %s", out, want)
	}
	s.file("weir.yaml", "workspace: acme\nregion: eu\n")
	if got, want := s.must("apply", "-f", file, "--no-prune"), "workspace acme: nothing to change, revision 2 is running\n"; got != want {
		t.Errorf("no prune: %q, want %q", got, want)
	}
	if got := s.must("apply", "-f", file, "--no-wait"); !strings.Contains(got, "  - destination hook\n") || !strings.Contains(got, "revision 3 made") {
		t.Errorf("prune: %q", got)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "weir.pins")); err == nil {
		t.Error("a file without secrets left weir.pins")
	}
}

func TestSecretsAreSealedToEveryPlaneAndKnownWhenUnchanged(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.addPlane("pl_two", "eu-2", "eu")
	f.addPlane("pl_us", "us-1", "us")
	s := newShell(t, f)
	s.env["WEIR_SECRET_H"] = "clear-one"
	s.file("token.txt", "from-file\r\n")
	file := s.file("weir.yaml", secretive)
	s.must("apply", "-f", file)
	opened(t, f, secret.Source, "signing", 1, "clear-one")
	opened(t, f, secret.Destination, "password", 1, "clear-one")
	opened(t, f, secret.Destination, "token", 1, "from-file")
	if out := s.must("apply", "-f", file); !strings.Contains(out, "nothing to change") {
		t.Errorf("the same secrets again: %s", out)
	}
	s.env["WEIR_SECRET_H"] = "clear-two"
	s.must("apply", "-f", file)
	opened(t, f, secret.Source, "signing", 2, "clear-two")
	opened(t, f, secret.Destination, "password", 2, "clear-two")
	if v := f.workspaces["acme"].doc.Destinations[0].Secrets["token"].Version; v != 1 {
		t.Errorf("the unchanged token has version %d, want 1", v)
	}
	s.must("apply", "-f", file, "--reseal")
	opened(t, f, secret.Source, "signing", 3, "clear-two")
	opened(t, f, secret.Destination, "password", 3, "clear-two")
	opened(t, f, secret.Destination, "token", 2, "from-file")

	exported := s.file("exported.yaml", s.must("export", "acme"))
	if out := s.must("apply", "-f", exported); !strings.Contains(out, "nothing to change") {
		t.Errorf("what was exported: %s", out)
	}
	s.file("exported.yaml", strings.ReplaceAll(s.must("export"), "version: 3", "version: 2"))
	s.fails(command.ExitFailed, []string{"exported.yaml:", "secrets.password: the control plane does not hold this version"}, "apply", "-f", exported)

	pins, err := os.ReadFile(filepath.Join(s.dir, "weir.pins"))
	if err != nil || !strings.Contains(string(pins), "pl_one ed25519:") || !strings.Contains(string(pins), "pl_two ed25519:") || strings.Contains(string(pins), "pl_us") {
		t.Errorf("pins: %v\n%s", err, pins)
	}
}

// opened checks that each plane of the region opens a secret's envelope.
func opened(t *testing.T, f *fake, family secret.Family, field string, version uint64, want string) {
	t.Helper()
	ws := f.workspaces["acme"]
	kind, settings := ws.doc.Destinations[0].Type, ws.doc.Destinations[0].Settings
	name := secret.OfDestination(ws.ID, ws.doc.Destinations[0].ID, field, version)
	if family == secret.Source {
		kind, settings = ws.doc.Sources[0].Type, ws.doc.Sources[0].Settings
		name = secret.OfSource(ws.ID, ws.doc.Sources[0].ID, field, version)
	}
	var to secret.Binding
	if spec, ok := catalog.Find(catalog.All(), kind, catalog.Family(family)); ok {
		to = secret.Binding(catalog.SentTo(spec, settings))
	}
	key := fmt.Sprint(name.Object, " ", field, " ", version)
	if n := len(ws.envelopes[key]); n != 2 {
		t.Errorf("%s version %d: envelopes for %d planes, want 2 (all: %v)", field, version, n, ws.envelopes)
	}
	for _, p := range f.planes[:2] {
		got, err := secret.Open(p.sealing, name, to, ws.envelopes[key][p.ID])
		if err != nil || got.Reveal() != want {
			t.Errorf("%s version %d for %s: %q, %v, want %q", field, version, p.Name, got.Reveal(), err, want)
		}
	}
}

func TestSecretsGoNowhereUnproven(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spoil func(f *fake, s *shell)
		says  []string
	}{
		"a changed identity":   {func(f *fake, _ *shell) { fresh := f.addPlane("pl_one", "eu-1", "eu"); f.planes = []*fakePlane{fresh} }, []string{"another identity", "weir.pins", "nothing was sealed"}},
		"a forged sealing key": {func(f *fake, _ *shell) { k, _ := secret.NewKey(); f.planes[0].SealingKey = k.Public() }, []string{"not signed by the plane's identity"}},
		"a signature by another": {func(f *fake, _ *shell) {
			p := f.planes[0]
			q := f.addPlane("pl_q", "q", "us")
			p.SealingKeySignature = envelope.SignSealingKey(q.identity, p.sealing.Public())
		}, []string{"not signed by the plane's identity"}},
		"no plane":                 {func(f *fake, _ *shell) { f.planes = nil }, []string{"region eu has no data plane", "weir plane invite --region eu"}},
		"damaged pins":             {func(_ *fake, s *shell) { s.file("weir.pins", "pl_one ed25519:???\n") }, []string{"weir.pins:1 is damaged"}},
		"a variable that is unset": {func(_ *fake, s *shell) { delete(s.env, "WEIR_SECRET_H") }, []string{"weir.yaml:12 destinations[0].secrets.password", "WEIR_SECRET_H is not set"}},
		"an empty variable":        {func(_ *fake, s *shell) { s.env["WEIR_SECRET_H"] = "" }, []string{"WEIR_SECRET_H is empty"}},
		"a missing file":           {func(_ *fake, s *shell) { _ = os.Remove(filepath.Join(s.dir, "token.txt")) }, []string{"secrets.token", "no such file"}},
		"another variable": {func(_ *fake, s *shell) {
			s.env["AWS_SECRET"] = "x"
			s.file("weir.yaml", strings.ReplaceAll(secretive, "WEIR_SECRET_H", "AWS_SECRET"))
		}, []string{"AWS_SECRET may not be read", "--allow-env AWS_SECRET"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			s := newShell(t, f)
			s.env["WEIR_SECRET_H"] = "clear-one"
			s.file("token.txt", "from-file")
			file := s.file("weir.yaml", secretive)
			s.must("apply", "-f", file)
			s.env["WEIR_SECRET_H"] = "clear-two"
			tc.spoil(f, s)
			s.fails(command.ExitFailed, tc.says, "apply", "-f", file)
			if n := f.workspaces["acme"].Number; n != 1 {
				t.Errorf("the workspace is at revision %d, want 1", n)
			}
		})
	}
}

func TestAnAllowedVariableIsRead(t *testing.T) { // not parallel: it changes the folder
	f := newFake(t)
	s := newShell(t, f)
	s.env["OTHER"] = "x"
	s.in = "workspace: acme\nregion: eu\ndestinations: [{name: hook, type: webhook, secrets: {password: {from: env, name: OTHER}}}]\n"
	t.Chdir(s.dir)
	s.must("apply", "-f", "-", "--allow-env", "OTHER")
	if _, err := os.Stat("weir.pins"); err != nil {
		t.Error(err)
	}
}

func TestWhatThePlaneRejectsFails(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := newShell(t, f)
	file := s.file("weir.yaml", plain)
	s.must("apply", "-f", file)
	f.answer = func(ws *fakeWorkspace) {
		ws.State, ws.Problems = remote.Rejected, []fault.Problem{{Path: "destinations[0].type", Code: "unknown_type", Text: "This plane cannot run the type."}}
	}
	s.file("weir.yaml", strings.ReplaceAll(plain, "/x", "/y"))
	says := []string{"rejected revision 2 of workspace acme, and revision 1 goes on", "destinations[0].type: This plane cannot run the type."}
	s.fails(command.ExitFailed, says, "apply", "-f", file)
	s.fails(command.ExitFailed, says, "apply", "-f", file) // also when there is nothing new
}

func TestAPlaneThatDoesNotAnswerIsNamed(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.answer = func(*fakeWorkspace) {}
	s := newShell(t, f)
	s.fails(command.ExitFailed, []string{"revision 1 of workspace acme is made", "plane eu-1 (last heard: never)"}, "apply", "-f", s.file("weir.yaml", plain), "--timeout", "1ms")
}

func TestProblemsPointIntoTheFile(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.judge = func(d document.Document) []fault.Problem {
		if d.Workspace != "acme" {
			return nil
		}
		return []fault.Problem{{Path: "destinations[0].settings.url", Code: "not_url", Text: "This is no URL."}}
	}
	s := newShell(t, f)
	file := s.file("weir.yaml", "workspace: first\nregion: eu\n---\n"+plain)
	for _, verb := range []string{"diff", "apply"} {
		s.fails(command.ExitFailed, []string{"nothing was changed", "weir.yaml:11 destinations[0].settings.url: This is no URL."}, verb, "-f", file)
	}
	if len(f.workspaces) != 0 {
		t.Errorf("workspaces were made although a document has problems: %v", f.order)
	}
	f.judge = nil
	s.must("apply", "-f", file)
	if len(f.workspaces) != 2 {
		t.Errorf("workspaces are %v, want first and acme", f.order)
	}
}

func TestParkedDeliveriesAreNotThrownAwayByTheWay(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := newShell(t, f)
	file := s.file("weir.yaml", plain)
	s.must("apply", "-f", file)
	f.workspaces["acme"].Destinations[0].Parked = 12
	f.stale = true // the control plane does not know of them yet
	s.file("weir.yaml", "workspace: acme\nregion: eu\n")
	s.fails(command.ExitFailed, []string{"12 deliveries wait for destination hook", "--discard-parked"}, "apply", "-f", file)
	f.stale = false
	s.fails(command.ExitFailed, []string{"Deliveries wait for hook"}, "diff", "-f", file)
	if out := s.must("apply", "-f", file, "--discard-parked"); !strings.Contains(out, "- destination hook (12 waiting)") {
		t.Error(out)
	}
}

func TestARemovalWaitsForWhatIsUnderWayAndNeedsThePlanesAnswer(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := newShell(t, f)
	file := s.file("weir.yaml", plain)
	s.must("apply", "-f", file)
	asked := 0
	f.underWay = func() int { asked++; return max(0, 3-asked) }
	s.file("weir.yaml", "workspace: acme\nregion: eu\n")
	s.must("apply", "-f", file)
	if asked != 3 {
		t.Errorf("the plane was asked %d times, want until nothing is under way", asked)
	}
	s.must("apply", "-f", s.file("weir.yaml", plain))
	f.view.Close()
	s.file("weir.yaml", "workspace: acme\nregion: eu\n")
	s.fails(command.ExitFailed, []string{"its plane cannot be asked what waits for them", "--discard-parked"}, "apply", "-f", file)
	s.must("apply", "-f", file, "--discard-parked")
}

func TestAnotherWriterIsNotOverwritten(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := newShell(t, f)
	file := s.file("weir.yaml", plain)
	s.must("apply", "-f", file)
	f.race = func() { f.workspaces["acme"].Number++ }
	s.file("weir.yaml", strings.ReplaceAll(plain, "/x", "/y"))
	s.fails(command.ExitFailed, []string{"Somebody changed workspace acme meanwhile"}, "apply", "-f", file)
}

func TestNewObjectsGetIdentifiersOnlyForSecrets(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := newShell(t, f)
	var seen []document.Document
	f.judge = func(d document.Document) []fault.Problem { seen = append(seen, d); return nil }
	s.must("diff", "-f", s.file("weir.yaml", plain))
	s.env["WEIR_SECRET_H"], _ = "x", s.file("token.txt", "y")
	s.must("diff", "-f", s.file("weir.yaml", secretive))
	if seen[0].ID != "" || seen[0].Destinations[0].ID != "" {
		t.Errorf("without secrets: %+v", seen[0])
	}
	if !id.Valid(seen[1].ID) || !id.Valid(seen[1].Destinations[0].ID) {
		b, _ := json.Marshal(seen[1])
		t.Errorf("with secrets: %s", b)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "weir.pins")); err == nil {
		t.Error("diff wrote weir.pins")
	}
}
