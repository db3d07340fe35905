package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/infra/weir/cli/remote"
	"weir/infra/weir/cli/remote/openapi"
	"weir/shared/command"
	"weir/shared/fault"
	"weir/shared/wire"
)

func TestWrongQuestionsExitWithTwo(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := newShell(t, f)
	file := s.file("weir.yaml", plain)
	for args, says := range map[string]string{
		"dlq drop --bogus":                       `weir dlq has no command "drop"`,
		"aply":                                   `weir has no command "aply"; did you mean apply?`,
		"apply":                                  "weir apply needs --file: weir apply -f FILE",
		"apply -f x extra":                       `weir apply takes no argument, but "extra" was given`,
		"apply -f " + file + " --timeout 0":      "--timeout must be above zero",
		"status --bogus":                         "weir status has no flag --bogus",
		"status --worksapce x":                   "weir status has no flag --worksapce",
		"ledger --worksapce x":                   "weir ledger has no flag --worksapce; did you mean --workspace?",
		"dlq lst":                                `weir dlq has no command "lst"; did you mean list?`,
		"token create":                           "weir token create needs NAME",
		"login":                                  "weir login needs --control: weir login --control URL",
		"login --control weir":                   `--control "weir" is no URL`,
		"status --output xml":                    "choose table, json or yaml",
		"dlq":                                    "say what to do: list, redrive, discard",
		"dlq drop":                               `weir dlq has no command "drop"`,
		"dlq redrive":                            "say which dead letters",
		"dlq redrive --retransform":              "say which dead letters",
		"dlq discard --all --retransform":        "weir dlq discard has no flag --retransform",
		"dlq discard --all --code x":             "say which dead letters",
		"dlq list --limit 0":                     "--limit must be at least 1",
		"dlq list --parked --quarantined":        "choose one of",
		"dlq list --parked --code x":             "--code is for dead letters",
		"dlq list --quarantined --destination x": "by --source",
		"dlq list --parked --source x":           "by --destination",
		"replay":                                 "say which quarantined events",
		"replay --dry-run":                       "say which quarantined events",
		"replay --all --code x":                  "--all goes with neither",
		"plane invite":                           "weir plane invite needs --region: weir plane invite --region REGION",
		"plane invite --region eu --kind x":      "neither regional nor private",
		"preview destination":                    "weir preview destination needs TYPE: weir preview destination TYPE",
		"preview destination w --now today":      "is no time such as",
		"export a b":                             `"b" is one argument too many: weir export [WORKSPACE]`,
		"preview transform":                      "-f CODE.js is missing",
	} {
		s.fails(command.ExitUsage, []string{"weir: ", says, "--help'"}, strings.Fields(args)...)
	}
	if len(f.calls) != 0 {
		t.Errorf("a wrong question reached the server: %v", f.calls)
	}
}

func TestEveryCommandHelps(t *testing.T) {
	t.Parallel()
	s := newShell(t, newFake(t))
	for _, args := range []string{"", "apply", "diff", "export", "status", "ledger", "tail", "query", "dlq", "dlq list", "dlq redrive", "dlq discard", "replay", "jobs", "jobs list", "jobs show", "jobs stop", "jobs kick", "jobs pause", "jobs resume", "jobs logs", "plane", "plane invite", "plane list", "plane remove", "preview", "preview destination", "preview transform", "login", "logout", "context", "context list", "context use", "token", "token create", "token revoke", "catalog", "destination", "destination test", "destination lint", "version"} {
		out := s.must(append(strings.Fields(args), "--help")...)
		if !strings.Contains(out, "Usage:") {
			t.Errorf("weir %s --help: %s", args, out)
		}
	}
}

func TestTheControlPlaneIsFound(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	dev := fmt.Sprintf(`{"control":%q,"token":%q,"gateway":"http://127.0.0.1:1"}`, f.server.URL, token)
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Authorization"), token) {
			t.Error("the token of dev.json was sent to another control plane")
		}
		refuse(w, http.StatusUnauthorized, "denied", "This token is not known.")
	}))
	t.Cleanup(foreign.Close)
	for name, tc := range map[string]struct {
		env  map[string]string
		dev  string
		args []string
		code int
		says string
	}{
		"nothing is named":                  {nil, "", nil, 1, "start one here with 'weir dev', or sign in with 'weir login --control URL', or give --control"},
		"dev.json":                          {nil, dev, nil, 0, ""},
		"flags before the environment":      {map[string]string{"WEIR_CONTROL": "http://127.0.0.1:1", "WEIR_TOKEN": "no"}, "", []string{"--control", f.server.URL + "/", "--token", token}, 0, ""},
		"the environment before dev.json":   {map[string]string{"WEIR_CONTROL": foreign.URL, "WEIR_TOKEN": "other"}, dev, nil, 1, "This token is not known"},
		"a variable's token before its own": {map[string]string{"WEIR_TOKEN": "other"}, dev, nil, 1, "by --token or WEIR_TOKEN"},
		"dev.json's token is for it alone":  {map[string]string{"WEIR_CONTROL": foreign.URL}, dev, nil, 1, "there is no token for " + foreign.URL},
		"dev.json's token for its own URL":  {map[string]string{"WEIR_CONTROL": f.server.URL + "/"}, dev, nil, 0, ""},
		"a token file":                      {map[string]string{"WEIR_CONTROL": f.server.URL, "WEIR_TOKEN_FILE": "token.txt"}, "", nil, 0, ""},
		"no URL":                            {map[string]string{"WEIR_CONTROL": "127.0.0.1:8080", "WEIR_TOKEN": "x"}, "", nil, 1, "no http or https URL"},
		"nobody there":                      {map[string]string{"WEIR_CONTROL": "http://127.0.0.1:1", "WEIR_TOKEN": "x"}, "", nil, 1, "cannot be reached"},
		"a damaged dev.json":                {nil, "{", nil, 1, "is damaged; remove it"},
		"a wrong token says how to give it": {map[string]string{"WEIR_CONTROL": f.server.URL, "WEIR_TOKEN": "x"}, "", nil, 1, "by --token or WEIR_TOKEN"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &shell{t: t, dir: t.TempDir(), env: map[string]string{}}
			for k, v := range tc.env {
				s.env[k] = v
			}
			if s.env["WEIR_TOKEN_FILE"] != "" {
				s.env["WEIR_TOKEN_FILE"] = s.file("token.txt", token+"\n")
			}
			if tc.dev != "" {
				s.file("dev.json", tc.dev)
			}
			code, out, errs := s.run(append([]string{"status", "--data-dir", s.dir}, tc.args...)...)
			if code != tc.code || !strings.Contains(errs, tc.says) {
				t.Errorf("exit %d, want %d, saying %q\n%s%s", code, tc.code, tc.says, out, errs)
			}
		})
	}
}

func TestStrangersAnswersAreNamedAsSuch(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"a proxy's page": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502); _, _ = w.Write([]byte("<html>")) },
		"a redirect":     func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) },
		"no JSON":        func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(answer)
			t.Cleanup(server.Close)
			s := &shell{t: t, dir: t.TempDir(), env: map[string]string{"WEIR_CONTROL": server.URL, "WEIR_TOKEN": "x"}}
			s.fails(command.ExitFailed, []string{"a body that Weir does not write"}, "status")
		})
	}
}

// filled is a fake with two workspaces, the first with all that can be shown.
func filled(t *testing.T) (*fake, *shell) {
	f := newFake(t)
	s := newShell(t, f)
	s.must("apply", "-f", s.file("weir.yaml", plain+"---\nworkspace: quiet\nregion: eu\n"))
	beat := time.Now().Add(-3 * time.Minute)
	f.planes[0].LastBeat = &beat
	f.planes[0].Alarms = []wire.Alarm{{Code: "hub_away", Count: 2}}
	f.addPlane("pl_two", "us-1\x1b[31m", "us").Healthy = false
	ws := f.workspaces["acme"]
	ws.Number, ws.State = 2, remote.Rejected
	ws.Problems = []fault.Problem{{Path: "destinations[0].type", Code: "unknown_type", Text: "This plane cannot run the type."}}
	hook := string(ws.Destinations[0].ID)
	for i := range 5 {
		f.dead = append(f.dead, map[string]any{"place": fmt.Sprintf("0/81/%d", i), "destination": hook, "source": "src_web", "messageId": fmt.Sprintf("m%d", i), "code": "rejected",
			"status": 400, "detail": "no \x1b]0;x\x07 such\nfield", "at": "2026-01-02T03:04:05Z", "event": map[string]any{"type": "track"}})
	}
	return f, s
}

func TestStatusShowsPlanesAndRevisions(t *testing.T) {
	t.Parallel()
	f, s := filled(t)
	f.planes[0].Conditions = []openapi.PlaneCondition{
		{Process: "a", LagMs: 40, DiskSize: 100e9, DiskFree: 70e9, DiskNeeded: 1e9},
		{Process: "b", LagMs: 12_300, LagFrames: 9, DiskSize: 100e9, DiskFree: 25e9, DiskNeeded: 1e9, DiskLastsS: 7260},
	}
	want := `PLANE      REGION  VERSION  LAST BEAT  HEALTH      LAG  DISK FREE            ALARMS
eu-1       eu      0.1.0    3 min ago  healthy     12s  25%, full in 2h1m0s  hub_away ×2
us-1�[31m  us      0.1.0    never      never seen  -    -                    -

WORKSPACE  REGION  PLANE  WANTED  APPLIED  STATE
acme       eu      eu-1        2        1  rejected
quiet      eu      eu-1        1        1  applied

Rejected, so the former revision goes on:
  acme: destinations[0].type: This plane cannot run the type.
`
	if d := cmp.Diff(want, s.must("status")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	var got remote.Status
	if err := json.Unmarshal([]byte(s.must("status", "--output", "json")), &got); err != nil || len(got.Planes) != 2 || got.Workspaces[0].State != remote.Rejected {
		t.Errorf("json: %v, %+v", err, got)
	}
	if out := s.must("status", "--output", "yaml"); !strings.Contains(out, "\n    state: rejected\n") && !strings.Contains(out, "state: rejected") {
		t.Errorf("yaml: %s", out)
	}
	for _, c := range []struct {
		alarms []wire.Alarm
		want   string
	}{
		{[]wire.Alarm{{Code: "destination_down", Count: 2}}, "Bottleneck of eu-1: a destination does not answer; its events wait in order"},
		{[]wire.Alarm{{Code: "destination_down", Workspace: "ws_gone", Count: 3, Objects: []string{"dst_gone"}}}, "Bottleneck of eu-1: a destination does not answer (dst_gone, 2 more); its"},
		{[]wire.Alarm{{Code: "destination_down", Workspace: "ws_gone", Count: 1, Objects: []string{"dst_gone"}, Reason: "tls"}}, "Bottleneck of eu-1: a destination does not answer (dst_gone: tls); its"},
		{[]wire.Alarm{{Code: "code_slow", Workspace: "ws_gone", Count: 3}, {Code: "code_slow", Workspace: "ws_b", Count: 3}}, "Bottleneck of eu-1: transformations are slower than the events that come (ws_gone, ws_b); they"},
		{[]wire.Alarm{{Code: "destination_down", Count: 2}, {Code: "disk_low", Count: 1}}, "Bottleneck of eu-1: its disk is almost full"},
		{[]wire.Alarm{{Code: "clock_jump", Count: 1}}, ""},
	} {
		f.planes[0].Alarms = c.alarms
		if out := s.must("status"); !strings.Contains(out, c.want) || c.want == "" && strings.Contains(out, "Bottleneck") {
			t.Errorf("with %v, want %q in:\n%s", c.alarms, c.want, out)
		}
	}
	f.planes, f.order = nil, nil
	if out := s.must("status"); !strings.Contains(out, "weir plane invite") || !strings.Contains(out, "weir apply") {
		t.Errorf("empty: %s", out)
	}
}

func TestLedgerPrintsRowsByName(t *testing.T) {
	t.Parallel()
	f, s := filled(t)
	f.underWay = func() int { return 1 }
	want := `{"workspace":"acme","source":"web","destination":"","accepted":10,"replayed":1,"waiting":3,"duplicate":1,"quarantined":0,"dropped":{},"routed":0,"unrouted":7,"added":0,"delivered":0,"staged":0,"parked":0,"dead":0,"inFlight":0,"balanced":true}
{"workspace":"acme","source":"web","destination":"hook","accepted":0,"replayed":0,"waiting":0,"duplicate":0,"quarantined":0,"dropped":{"filtered":1},"routed":9,"unrouted":0,"added":0,"delivered":6,"staged":0,"parked":0,"dead":1,"inFlight":1,"balanced":true}
`
	if d := cmp.Diff(want, s.must("ledger", "--output", "json")); d != "" {
		t.Errorf("json (-want +got):\n%s", d)
	}
	if f.oldPlane = true; s.must("ledger", "--output", "json") != want {
		t.Error("of an older plane the ledger says something else")
	}
	want = `WORKSPACE  SOURCE  DESTINATION  ACCEPTED  REPLAYED  WAITING  DUPLICATE  QUARANTINED  DROPPED     ROUTED  UNROUTED  ADDED  DELIVERED  STAGED  PARKED  DEAD  IN FLIGHT  BALANCED
acme       web     -                  10         1        3          1            0  0                0         7      0          0       0       0     0          0  yes
acme       web     hook                0         0        0          0            0  filtered 1       9         0      0          6       0       0     1          1  yes
`
	if d := cmp.Diff(want, s.must("ledger", "--workspace", "acme")); d != "" {
		t.Errorf("table (-want +got):\n%s", d)
	}
	if out := s.must("ledger", "--workspace", "quiet"); !strings.Contains(out, "Nothing has been booked yet") {
		t.Error(out)
	}
	s.fails(command.ExitFailed, []string{"there is no workspace acm; workspaces are acme, quiet"}, "ledger", "--workspace", "acm")
	f.order = nil
	s.fails(command.ExitFailed, []string{"make one with 'weir apply"}, "ledger")
}

func TestDeadLettersAreListedAndMoved(t *testing.T) {
	t.Parallel()
	f, s := filled(t)
	out := s.must("dlq", "list", "--output", "json")
	if n := strings.Count(out, "\n"); n != 5 || !strings.Contains(out, `{"workspace":"acme","place":"0/81/4","destination":"hook","source":"web","messageId":"m4","code":"rejected","status":400,`) || !strings.Contains(out, `"event":{"type":"track"}`) {
		t.Errorf("json: %d lines\n%s", n, out)
	}
	code, out, errs := s.run("dlq", "list", "--limit", "3", "--destination", "hook")
	if code != 0 || strings.Count(out, "0/81/") != 3 || !strings.Contains(errs, "raise --limit") || strings.ContainsAny(out, "\x1b\x07") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if out := s.must("dlq", "list", "--code", "other"); out != "No dead letters.\n" {
		t.Error(out)
	}
	if out := s.must("dlq", "redrive", "--destination", "hook", "--all"); out != "30 sent again.\n" {
		t.Error(out)
	}
	if out := s.must("dlq", "discard", "--workspace", "acme", "--place", "0/81/1", "--place", "0/81/2", "--output", "json"); out != `{"discarded":30}`+"\n" {
		t.Error(out)
	}
	if out := s.must("dlq", "redrive", "--destination", "hook", "--code", "x", "--retransform"); out != "30 sent again.\n" {
		t.Error(out)
	}
	hook := string(f.workspaces["acme"].Destinations[0].ID)
	want := []remote.Selection{{Destination: hook, Places: []string{}, All: true}, {Places: []string{"0/81/1", "0/81/2"}}, {Destination: hook, Places: []string{}, Code: "x", Retransform: true}}
	if d := cmp.Diff(want, f.selections); d != "" {
		t.Errorf("selections (-want +got):\n%s", d)
	}
	s.fails(command.ExitUsage, []string{"name the workspace with --workspace"}, "dlq", "discard", "--all")
	s.fails(command.ExitFailed, []string{"there is no destination hok; destinations are hook"}, "dlq", "redrive", "--destination", "hok", "--all")
}

func TestExportNamesWhatThereIs(t *testing.T) {
	t.Parallel()
	_, s := filled(t)
	want := `workspace: acme
region: eu
sources:
  - name: web
    type: http
    writeKey: wk_made_web
destinations:
  - name: hook
    type: webhook
    settings:
      url: http://127.0.0.1:9/x
connections:
  - {source: web, destination: hook}
`
	if d := cmp.Diff(want, s.must("export", "acme")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if out := s.must("export"); !strings.Contains(out, "\n---\nworkspace: quiet\n") {
		t.Error(out)
	}
	s.fails(command.ExitFailed, []string{"workspaces are acme, quiet"}, "export", "nope")
}

func TestPlaneInvitePrintsTheJoinLine(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := newShell(t, f)
	if out := s.must("plane", "invite", "--region", "eu"); !strings.Contains(out, "weir dataplane join --token inv_regional --control "+f.server.URL) {
		t.Error(out)
	}
	if out := s.must("plane", "invite", "--region", "eu", "--kind", "private", "--output", "json"); out != `{"expiresAt":"2026-01-02T03:04:05Z","region":"eu","token":"inv_private"}`+"\n" {
		t.Error(out)
	}
}

func TestPlanesAreListedAndRemoved(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := newShell(t, f)
	s.must("apply", "-f", s.file("weir.yaml", plain))
	name := f.planes[0].Name
	if out := s.must("plane", "list"); !strings.Contains(out, name) || !strings.Contains(out, "regional") {
		t.Error(out)
	}
	s.fails(command.ExitFailed, []string{"no plane nope"}, "plane", "remove", "nope")
	if out := s.must("plane", "remove", name); out != "removed "+name+"\n" || len(f.planes) != 0 {
		t.Errorf("%q, and %d planes are left", out, len(f.planes))
	}
	if out := s.must("plane", "list"); !strings.Contains(out, "weir plane invite") {
		t.Error(out)
	}
}

func TestWorkspacesAreMadeShownAndDeleted(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := newShell(t, f)
	if out := s.must("workspace", "list"); !strings.Contains(out, "weir workspace create") {
		t.Error(out)
	}
	s.must("workspace", "create", "fresh", "--region", "eu")
	s.fails(command.ExitFailed, []string{"there is a workspace fresh already"}, "workspace", "create", "fresh", "--region", "eu")
	if out := s.must("workspace", "list"); !strings.Contains(out, "fresh") || !strings.Contains(out, "REVISION") {
		t.Error(out)
	}
	if out := s.must("workspace", "show", "fresh"); !strings.Contains(out, "fresh in eu: revision 1") {
		t.Error(out)
	}
	s.fails(command.ExitFailed, []string{"no workspace nope"}, "workspace", "delete", "nope")
	s.fails(command.ExitFailed, []string{"Deliveries wait"}, "workspace", "delete", "fresh")
	if out := s.must("workspace", "delete", "fresh", "--discard-parked"); out != "deleted workspace fresh\n" || len(f.workspaces) != 0 {
		t.Errorf("%q, and %d workspaces are left", out, len(f.workspaces))
	}
}

func TestPreviewPrintsALineForEachEvent(t *testing.T) {
	t.Parallel()
	s := newShell(t, newFake(t))
	s.in = "{\"type\":\"track\",\"event\":\"E\",\"userId\":\"u\",\"messageId\":\"a\"}\n\n[]\n"
	file := s.file("hook.yaml", "settings: { url: \"http://127.0.0.1/x?a&b\", method: PUT }\nsecrets: { headers: '{\"X-Token\":\"s3cret\"}' }\n")
	out := s.must("preview", "destination", "webhook", "--settings", file, "--now", "2026-01-02T03:04:05Z")
	sent, refused, _ := strings.Cut(out, "\n")
	if !strings.Contains(sent, "http://127.0.0.1/x?a&b") {
		t.Errorf("the URL is not as in the settings: %s", sent)
	}
	var line struct {
		MessageID string
		Requests  []struct {
			Method, Body string
			Headers      map[string]string
		}
	}
	if err := json.Unmarshal([]byte(sent), &line); err != nil || line.MessageID != "a" || len(line.Requests) != 1 || line.Requests[0].Method != "PUT" ||
		line.Requests[0].Headers["X-Token"] != "s3cret" || !strings.Contains(line.Requests[0].Body, `"receivedAt":"2026-01-02T03:04:05.000Z"`) {
		t.Errorf("%v, %+v", err, line)
	}
	if !strings.HasPrefix(refused, `{"messageId":"","requests":[],"dropped":null,"error":"`) {
		t.Errorf("what is no event: %s", refused)
	}
	s.fails(command.ExitFailed, []string{`There is no destination of type "fax"`, "webhook"}, "preview", "destination", "fax")
	s.fails(command.ExitFailed, []string{"preview destination webhook: "}, "preview", "destination", "webhook", "--settings", s.file("none.yaml", "settings: {}\n"))
}
