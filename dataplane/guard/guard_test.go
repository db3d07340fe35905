package guard_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/guard"
	"weir/shared/capability"
	"weir/shared/fault"
	"weir/shared/workspace"
)

func load(t *testing.T, text string) *guard.Guard {
	t.Helper()
	file := filepath.Join(t.TempDir(), "guard.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	g, err := guard.Load(file)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return g
}

var config = workspace.Config{Destinations: []workspace.Destination{{Type: "webhook"}, {Type: "postgres"}}}

func TestWithoutAFileEverythingIsAllowed(t *testing.T) {
	g, err := guard.Load(filepath.Join(t.TempDir(), "none.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if ps := g.Review(config); len(ps) > 0 {
		t.Errorf("Review = %v, want nothing", ps)
	}
	if err := g.Host("example.com"); err != nil {
		t.Errorf("Host: %v", err)
	}
	if err := g.Action(capability.ReadDead); err != nil {
		t.Errorf("Action: %v", err)
	}
}

func TestWhatTheOwnerForbids(t *testing.T) {
	g := load(t, "destinations:\n  types: [postgres]\n  hosts: ['*.example.com']\nview:\n  actions: ['ledger:read']\n")
	paths := []string{}
	for _, p := range g.Review(config) {
		paths = append(paths, p.Path+" "+p.Code)
	}
	if diff := cmp.Diff([]string{"destinations[0].type guard_destination_type"}, paths); diff != "" {
		t.Errorf("Review (-want +got):\n%s", diff)
	}
	for host, ok := range map[string]bool{"a.example.com": true, "A.EXAMPLE.com.": true, "example.com": false, "a.example.com.evil.test": false, "169.254.169.254": false} {
		if err := g.Host(host); (err == nil) != ok {
			t.Errorf("Host(%q) = %v, want allowed %v", host, err, ok)
		}
	}
	for action, ok := range map[capability.Action]bool{capability.ReadLedger: true, capability.ReadDead: false} {
		err := g.Action(action)
		if (err == nil) != ok {
			t.Errorf("Action(%s) = %v, want allowed %v", action, err, ok)
		}
		if err != nil && !strings.Contains(err.Error(), "- '"+string(action)+"'") {
			t.Errorf("Action(%s) = %v, want the line to add", action, err)
		}
	}
}

// TestTheMachinesRole is nobody's until the owner says whose, however a setting asks for it.
func TestTheMachinesRole(t *testing.T) {
	const line = "destinations: { machineRole: [s3] }\n"
	for _, tc := range []struct {
		rules, kind, settings string
		problems              int
	}{
		{"", "s3", `{"machineRole": true}`, 1},
		{"destinations: { types: [s3] }\n", "s3", `{"machineRole": true}`, 1},
		{"", "s3", `{"machineRole": false}`, 0},
		{"", "s3", `{"bucket": "b"}`, 0},
		{"", "s3", `{"machine\u0052ole": "true"}`, 1},
		{line, "s3", `{"machineRole": true}`, 0},
		{line, "aws-kinesis", `{"machineRole": true}`, 1},
		{line, "custom", `{"machineRole": true}`, 1},
		{"destinations: { machineRole: [{type: s3, workspaces: [ws_abcdefghijklmnop]}] }\n", "s3", `{"machineRole": true}`, 0},
		{"destinations: { machineRole: [{type: s3, workspaces: [ws_aaaaaaaaaaaaaaaa]}, google-pubsub] }\n", "s3", `{"machineRole": true}`, 1},
		{"destinations: { machineRole: [{type: s3, workspaces: []}] }\n", "s3", `{"machineRole": true}`, 1},
		{"destinations: { machineRole: [{type: s3}] }\n", "s3", `{"machineRole": true}`, 0},
	} {
		g := load(t, tc.rules)
		ps := g.Review(workspace.Config{Workspace: "ws_abcdefghijklmnop", Destinations: []workspace.Destination{{Type: tc.kind, Settings: []byte(tc.settings)}}})
		if len(ps) != tc.problems {
			t.Errorf("%q, %s %s: %v", tc.rules, tc.kind, tc.settings, ps)
		}
		if len(ps) > 0 && (ps[0].Path != "destinations[0].settings.machineRole" || ps[0].Code != guard.CodeMachineRole || !strings.Contains(ps[0].Text, `"- `+tc.kind+`" below destinations, machineRole in guard.yaml`)) {
			t.Errorf("%+v, want the line to add", ps[0])
		}
	}
}

func TestAnEmptyListAllowsNothing(t *testing.T) {
	g := load(t, "destinations: { hosts: [] }\n")
	if err := g.Host("example.com"); err == nil || fault.KindOf(err) != fault.Denied {
		t.Errorf("Host = %v, want Denied", err)
	}
}

func TestAFileThatCannotBeUnderstoodStopsThePlane(t *testing.T) {
	for name, text := range map[string]string{"unknown key": "destination: {}\n", "no yaml": "\t{", "bad pattern": "destinations: { hosts: ['['] }\n",
		"no type": "destinations: { machineRole: [{workspaces: []}] }\n", "a name": "destinations: { machineRole: [{type: s3, workspaces: [shop]}] }\n", "a misspelt key": "destinations: { machineRole: [{type: s3, workspace: []}] }\n"} {
		file := filepath.Join(t.TempDir(), "guard.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := guard.Load(file); err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: Load = %v, want Invalid", name, err)
		}
	}
}

func TestActionsThatNobodyKnowsAreListed(t *testing.T) {
	g := load(t, "view:\n  actions: ['ledger:read', 'job:read', 'jobs:read']\n")
	if got := g.Unknown(); len(got) != 1 || got[0] != "job:read" {
		t.Errorf("unknown actions are %v, want job:read", got)
	}
}
