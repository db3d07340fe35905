package loads

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/shared/capability"
)

// NewWarehouse returns the command `weir warehouse`.
func NewWarehouse(shell *console.Console) *cobra.Command {
	return console.Group("warehouse", "Tables of warehouses", newSchema(shell), newDrift(shell), newExpire(shell), newBackfill(shell))
}

// change is what somebody changed about a table.
type change struct {
	Code   string     `json:"code"`
	Table  string     `json:"table"`
	Column string     `json:"column"`
	Was    string     `json:"was"`
	Is     string     `json:"is"`
	Says   string     `json:"says"`
	Remedy string     `json:"remedy"`
	Held   bool       `json:"held"`
	Open   bool       `json:"open"`
	At     *time.Time `json:"at"`
	Last   *time.Time `json:"last"`
}

// table is a table of a warehouse.
type table struct {
	Name    string `json:"name"`
	Filled  bool   `json:"filled"`
	State   string `json:"state"`
	Columns []struct {
		Name   string `json:"name"`
		Type   string `json:"type"`
		Native string `json:"native"`
		State  string `json:"state"`
	} `json:"columns"`
	Changes []change `json:"changes"`
}

func newSchema(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	workspace := ""
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "schema DESTINATION [TABLE]",
		Short: "Show the tables of a warehouse, or the columns of one",
		Long: `Lists the tables in the schema of a warehouse, or the columns of one, beside what loads
expect of them: a column is missing or has another type when somebody changed it, and
'other' when loads do not fill it.`,
		Example: `  weir warehouse schema lake
  weir warehouse schema lake order_done --output json`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var out struct {
				Tables []table
				More   bool
			}
			only := append(args, "")[1]
			if err := k.askWarehouse(cmd.Context(), "schema", workspace, args[0], only, &out); err != nil {
				return err
			}
			if out.More {
				k.Note("weir: there are more tables; name one to see it")
			}
			return k.printSchema(out.Tables, only != "")
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "of this workspace, where several have such a destination")
	return cmd
}

func newDrift(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	workspace := ""
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "drift DESTINATION",
		Short: "Say what somebody changed about the tables that loads fill",
		Long: `Compares the tables of a warehouse with what loads left, and lists what loads met before:
tables and columns that were dropped, renamed or have another type, views in the place of
tables, rights that are gone, each with what Weir does about it and what you can do.`,
		Example: "  weir warehouse drift lake",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var out struct{ Changes []change }
			if err := k.askWarehouse(cmd.Context(), "drift", workspace, args[0], "", &out); err != nil {
				return err
			}
			return k.printDrift(out.Changes)
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "of this workspace, where several have such a destination")
	return cmd
}

func (k invocation) askWarehouse(ctx context.Context, what, workspace, destination, table string, out any) error {
	control, w, err := k.loaded(ctx, workspace, destination)
	if err != nil {
		return err
	}
	view, err := control.View(ctx, w.Name, capability.ReadLoads)
	if err != nil {
		return err
	}
	q := url.Values{"destination": {string(console.DestinationID(w, destination))}}
	if table != "" {
		q.Set("table", table)
	}
	if err := view.Ask(ctx, http.MethodGet, "/v1/warehouse/"+what+"?"+q.Encode(), nil, out); err != nil {
		return fmt.Errorf("%s of %s of workspace %s: %w", what, destination, w.Name, err)
	}
	return nil
}

func (k invocation) printSchema(all []table, columns bool) error {
	if k.Output != console.AsTable {
		return console.PrintEach(k.Console, all)
	}
	if len(all) == 0 {
		k.Say("No tables.")
		return nil
	}
	if columns {
		t := console.Table{Head: []string{"COLUMN", "TYPE", "IN THE WAREHOUSE", "STATE"}}
		for _, c := range all[0].Columns {
			t.Add(c.Name, or(c.Type, "-"), or(c.Native, "-"), c.State)
		}
		return t.Write(k.Out)
	}
	t := console.Table{Head: []string{"TABLE", "COLUMNS", "FILLED", "STATE", "CHANGES"}}
	for _, x := range all {
		filled := "no"
		if x.Filled {
			filled = "yes"
		}
		t.Add(x.Name, fmt.Sprint(len(x.Columns)), filled, or(x.State, "-"), fmt.Sprint(len(x.Changes)))
	}
	return t.Write(k.Out)
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func (k invocation) printDrift(all []change) error {
	if k.Output != console.AsTable {
		return console.PrintEach(k.Console, all)
	}
	if len(all) == 0 {
		k.Say("Nobody changed anything.")
		return nil
	}
	t := console.Table{Head: []string{"TABLE", "CODE", "SEEN", "WHAT", "WHAT TO DO"}}
	for _, c := range all {
		seen := "now"
		if c.Last != nil {
			seen = c.Last.Format(time.RFC3339)
		}
		t.Add(c.Table, c.Code, seen, c.Says, c.Remedy)
	}
	return t.Write(k.Out)
}
