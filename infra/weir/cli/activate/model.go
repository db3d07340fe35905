package activate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"
	"weir/shared/capability"
	"weir/shared/command"
	"weir/shared/fault"
	"weir/shared/workspace/activation"
	"weir/shared/workspace/document"
)

// NewModel returns the command `weir model`.
func NewModel(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	return console.Group("model", "Rows of warehouses that syncs send", k.models(), k.sample())
}

// modelRow is a model with the workspace that it is in.
type modelRow struct {
	Workspace string `json:"workspace"`
	Name      string `json:"name"`
	Warehouse string `json:"warehouse"`
	Table     string `json:"table,omitempty"`
	SQL       string `json:"sql,omitempty"`
	Audience  string `json:"audience,omitempty"`
	Key       string `json:"key"`
}

// all lists the models of the given workspace, or of all.
func (k invocation) all(ctx context.Context, control *remote.Control, workspace string) (rows []modelRow, in []remote.Workspace, err error) {
	chosen, err := console.Choose(ctx, control, workspace)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range chosen {
		doc, _, err := control.Document(ctx, w.Name)
		if err != nil {
			return nil, nil, err
		}
		for _, m := range doc.Models {
			row := modelRow{w.Name, m.Name, m.Warehouse, m.Table, m.SQL, m.Audience, m.Column}
			if p := slices.IndexFunc(doc.Profiles, func(p document.Profile) bool { return p.Warehouse == m.Warehouse }); m.Audience != "" && p >= 0 {
				row.SQL, _ = doc.Profiles[p].Members(m.Audience)
			}
			rows, in = append(rows, row), append(in, w)
		}
	}
	return rows, in, nil
}

func (k invocation) models() *cobra.Command {
	workspace := ""
	cmd := k.RemoteFlags(&cobra.Command{
		Use:     "list",
		Short:   "List models",
		Long:    "Lists the models of workspaces.",
		Example: "  weir model list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			rows, _, err := k.all(cmd.Context(), control, workspace)
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return console.PrintEach(k.Console, rows)
			}
			if len(rows) == 0 {
				k.Say("No models: 'models:' in a configuration declares them.")
				return nil
			}
			t := console.Table{Head: []string{"WORKSPACE", "MODEL", "WAREHOUSE", "KEY", "ROWS"}}
			for _, r := range rows {
				rows := r.Table + strings.Join(strings.Fields(r.SQL), " ")
				if r.Audience != "" {
					rows = "audience " + r.Audience
				}
				t.Add(r.Workspace, r.Name, r.Warehouse, r.Key, console.OneLine(rows, 60))
			}
			return t.Write(k.Out)
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "only this workspace")
	return cmd
}

func (k invocation) sample() *cobra.Command {
	workspace, limit := "", 10
	cmd := k.RemoteFlags(&cobra.Command{
		Use:     "preview MODEL",
		Short:   "Print some rows of a model",
		Long:    "Prints some rows of a model as JSON lines. The warehouse's plane reads them with the destination's own rights.",
		Example: "  weir model preview customers --limit 3",
		RunE: func(cmd *cobra.Command, args []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			rows, in, err := k.all(cmd.Context(), control, workspace)
			if err != nil {
				return err
			}
			at := -1
			for i, r := range rows {
				if r.Name == args[0] && at >= 0 {
					return command.Usage("name the workspace with --workspace: several have a model %s", args[0])
				}
				if r.Name == args[0] {
					at = i
				}
			}
			if at < 0 {
				return fault.New(fault.Missing, "there is no model %s; 'weir model list' shows what there is", args[0])
			}
			return k.read(cmd.Context(), control, in[at], rows[at], limit)
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "of this workspace, where several have such a model")
	cmd.Flags().IntVar(&limit, "limit", limit, "how many")
	return cmd
}

// read prints rows of a model.
func (k invocation) read(ctx context.Context, control *remote.Control, w remote.Workspace, m modelRow, limit int) error {
	view, err := control.View(ctx, w.Name, capability.Query)
	if err != nil {
		return err
	}
	of := activation.Model{Table: m.Table, SQL: m.SQL}
	q := fmt.Sprintf("select * from %s as m limit %d", of.Relation(), max(limit, 1))
	err = view.Query(ctx, string(console.DestinationID(w, m.Warehouse)), q, func(line []byte) error {
		_, err := fmt.Fprintf(k.Out, "%s\n", line)
		return err
	})
	if err != nil {
		return fmt.Errorf("preview %s of workspace %s: %w", m.Name, w.Name, err)
	}
	return nil
}
