package cli_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/infra/weir/cli/remote"
	"weir/shared/command"
)

func TestQuarantinedEventsAreReplayedUntilNoneIsLeft(t *testing.T) {
	t.Parallel()
	f, s := filled(t)
	hook := string(f.workspaces["acme"].Destinations[0].ID)
	at := []string{"--workspace", "acme"}
	for args, want := range map[string]string{
		"--source web --code x":                               "replayed 1002 events\n",
		"--all --output json":                                 `{"replayed":1002}` + "\n",
		"--destination hook --output yaml":                    "replayed: 1002\n",
		"--source src_web --place 0/81/3 --place 0/82/0":      "replayed 1002 events\n",
		"--source web --destination hook --all --output yaml": "replayed: 1002\n",
	} {
		f.replays = nil
		if out := s.must(append(append([]string{"replay"}, strings.Fields(args)...), at...)...); out != want {
			t.Errorf("replay %s: %s, want %s", args, out, want)
		}
		if len(f.replays) != 3 || f.replays[2].Cursor != "b" {
			t.Errorf("replay %s asked %+v, want three parts", args, f.replays)
		}
		first := map[string]remote.BrokenSelection{
			"--source web --code x": {Source: "web", Code: "x", Places: []string{}}, "--all --output json": {All: true, Places: []string{}},
			"--destination hook --output yaml":                    {Destination: hook, Places: []string{}},
			"--source src_web --place 0/81/3 --place 0/82/0":      {Source: "src_web", Places: []string{"0/81/3", "0/82/0"}},
			"--source web --destination hook --all --output yaml": {Source: "web", Destination: hook, All: true, Places: []string{}},
		}[args]
		if d := cmp.Diff(first, f.replays[0]); d != "" {
			t.Errorf("replay %s (-want +got):\n%s", args, d)
		}
	}
	f.replays = nil
	if out := s.must("dlq", "discard", "--quarantined", "--source", "web", "--workspace", "acme"); out != "discarded 1002 events\n" || len(f.replays) != 3 || f.replays[0].Source != "web" {
		t.Errorf("dlq discard: %s, asked %+v", out, f.replays)
	}
	s.fails(command.ExitFailed, []string{"discarded 1000 events before it failed"}, "dlq", "discard", "--quarantined", "--code", "lost", "--workspace", "acme")
	s.fails(command.ExitUsage, []string{"say which quarantined events"}, "dlq", "discard", "--quarantined")
	s.fails(command.ExitUsage, []string{"--source goes with --quarantined"}, "dlq", "discard", "--source", "web", "--all")
	s.fails(command.ExitFailed, []string{"replayed 1000 events before it failed", "Being moved already."}, "replay", "--code", "lost", "--workspace", "acme")
	s.fails(command.ExitUsage, []string{"name the workspace with --workspace"}, "dlq", "discard", "--quarantined", "--all")
	f.replays = nil
	if out := s.must("replay", "--all"); out != "replayed 1002 events of workspace acme\nreplayed 1002 events of workspace quiet\n" || len(f.replays) != 6 {
		t.Errorf("replay of both workspaces: %s, asked %+v", out, f.replays)
	}
	s.fails(command.ExitFailed, []string{"there is no source wub; sources are web"}, "replay", "--source", "wub", "--workspace", "acme")
	s.fails(command.ExitFailed, []string{"there is no destination hok; destinations are hook"}, "replay", "--destination", "hok")
}

func TestADryRunCountsByReasonAndSendsNothing(t *testing.T) {
	t.Parallel()
	f, s := filled(t)
	for i, code := range []string{"no_id", "transformation_failed", "too_deep", "transformation_failed"} {
		to := ""
		if code == "transformation_failed" {
			to = "hook"
		}
		f.broken = append(f.broken, map[string]any{"place": fmt.Sprintf("0/81/%d", i), "destination": to, "source": "web", "messageId": "m", "code": code, "at": "2026-01-02T03:04:05Z"})
	}
	for args, want := range map[string]string{
		"--all":                        "CODE                   EVENTS\nno_id                       1\ntoo_deep                    1\ntransformation_failed       2\n",
		"--source web --output json":   `{"codes":{"no_id":1,"too_deep":1,"transformation_failed":2},"events":4}` + "\n",
		"--destination hook":           "CODE                   EVENTS\ntransformation_failed       2\n",
		"--code no_id --output json":   `{"codes":{"no_id":1},"events":1}` + "\n",
		"--place 0/81/3 --output json": `{"codes":{"transformation_failed":1},"events":1}` + "\n",
		"--code none":                  "No quarantined events are chosen.\n",
	} {
		if out := s.must(append([]string{"replay", "--dry-run", "--workspace", "acme"}, strings.Fields(args)...)...); out != want {
			t.Errorf("replay --dry-run %s: %s, want %s", args, out, want)
		}
	}
	if len(f.replays) > 0 {
		t.Errorf("a dry run replayed: %+v", f.replays)
	}
}
