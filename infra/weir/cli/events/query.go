package events

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"
	"weir/shared/capability"
	"weir/shared/command"
	"weir/shared/fault"
)

// maxTableRows is how many rows a table shows.
const maxTableRows = 10_000

// NewQuery returns the command `weir query`.
func NewQuery(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var workspace string
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "query DESTINATION SQL",
		Short: "Run SQL on a warehouse and print its rows",
		Long: `Runs a statement on the warehouse that a destination loads, and prints its rows
as JSON lines, or as a table with --output table.

The statement goes to the workspace's data plane directly, which runs it with
the destination's own rights.`,
		Example: `  weir query lake 'select count(*) from tracks'
  weir query lake 'select event, received_at from tracks order by 2 desc limit 5' --output table`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("output") {
				k.Output = console.AsJSON
			}
			return k.query(cmd.Context(), workspace, args[0], args[1], k.Console.Lines(cmd))
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "of this workspace, where several have such a destination")
	return cmd
}

func (k invocation) query(ctx context.Context, workspace, destination, sql string, lines *console.Lines) error {
	control, err := k.Connect()
	if err != nil {
		return err
	}
	chosen, err := console.Choose(ctx, control, workspace)
	if err != nil {
		return err
	}
	if chosen, err = console.Having(chosen, destination); err != nil {
		return err
	}
	if len(chosen) > 1 {
		return command.Usage("name the workspace with --workspace; %s", console.ThereAre("workspaces", chosen, func(w remote.Workspace) string { return w.Name }))
	}
	w := chosen[0]
	view, err := control.View(ctx, w.Name, capability.Query)
	if err != nil {
		return err
	}
	show, done := k.rows(lines)
	err = view.Query(ctx, string(console.DestinationID(w, destination)), sql, show)
	if errors.Is(err, errEnough) {
		err = nil
		k.Note("weir: only the first %d rows are shown; use --output json for all", maxTableRows)
	}
	if err != nil {
		err = fmt.Errorf("query %s of workspace %s: %w", destination, w.Name, err)
	}
	return errors.Join(done(), err)
}

// rows returns what takes a row, and what prints those that were gathered.
func (k invocation) rows(lines *console.Lines) (row func(line []byte) error, done func() error) {
	if k.Output != console.AsTable {
		return lines.Print, func() error { return nil }
	}
	var t console.Table
	return func(line []byte) error {
			if len(t.Rows) == maxTableRows {
				return errEnough
			}
			names, cells, err := console.Cells(line)
			if err != nil {
				return err
			}
			if t.Head == nil {
				t.Head = names
			}
			if len(names) != len(t.Head) {
				return fault.New(fault.Unavailable, "the plane sent rows of different shapes")
			}
			t.Add(cells...)
			return nil
		}, func() error {
			if t.Head == nil {
				return nil
			}
			return t.Write(k.Out)
		}
}
