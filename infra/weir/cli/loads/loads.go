// Package loads has the commands about the loads of warehouses.
package loads

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

// Times between two looks at a load, and how long its plane may not answer meanwhile.
const (
	firstLook = 50 * time.Millisecond
	lastLook  = 500 * time.Millisecond
	mayBeAway = 2 * time.Minute
)

type invocation struct{ *console.Console }

// New returns the command `weir load`.
func New(shell *console.Console) *cobra.Command {
	return console.Group("load", "Loads of warehouses", newLoadNow(shell), newLoadPause(shell), newLoadResume(shell), newLoadStatus(shell))
}

// loadRow is how a warehouse stands.
type loadRow struct {
	Workspace   string       `json:"workspace"`
	Destination string       `json:"destination"`
	Waiting     int64        `json:"waiting"` // events that no load has brought into a row
	Next        *time.Time   `json:"next"`    // null during a load, and when paused
	Paused      *time.Time   `json:"paused"`  // since when no load begins; null: they do
	Last        *remote.Load `json:"last"`    // the newest load; null: none is remembered
}

func newLoadNow(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	workspace, detach := "", false
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "now DESTINATION",
		Short: "Load a warehouse without delay",
		Long: `Loads what was accepted before the command for a warehouse, without regard to how often it is
loaded, and also when it waits because a load failed. It shows progress until the rows are there, and fails
when the load does; the plane goes on trying by itself. --detach only begins.`,
		Example: `  weir load now lake
  weir load now lake --detach`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return k.loadNow(cmd.Context(), workspace, args[0], detach)
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "of this workspace, where several have such a destination")
	cmd.Flags().BoolVar(&detach, "detach", false, "do not wait until the rows are there")
	return cmd
}

func newLoadStatus(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	workspace := ""
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "status [DESTINATION]",
		Short: "Say what waits for warehouses, and how their loads fare",
		Long: `Says of each warehouse, or of one, how many events wait for a load, when the last load
began and how it stands, how long it took, when the next one begins, or that loads are paused, and for which
reason a load failed.`,
		Example: `  weir load status
  weir load status lake --output json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			rows, err := k.loadStatus(cmd.Context(), workspace, append(args, "")[0])
			if err != nil {
				return err
			}
			return k.printLoads(rows)
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "only this workspace")
	return cmd
}

func newLoadPause(shell *console.Console) *cobra.Command {
	return loadSwitch(shell, &cobra.Command{
		Use:   "pause DESTINATION",
		Short: "Let no load of a warehouse begin",
		Long: `Lets no load of a warehouse begin until 'weir load resume', also after the plane was
started again, and in none of its processes. The load under way ends. Events wait on the plane's disk meanwhile.`,
		Example: `  weir load pause lake`,
	}, (*remote.View).PauseLoads)
}

func newLoadResume(shell *console.Console) *cobra.Command {
	return loadSwitch(shell, &cobra.Command{
		Use:     "resume DESTINATION",
		Short:   "Let loads of a warehouse begin again",
		Long:    `Ends 'weir load pause': what waits is loaded without delay.`,
		Example: `  weir load resume lake`,
	}, (*remote.View).ResumeLoads)
}

// loadSwitch is a command that pauses or resumes the loads of one warehouse.
func loadSwitch(shell *console.Console, cmd *cobra.Command, do func(*remote.View, context.Context, string) error) *cobra.Command {
	k := invocation{shell}
	workspace := ""
	cmd = k.RemoteFlags(cmd)
	cmd.Args = cobra.ExactArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		control, w, err := k.loaded(cmd.Context(), workspace, args[0])
		if err != nil {
			return err
		}
		view, err := control.View(cmd.Context(), w.Name, capability.StartLoads)
		if err != nil {
			return err
		}
		if err := do(view, cmd.Context(), string(console.DestinationID(w, args[0]))); err != nil {
			return fmt.Errorf("loads of %s of workspace %s: %w", args[0], w.Name, err)
		}
		rows, err := loadsOf(cmd.Context(), control, w, args[0])
		if err != nil {
			return err
		}
		return k.printLoads(rows)
	}
	cmd.Flags().StringVar(&workspace, "workspace", "", "of this workspace, where several have such a destination")
	return cmd
}

// loaded returns the only workspace that has a destination of a name.
func (k invocation) loaded(ctx context.Context, workspace, destination string) (*remote.Control, remote.Workspace, error) {
	control, err := k.Connect()
	if err != nil {
		return nil, remote.Workspace{}, err
	}
	chosen, err := console.Choose(ctx, control, workspace)
	if err != nil {
		return nil, remote.Workspace{}, err
	}
	if chosen, err = console.Having(chosen, destination); err != nil {
		return nil, remote.Workspace{}, err
	}
	if len(chosen) > 1 {
		return nil, remote.Workspace{}, command.Usage("name the workspace with --workspace; %s", console.ThereAre("workspaces", chosen, func(w remote.Workspace) string { return w.Name }))
	}
	return control, chosen[0], nil
}

func (k invocation) loadNow(ctx context.Context, workspace, destination string, detach bool) error {
	control, w, err := k.loaded(ctx, workspace, destination)
	if err != nil {
		return err
	}
	before, err := loadsOf(ctx, control, w, destination)
	if err != nil {
		return err
	}
	view, err := control.View(ctx, w.Name, capability.StartLoads)
	if err != nil {
		return err
	}
	at, err := view.LoadNow(ctx, string(console.DestinationID(w, destination)))
	if err != nil {
		return fmt.Errorf("load %s of workspace %s: %w", destination, w.Name, err)
	}
	if !detach && len(before) == 1 {
		if before[0], err = k.awaitLoad(ctx, control, w, before[0], at); err != nil {
			return err
		}
	}
	return k.printLoads(before)
}

// awaitLoad shows progress until what waited at a time is in rows, or a load failed.
func (k invocation) awaitLoad(ctx context.Context, control *remote.Control, w remote.Workspace, before loadRow, at time.Time) (loadRow, error) {
	bar := k.Progress("load")
	defer bar.End()
	answered := time.Now()
	for look := firstLook; ; look = min(2*look, lastLook) {
		if !delay.For(ctx, look) {
			return before, fault.New(fault.Unavailable, "detached; 'weir load status %s' says how the load fares", command.Clean(before.Destination))
		}
		rows, err := loadsOf(ctx, control, w, before.Destination)
		if err != nil && fault.KindOf(err) == fault.Unavailable && time.Since(answered) < mayBeAway {
			continue
		}
		if err != nil || len(rows) != 1 {
			return before, err
		}
		now, last := rows[0], rows[0].Last
		answered = time.Now()
		bar.Show(int(max(0, before.Waiting-now.Waiting)), int(before.Waiting), "")
		switch {
		case last != nil && last.State == "failing" && last.Next != nil && (before.Last == nil || before.Last.ID != last.ID || before.Last.Attempt != last.Attempt):
			return now, fault.New(fault.Unavailable, "the load of %s failed with code %s: %s", command.Clean(now.Destination), command.Clean(last.Code), command.Clean(last.Detail))
		case now.Next != nil && (now.Waiting == 0 || last != nil && last.State == "done" && !last.At.Before(at)):
			return now, nil
		}
	}
}

func (k invocation) loadStatus(ctx context.Context, workspace, destination string) (all []loadRow, err error) {
	control, err := k.Connect()
	if err != nil {
		return nil, err
	}
	chosen, err := console.Choose(ctx, control, workspace)
	if err != nil {
		return nil, err
	}
	if destination != "" {
		if chosen, err = console.Having(chosen, destination); err != nil {
			return nil, err
		}
	}
	for _, w := range chosen {
		rows, err := loadsOf(ctx, control, w, destination)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}

// loadsOf says how the warehouses of a workspace stand, or one of them.
func loadsOf(ctx context.Context, control *remote.Control, w remote.Workspace, destination string) ([]loadRow, error) {
	view, err := control.View(ctx, w.Name, capability.ReadLoads)
	if err != nil {
		return nil, err
	}
	only := ""
	if destination != "" {
		only = string(console.DestinationID(w, destination))
	}
	loads, waiting, err := view.Loads(ctx, only)
	if err != nil {
		return nil, fmt.Errorf("loads of workspace %s: %w", w.Name, err)
	}
	var rows []loadRow
	for _, x := range waiting {
		row := loadRow{Workspace: w.Name, Destination: x.Destination, Waiting: x.Events, Next: x.Next, Paused: x.Paused}
		for i := range loads {
			if loads[i].Destination == x.Destination {
				row.Last = &loads[i]
				break
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (k invocation) printLoads(rows []loadRow) error {
	if k.Output != console.AsTable {
		return console.PrintEach(k.Console, rows)
	}
	if len(rows) == 0 {
		k.Say("No warehouses.")
		return nil
	}
	t := console.Table{Head: []string{"WORKSPACE", "DESTINATION", "WAITING", "LAST", "STATE", "ROWS", "TOOK", "NEXT", "CODE", "DETAIL"}}
	for _, r := range rows {
		last, state, loaded, took, code, detail, next := "-", "-", "-", "-", "", "", "now"
		if r.Next != nil {
			next = r.Next.Format(time.RFC3339)
		}
		if r.Paused != nil {
			next = "paused since " + r.Paused.Format(time.RFC3339)
		}
		if l := r.Last; l != nil {
			last, state, loaded, code, detail = l.At.Format(time.RFC3339), l.State, strconv.FormatInt(l.Rows, 10), l.Code, l.Detail
			if l.Millis > 0 {
				took = (time.Duration(l.Millis) * time.Millisecond).String()
			}
		}
		t.Add(r.Workspace, r.Destination, strconv.FormatInt(r.Waiting, 10), last, state, loaded, took, next, code, detail)
	}
	return t.Write(k.Out)
}
