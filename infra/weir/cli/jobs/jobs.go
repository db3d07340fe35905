// Package jobs is what `weir jobs` does about long work that is due now and then: pulls,
// syncs, runs of profiles, and rows that expire.
package jobs

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"
	"weir/shared/capability"
	"weir/shared/command"
	"weir/shared/fault"
)

// invocation is one execution of a command.
type invocation struct{ *console.Console }

// Commands returns the commands below `weir jobs`.
func Commands(shell *console.Console) []*cobra.Command {
	return []*cobra.Command{
		newVerb(shell, "kick", "Have a job done now", "Makes a pull, a sync, a run of profiles or the removal of rows that are too old due at once.", "  weir jobs kick sync/to-crm"),
		newVerb(shell, "pause", "Do no more of a job until it is resumed", "What was done stays; it goes on where it is when it is resumed. A step that is being done ends first.", "  weir jobs pause pull/desk/tickets"),
		newVerb(shell, "resume", "Go on with what was paused", "Goes on where the job was paused.", "  weir jobs resume pull/desk/tickets"),
		newLogs(shell),
	}
}

// job is a job of a plane. States: running, due, waiting, failing, paused, idle.
type job struct {
	Job   string     `json:"job"`
	Kind  string     `json:"kind"`
	State string     `json:"state"`
	Code  string     `json:"code"`
	Steps int64      `json:"steps"`
	Began *time.Time `json:"began"` // the last step
	Took  float64    `json:"took"`  // it, in seconds
	Next  *time.Time `json:"next"`
}

// answer is one of a plane.
type answer struct {
	Jobs []job `json:"jobs"`
}

// row is a job as it is printed, with the workspace it is in.
type row struct {
	Workspace string `json:"workspace"`
	job
}

// List prints the jobs of a workspace, or of all for "", and says how many there are.
func List(ctx context.Context, shell *console.Console, workspace string) (int, error) {
	k := invocation{shell}
	control, err := k.Connect()
	if err != nil {
		return 0, err
	}
	chosen, err := console.Choose(ctx, control, workspace)
	if err != nil {
		return 0, err
	}
	var rows []row
	for _, w := range chosen {
		view, err := control.View(ctx, w.Name, capability.ReadJobs)
		if err != nil {
			return 0, err
		}
		var a answer
		if err := view.Ask(ctx, http.MethodGet, "/v1/schedule", nil, &a); err != nil {
			return 0, fmt.Errorf("jobs of workspace %s: %w", w.Name, err)
		}
		for _, j := range a.Jobs {
			rows = append(rows, row{w.Name, j})
		}
	}
	if len(rows) == 0 {
		return 0, nil
	}
	return len(rows), k.print(rows)
}

// find returns the workspace that has a job: the named one, or the only one that has it.
//
// action is what is to be done with it there.
func (k invocation) find(ctx context.Context, workspace, name string, action capability.Action) (w string, view *remote.View, err error) {
	control, err := k.Connect()
	if err != nil {
		return "", nil, err
	}
	chosen, err := console.Choose(ctx, control, workspace)
	if err != nil {
		return "", nil, err
	}
	for _, of := range chosen {
		read, err := control.View(ctx, of.Name, capability.ReadJobs)
		if err != nil {
			return "", nil, err
		}
		var a answer
		if err := read.Ask(ctx, http.MethodGet, "/v1/schedule", nil, &a); err != nil {
			return "", nil, fmt.Errorf("jobs of workspace %s: %w", of.Name, err)
		}
		for _, j := range a.Jobs {
			switch {
			case j.Job != name:
			case w != "":
				return "", nil, command.Usage("several workspaces have a job %s: name one with --workspace", name)
			default:
				w = of.Name
			}
		}
	}
	if w == "" {
		return "", nil, fault.New(fault.Missing, "there is no job %s, such as sync/to-crm or pull/desk/tickets; 'weir jobs list' shows what there is", name)
	}
	view, err = control.View(ctx, w, action)
	return w, view, err
}

// actions are what a person needs to change jobs of a kind.
var actions = map[string]capability.Action{"pull": capability.ChangePulls, "sync": capability.RunSyncs, "profile": capability.RunProfiles, "expire": capability.StartLoads}

func newVerb(shell *console.Console, verb, short, long, example string) *cobra.Command {
	k := invocation{shell}
	workspace := ""
	cmd := k.RemoteFlags(&cobra.Command{
		Use: verb + " JOB", Short: short, Long: long, Example: example, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, _, _ := strings.Cut(args[0], "/")
			action, there := actions[kind]
			if !there {
				return command.Usage("a job is named like sync/to-crm, pull/desk/tickets, profile/customers or expire/lake; 'weir jobs list' shows what there is")
			}
			w, view, err := k.find(cmd.Context(), workspace, args[0], action)
			if err != nil {
				return err
			}
			var a answer
			if err := view.Ask(cmd.Context(), http.MethodPost, "/v1/schedule/"+kind, map[string]string{"verb": verb, "job": args[0]}, &a); err != nil {
				return fmt.Errorf("%s %s of workspace %s: %w", verb, args[0], w, err)
			}
			var rows []row
			for _, j := range a.Jobs {
				rows = append(rows, row{w, j})
			}
			return k.print(rows)
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "of this workspace; else it is looked for in all")
	return cmd
}

// run is one run of a job.
type run struct {
	Job    string     `json:"job"`
	Began  time.Time  `json:"began"`
	Ended  *time.Time `json:"ended"`
	Steps  int        `json:"steps"`
	Errors int        `json:"errors"`
	Rows   int64      `json:"rows"`
	Code   string     `json:"code"`
}

func newLogs(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	workspace := ""
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "logs JOB",
		Short: "Show the last runs of a job",
		Long: `Shows the last twenty runs of a job, the newest first: when they began and ended, how
many steps they took and how many of these failed, how many rows they moved, and with
which code the last step ended. Nothing of what the job works on is in it.`,
		Example: "  weir jobs logs pull/desk/tickets",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, view, err := k.find(cmd.Context(), workspace, args[0], capability.ReadJobs)
			if err != nil {
				return err
			}
			var a struct{ Runs []run }
			if err := view.Ask(cmd.Context(), http.MethodGet, "/v1/schedule/runs?job="+url.QueryEscape(args[0]), nil, &a); err != nil {
				return fmt.Errorf("runs of %s of workspace %s: %w", args[0], w, err)
			}
			for i := range a.Runs {
				a.Runs[i].Job = args[0]
			}
			if k.Output != console.AsTable {
				return console.PrintEach(k.Console, a.Runs)
			}
			if len(a.Runs) == 0 {
				k.Say("The job has not run yet.")
				return nil
			}
			t := console.Table{Head: []string{"BEGAN", "TOOK", "STEPS", "ERRORS", "ROWS", "CODE"}}
			for _, r := range a.Runs {
				took := "goes on"
				if r.Ended != nil {
					took = r.Ended.Sub(r.Began).Round(time.Millisecond).String()
				}
				t.Add(console.Since(&r.Began, time.Now()), took, strconv.Itoa(r.Steps), strconv.Itoa(r.Errors), strconv.FormatInt(r.Rows, 10), console.Dash(r.Code))
			}
			return t.Write(k.Out)
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "of this workspace; else it is looked for in all")
	return cmd
}

func (k invocation) print(rows []row) error {
	if k.Output != console.AsTable {
		return console.PrintEach(k.Console, rows)
	}
	t := console.Table{Head: []string{"WORKSPACE", "JOB", "STATE", "CODE", "BEGAN", "TOOK", "NEXT", "STEPS"}}
	for _, r := range rows {
		next, took := "-", "-"
		if r.Next != nil {
			next = "now"
			if in := time.Until(*r.Next).Round(time.Second); in > 0 {
				next = "in " + in.String()
			}
		}
		if r.Began != nil {
			took = (time.Duration(r.Took*1000) * time.Millisecond).String()
		}
		t.Add(r.Workspace, r.Job, r.State, console.Dash(r.Code), console.Since(r.Began, time.Now()), took, next, strconv.FormatInt(r.Steps, 10))
	}
	return t.Write(k.Out)
}
