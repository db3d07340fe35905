package events

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"
	"weir/shared/capability"
	"weir/shared/command"
	"weir/shared/delay"
	"weir/shared/fault"
)

// How often a job is looked at, and how long a plane may not answer, as while it
// restarts, before whoever follows its job is told.
const (
	firstLook = 50 * time.Millisecond
	lastLook  = 500 * time.Millisecond
	mayBeAway = 2 * time.Minute
)

// move is a way out of the dead letters or of quarantine.
type move struct {
	action capability.Action
	verb   string // of the view
	key    string // of the answer for programs
	said   string // to people: a format with how many
}

// move has planes do m, and follows the jobs until they are done.
func (k invocation) move(ctx context.Context, control *remote.Control, chosen []remote.Workspace, c choice, m move) error {
	if c.rate < 0 {
		return command.Usage("--rate is a number of events a second, or 0 for as fast as the plane can")
	}
	begun := make([]jobRow, 0, len(chosen))
	for _, w := range chosen {
		view, err := control.View(ctx, w.Name, m.action)
		if err != nil {
			return err
		}
		j, err := view.Begin(ctx, m.verb, c.selection(w))
		if err != nil {
			if len(begun) > 0 {
				k.Note("weir: jobs of other workspaces have begun: 'weir jobs list' shows them")
			}
			return fmt.Errorf("%s events of workspace %s: %w", m.verb, w.Name, err)
		}
		begun = append(begun, jobRow{w.Name, j})
	}
	if c.detach {
		return k.printJobs(begun)
	}
	total := 0
	for i := range begun {
		w := begun[i].Workspace
		j, err := k.attend(ctx, control, w, begun[i].Job)
		total += j.Moved
		if err != nil {
			return err
		}
		if len(begun) > 1 && k.Output == console.AsTable {
			k.Say(m.said+" of workspace %s", j.Moved, command.Clean(w))
		}
	}
	if k.Output != console.AsTable {
		return k.Print(map[string]int{m.key: total})
	}
	if len(begun) == 1 {
		k.Say(m.said, total)
	}
	if total == 0 && m.action == capability.ReplayQuarantine {
		k.Note("Nothing chosen can go: 'weir dlq list --quarantined' shows what there is, and why.")
	}
	return nil
}

// attend shows how far a job is until it has ended, and is an error unless it is done then.
func (k invocation) attend(ctx context.Context, control *remote.Control, workspace string, j remote.Job) (remote.Job, error) {
	bar := k.Progress(j.Kind)
	defer bar.End()
	var view *remote.View
	got, answered := time.Time{}, time.Now()
	for look := firstLook; j.State == "running"; look = min(2*look, lastLook) {
		note := j.Reason
		if away := time.Since(answered); away > lastLook*4 {
			note = "the plane does not answer; the job goes on when it does"
		}
		bar.Show(j.Moved, totalOf(j), note)
		if !delay.For(ctx, look) {
			bar.End()
			k.Note("weir: the %s goes on without this command. 'weir jobs show %s --workspace %s' says how far it is, 'weir jobs stop %[2]s --workspace %[3]s' stops it.", j.Kind, j.ID, workspace)
			return j, fault.New(fault.Unavailable, "detached from %s after %d events", j.ID, j.Moved)
		}
		var now remote.Job
		var err error
		if view == nil || time.Since(got) > renewAfter {
			got = time.Now()
			view, err = control.View(ctx, workspace, capability.ReadJobs)
		}
		if err == nil {
			now, err = view.Job(ctx, j.ID)
		}
		switch {
		case err == nil:
			j, answered = now, time.Now()
		case ctx.Err() != nil: // said above
		case fault.KindOf(err) != fault.Unavailable || time.Since(answered) > mayBeAway:
			return j, fmt.Errorf("look at %s, which may go on: %w", j.ID, err)
		default:
			view = nil
		}
	}
	switch j.State {
	case "done":
		return j, nil
	case "failed":
		return j, fault.New(fault.Unavailable, "%s failed after %d events: %s", j.ID, j.Moved, j.Reason)
	}
	return j, fault.New(fault.Conflict, "%s was stopped after %d events", j.ID, j.Moved)
}

func totalOf(j remote.Job) int {
	if j.Total == nil {
		return -1
	}
	return *j.Total
}

// Scheduled is what `weir jobs` does about work that is due now and then.
type Scheduled struct {
	List     func(ctx context.Context, workspace string) (jobs int, err error) // prints them
	Commands []*cobra.Command
}

// NewJobs returns the command `weir jobs`.
func NewJobs(shell *console.Console, s Scheduled) *cobra.Command {
	all := append([]*cobra.Command{newJobList(shell, s), newJobShow(shell), newJobStop(shell)}, s.Commands...)
	return console.Group("jobs", "What planes do by themselves: redrives, replays and discards; pulls, syncs and profiles", all...)
}

// jobRow is a job as it is printed, with the workspace it is in.
type jobRow struct {
	Workspace string `json:"workspace"`
	remote.Job
}

func newJobList(shell *console.Console, s Scheduled) *cobra.Command {
	k := invocation{shell}
	workspace := ""
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "list",
		Short: "List jobs",
		Long: `Lists what is due now and then, pulls of streams, syncs and runs of profiles: its state,
why it does not go on, and when its next step is due. Before it, newest first, redrives,
replays and discards that run, and of each workspace the last hundred that ended.`,
		Example: `  weir jobs list
  weir jobs list --workspace acme --output json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rows, err := k.jobs(cmd.Context(), workspace)
			if err != nil {
				return err
			}
			if len(rows) > 0 {
				if err := k.printJobs(rows); err != nil {
					return err
				}
			}
			n, err := s.List(cmd.Context(), workspace)
			if err == nil && n+len(rows) == 0 && k.Output == console.AsTable {
				k.Say("No jobs: pulled sources, syncs and profiles have some, and 'weir dlq redrive', 'weir dlq discard' and 'weir replay' begin one.")
			}
			return err
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "only this workspace")
	return cmd
}

func (k invocation) jobs(ctx context.Context, workspace string) (rows []jobRow, err error) {
	control, err := k.Connect()
	if err != nil {
		return nil, err
	}
	chosen, err := console.Choose(ctx, control, workspace)
	if err != nil {
		return nil, err
	}
	for _, w := range chosen {
		view, err := control.View(ctx, w.Name, capability.ReadJobs)
		if err != nil {
			return nil, err
		}
		all, err := view.Jobs(ctx)
		if err != nil {
			return nil, fmt.Errorf("list jobs of workspace %s: %w", w.Name, err)
		}
		for _, j := range all {
			rows = append(rows, jobRow{w.Name, nameJob(w, j)})
		}
	}
	return rows, nil
}

// nameJob gives a job's objects the names that they have now.
func nameJob(w remote.Workspace, j remote.Job) remote.Job {
	d := nameDead(w, remote.Dead{Source: j.Source, Destination: j.Destination})
	j.Source, j.Destination = d.Source, d.Destination
	return j
}

func newJobShow(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	workspace, wait := "", false
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "show JOB",
		Short: "Say how far a job is",
		Long: `Says how far a job is. With --wait it shows progress until the job has ended, and
fails unless the job is done then.`,
		Example: `  weir jobs show job_k7cpur3krwxn2e6l
  weir jobs show job_k7cpur3krwxn2e6l --wait`,
		RunE: func(cmd *cobra.Command, args []string) error {
			control, row, err := k.job(cmd.Context(), workspace, args[0])
			if err != nil || !wait {
				return errorOr(err, func() error { return k.printJobs([]jobRow{row}) })
			}
			last, err := k.attend(cmd.Context(), control, row.Workspace, row.Job)
			if err != nil {
				return err
			}
			last.Source, last.Destination = row.Source, row.Destination
			return k.printJobs([]jobRow{{row.Workspace, last}})
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "of this workspace; else it is looked for in all")
	cmd.Flags().BoolVar(&wait, "wait", false, "until it has ended")
	return cmd
}

func errorOr(err error, then func() error) error {
	if err != nil {
		return err
	}
	return then()
}

// job finds a job, in the given workspace or in all.
func (k invocation) job(ctx context.Context, workspace, job string) (*remote.Control, jobRow, error) {
	control, err := k.Connect()
	if err != nil {
		return nil, jobRow{}, err
	}
	chosen, err := console.Choose(ctx, control, workspace)
	if err != nil {
		return nil, jobRow{}, err
	}
	for _, w := range chosen {
		view, err := control.View(ctx, w.Name, capability.ReadJobs)
		if err != nil {
			return nil, jobRow{}, err
		}
		j, err := view.Job(ctx, job)
		if err == nil {
			return control, jobRow{w.Name, nameJob(w, j)}, nil
		}
		if fault.KindOf(err) != fault.Missing {
			return nil, jobRow{}, fmt.Errorf("job %s of workspace %s: %w", job, w.Name, err)
		}
	}
	return nil, jobRow{}, fault.New(fault.Missing, "there is no job %s; 'weir jobs list' shows what there is", job)
}

func newJobStop(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	workspace := ""
	cmd := k.RemoteFlags(&cobra.Command{
		Use:     "stop JOB",
		Short:   "Stop a job",
		Long:    "Stops a job that runs. What it moved stays moved; the same redrive or replay again does the rest.",
		Example: `  weir jobs stop job_k7cpur3krwxn2e6l`,
		RunE: func(cmd *cobra.Command, args []string) error {
			control, row, err := k.job(cmd.Context(), workspace, args[0])
			if err != nil {
				return err
			}
			view, err := control.View(cmd.Context(), row.Workspace, capability.StopJobs)
			if err != nil {
				return err
			}
			j, err := view.Stop(cmd.Context(), row.ID)
			if err != nil {
				return fmt.Errorf("stop job %s of workspace %s: %w", row.ID, row.Workspace, err)
			}
			j.Source, j.Destination = row.Source, row.Destination
			return k.printJobs([]jobRow{{row.Workspace, j}})
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "of this workspace; else it is looked for in all")
	return cmd
}

func (k invocation) printJobs(rows []jobRow) error {
	if k.Output != console.AsTable {
		return console.PrintEach(k.Console, rows)
	}
	t := console.Table{Head: []string{"WORKSPACE", "JOB", "KIND", "STATE", "SOURCE", "DESTINATION", "CODE", "MOVED", "OF", "RATE", "BEGAN", "REASON"}}
	for _, r := range rows {
		of, rate := "-", "-"
		if r.Total != nil {
			of = strconv.Itoa(*r.Total)
		}
		if r.Rate > 0 {
			rate = fmt.Sprintf("%d/s", r.Rate)
		}
		t.Add(r.Workspace, r.ID, r.Kind, r.State, console.Dash(r.Source), console.Dash(r.Destination), console.Dash(r.Code),
			strconv.Itoa(r.Moved), of, rate, console.Since(&r.Created, time.Now()), console.Dash(console.OneLine(r.Reason, 60)))
	}
	return t.Write(k.Out)
}
