package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/infra/weir/cli"
	"weir/infra/weir/cli/remote"
	"weir/shared/command"
)

func TestQuarantinedEventsAreReplayedUntilNoneIsLeft(t *testing.T) {
	t.Parallel()
	f, s := filled(t)
	f.looks = 1
	hook := string(f.workspaces["acme"].Destinations[0].ID)
	at := []string{"--workspace", "acme"}
	for args, want := range map[string]struct {
		out string
		remote.Selection
	}{
		"--source web --code x":                               {"replayed 30 events\n", remote.Selection{Source: "web", Code: "x", Places: []string{}}},
		"--all --output json --rate 5":                        {`{"replayed":30}` + "\n", remote.Selection{All: true, Places: []string{}, Rate: 5}},
		"--destination hook --output yaml":                    {"replayed: 30\n", remote.Selection{Destination: hook, Places: []string{}}},
		"--source src_web --place 0/81/3 --place 0/82/0":      {"replayed 30 events\n", remote.Selection{Source: "src_web", Places: []string{"0/81/3", "0/82/0"}}},
		"--source web --destination hook --all --output yaml": {"replayed: 30\n", remote.Selection{Source: "web", Destination: hook, All: true, Places: []string{}}},
	} {
		f.selections = nil
		if out := s.must(append(append([]string{"replay"}, strings.Fields(args)...), at...)...); out != want.out {
			t.Errorf("replay %s: %s, want %s", args, out, want.out)
		}
		if d := cmp.Diff([]remote.Selection{want.Selection}, f.selections); d != "" {
			t.Errorf("replay %s (-want +got):\n%s", args, d)
		}
	}
	if out := s.must("dlq", "discard", "--quarantined", "--source", "web", "--workspace", "acme"); out != "discarded 30 events\n" || f.jobs[len(f.jobs)-1].Kind != "discard_quarantined" {
		t.Errorf("dlq discard: %s, began %+v", out, f.jobs[len(f.jobs)-1])
	}
	s.fails(command.ExitUsage, []string{"say which quarantined events"}, "dlq", "discard", "--quarantined")
	f.selections = nil
	s.must("dlq", "redrive", "--source", "web", "--destination", "hook", "--all", "--workspace", "acme")
	if d := cmp.Diff([]remote.Selection{{Source: "web", Destination: hook, All: true, Places: []string{}}}, f.selections); d != "" {
		t.Errorf("dlq redrive of a source (-want +got):\n%s", d)
	}
	s.fails(command.ExitFailed, []string{"there is no source wub; sources are web"}, "dlq", "discard", "--source", "wub", "--all", "--workspace", "acme")
	s.fails(command.ExitUsage, []string{"--rate is a number"}, "replay", "--all", "--rate", "-1")
	s.fails(command.ExitUsage, []string{"name the workspace with --workspace"}, "dlq", "discard", "--quarantined", "--all")
	if out := s.must("replay", "--all"); out != "replayed 30 events of workspace acme\nreplayed 30 events of workspace quiet\n" {
		t.Errorf("replay of both workspaces: %s", out)
	}
	s.fails(command.ExitFailed, []string{"there is no source wub; sources are web"}, "replay", "--source", "wub", "--workspace", "acme")
	s.fails(command.ExitFailed, []string{"there is no destination hok; destinations are hook"}, "replay", "--destination", "hok")
}

func TestJobsAreShownFollowedAndStopped(t *testing.T) {
	t.Parallel()
	f, s := filled(t)
	if out := s.must("jobs", "list"); out != "No jobs: pulled sources, syncs and profiles have some, and 'weir dlq redrive', 'weir dlq discard' and 'weir replay' begin one.\n" {
		t.Error(out)
	}
	s.fails(command.ExitFailed, []string{"job_1 failed after 0 events: The plane could not go on"}, "dlq", "redrive", "--code", "bad", "--workspace", "acme")
	s.fails(command.ExitFailed, []string{"redrive job_0 is about the same events"}, "dlq", "redrive", "--code", "busy", "--workspace", "acme")
	f.looks = 1_000_000
	if out := s.must("dlq", "redrive", "--all", "--destination", "hook", "--workspace", "acme", "--rate", "7", "--detach", "--output", "json"); !strings.HasPrefix(out, `{"workspace":"acme","id":"job_2","kind":"redrive","state":"running",`) {
		t.Errorf("detached: %s", out)
	}
	table := s.must("jobs", "list", "--workspace", "acme")
	lines := strings.Split(table, "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[0], "WORKSPACE") || !strings.Contains(lines[1], "job_2") || !strings.Contains(lines[1], "hook") || !strings.Contains(lines[1], "7/s") || !strings.Contains(lines[2], "its log says why") {
		t.Errorf("list:\n%s", table)
	}
	if out := s.must("jobs", "show", "job_2", "--output", "json"); !strings.Contains(out, `"state":"running"`) || !strings.Contains(out, `"destination":"hook"`) {
		t.Errorf("show: %s", out)
	}
	s.fails(command.ExitFailed, []string{"there is no job job_9"}, "jobs", "show", "job_9")
	if out := s.must("jobs", "stop", "job_2", "--output", "json"); !strings.Contains(out, `"state":"stopped"`) {
		t.Errorf("stop: %s", out)
	}
	s.fails(command.ExitFailed, []string{"job_2 was stopped after "}, "jobs", "show", "job_2", "--wait")
}

// TestAnInterruptedCommandLeavesItsJob: it says so, and how to see and stop the job.
func TestAnInterruptedCommandLeavesItsJob(t *testing.T) {
	t.Parallel()
	f, s := filled(t)
	f.looks = 1_000_000
	ctx, interrupt := context.WithCancel(t.Context())
	var out, said bytes.Buffer
	ended := make(chan int)
	go func() {
		ended <- cli.Run(ctx, command.Process{Version: "test", Out: &out, Err: &said, Env: func(k string) (string, bool) { v, ok := s.env[k]; return v, ok }}, []string{"replay", "--all", "--workspace", "acme"})
	}()
	for {
		f.mu.Lock()
		looked := len(f.jobs) > 0 && f.jobs[0].Moved > 0
		f.mu.Unlock()
		if looked {
			break
		}
		time.Sleep(time.Millisecond)
	}
	interrupt()
	if code := <-ended; code != command.ExitFailed || !strings.Contains(said.String(), "'weir jobs show job_1 --workspace acme'") || !strings.Contains(said.String(), "'weir jobs stop job_1 --workspace acme'") {
		t.Errorf("exit %d: %s%s", code, out.String(), said.String())
	}
	if out := s.must("jobs", "list", "--output", "json"); !strings.Contains(out, `"state":"running"`) {
		t.Errorf("after the interrupt: %s", out)
	}
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
	if len(f.jobs) > 0 {
		t.Errorf("a dry run replayed: %+v", f.jobs)
	}
}

func TestWhatIsDueNowAndThenIsShownKickedAndPaused(t *testing.T) {
	t.Parallel()
	f, s := filled(t)
	s.fails(command.ExitFailed, []string{"there is no job pull/desk/tickets", "'weir jobs list' shows what there is"}, "jobs", "kick", "pull/desk/tickets")
	f.mu.Lock()
	f.scheduled["acme"] = "waiting"
	f.mu.Unlock()
	if out := s.must("jobs", "list"); !strings.Contains(out, "pull/desk/tickets  waiting") || !strings.Contains(out, "2.5s") {
		t.Errorf("list:\n%s", out)
	}
	for verb, state := range map[string]string{"kick": "running", "pause": "paused", "resume": "due"} {
		if out := s.must("jobs", verb, "pull/desk/tickets", "--output", "json"); !strings.HasPrefix(out, `{"workspace":"acme","job":"pull/desk/tickets","kind":"pull","state":"`+state+`",`) {
			t.Errorf("%s: %s", verb, out)
		}
	}
	if out := s.must("jobs", "logs", "pull/desk/tickets"); !strings.Contains(out, "2.5s      3       1    42  source_unreachable") {
		t.Errorf("logs:\n%s", out)
	}
}
