package loads

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"
	"weir/shared/capability"
	"weir/shared/command"
	"weir/shared/delay"
	"weir/shared/fault"
)

// backfill is one as a plane shows it.
type backfill struct {
	Workspace string     `json:"workspace"`
	ID        string     `json:"id"`
	From      string     `json:"from"`
	Into      string     `json:"destination"`
	State     string     `json:"state"`
	Code      string     `json:"code"`
	Created   time.Time  `json:"created"`
	Ended     *time.Time `json:"ended"`
	Since     *time.Time `json:"since"`
	Until     *time.Time `json:"until"`
	Copied    int64      `json:"copied"`
	There     int64      `json:"there"` // rows that the target had
	Tables    []struct {
		Table   string     `json:"table"`
		State   string     `json:"state"`
		Copied  int64      `json:"copied"`
		There   int64      `json:"there"`
		Without int64      `json:"without"` // rows without an id
		At      *time.Time `json:"at"`      // up to which received_at it is copied
		Code    string     `json:"code"`
	} `json:"tables"`
}

// done counts the tables that are.
func (b *backfill) done() (n int) {
	for _, t := range b.Tables {
		if t.State == "done" || t.State == "failed" {
			n++
		}
	}
	return n
}

func newBackfill(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	workspace, from, since, until, detach := "", "", "", "", false
	var tables []string
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "backfill DESTINATION --from WAREHOUSE",
		Short: "Copy rows of another warehouse of the workspace into a warehouse",
		Long: `Copies the rows that another warehouse of the same workspace has, table by table in windows
of received_at: into a schema in another layout, or into another kind. Rows that are there
already stay as they are, so the same backfill again adds nothing; only a lake gets them
once more. Tables without the columns id and received_at are left out, and lakes cannot be
copied from.

It is a job of the plane, which goes on when this command is interrupted and when the plane
restarts. One that was stopped, or failed, goes on where it was when it is begun again with
the same warehouses, tables and --since.`,
		Example: `  weir warehouse backfill new --from old
  weir warehouse backfill new --from old --table order_done --since 2026-01-01T00:00:00Z --detach
  weir warehouse backfill status
  weir warehouse backfill stop new`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if from == "" {
				return command.Usage("say with --from which warehouse to copy from")
			}
			in := map[string]any{"tables": tables}
			for name, text := range map[string]string{"since": since, "until": until} {
				if text == "" {
					continue
				}
				at, err := time.Parse(time.RFC3339, text)
				if err != nil {
					return command.Usage("--%s is a time such as 2026-01-31T00:00:00Z", name)
				}
				in[name] = at
			}
			control, w, err := k.loaded(cmd.Context(), workspace, args[0])
			if err != nil {
				return err
			}
			in["destination"], in["from"] = string(console.DestinationID(w, args[0])), string(console.DestinationID(w, from))
			if in["from"] == "" {
				return fault.New(fault.Missing, "there is no destination %s in the workspace %s", from, w.Name)
			}
			view, err := control.View(cmd.Context(), w.Name, capability.StartLoads)
			if err != nil {
				return err
			}
			var b backfill
			if err := view.Ask(cmd.Context(), http.MethodPost, "/v1/warehouse/backfills", in, &b); err != nil {
				return fmt.Errorf("backfill %s of workspace %s: %w", args[0], w.Name, err)
			}
			if b.Workspace = w.Name; !detach {
				if b, err = k.awaitBackfill(cmd.Context(), control, w, b); err != nil {
					return err
				}
			}
			if err := k.printBackfills([]backfill{b}); err != nil {
				return err
			}
			if b.State == "failed" {
				return fault.New(fault.Unavailable, "rows are left out: see the codes; mend it and begin it again")
			}
			return nil
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "of this workspace, where several have such a destination")
	cmd.Flags().StringVar(&from, "from", "", "the warehouse to copy from")
	cmd.Flags().StringArrayVar(&tables, "table", nil, "this table only; may be given several times")
	cmd.Flags().StringVar(&since, "since", "", "rows that were received from this time on")
	cmd.Flags().StringVar(&until, "until", "", "rows that were received before this time; otherwise before now")
	cmd.Flags().BoolVar(&detach, "detach", false, "begin it, and do not wait until it is done")
	cmd.AddCommand(newBackfillStatus(shell), newBackfillStop(shell))
	return cmd
}

// backfillsOf lists those of a workspace.
func backfillsOf(ctx context.Context, control *remote.Control, w remote.Workspace) ([]backfill, error) {
	view, err := control.View(ctx, w.Name, capability.ReadLoads)
	if err != nil {
		return nil, err
	}
	var in struct{ Backfills []backfill }
	if err := view.Ask(ctx, http.MethodGet, "/v1/warehouse/backfills", nil, &in); err != nil {
		return nil, fmt.Errorf("backfills of workspace %s: %w", w.Name, err)
	}
	for i := range in.Backfills {
		in.Backfills[i].Workspace = w.Name
	}
	return in.Backfills, nil
}

// awaitBackfill shows how far a backfill is until it has ended.
func (k invocation) awaitBackfill(ctx context.Context, control *remote.Control, w remote.Workspace, b backfill) (backfill, error) {
	k.Note("weir: %s began; it goes on when this command is interrupted", b.ID)
	told, away := "", time.Time{}
	for b.State == "running" {
		if !delay.For(ctx, lastLook) {
			return b, ctx.Err()
		}
		all, err := backfillsOf(ctx, control, w)
		switch {
		case err != nil && fault.KindOf(err) != fault.Unavailable:
			return b, err
		case err != nil && away.IsZero():
			away = time.Now()
		case err != nil && time.Since(away) > mayBeAway:
			return b, err
		case err == nil:
			away = time.Time{}
		}
		for _, one := range all {
			if one.Into == b.Into {
				if one.ID != b.ID {
					return b, fault.New(fault.Conflict, "another backfill into %s was begun", b.Into)
				}
				b = one
			}
		}
		if now := fmt.Sprintf("%d of %d tables, %d rows copied, %d were there", b.done(), len(b.Tables), b.Copied, b.There); now != told {
			told = now
			if b.Code != "" {
				now += ", waiting: " + b.Code
			}
			k.Note("weir: %s", now)
		}
	}
	return b, nil
}

func newBackfillStatus(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	workspace := ""
	cmd := k.RemoteFlags(&cobra.Command{
		Use:     "status [DESTINATION]",
		Short:   "Say how far backfills are",
		Long:    "Lists the newest backfill of each warehouse that has one, newest first; of one warehouse, its tables.",
		Example: "  weir warehouse backfill status\n  weir warehouse backfill status new",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			chosen, err := console.Choose(cmd.Context(), control, workspace)
			if err != nil {
				return err
			}
			var all []backfill
			for _, w := range chosen {
				some, err := backfillsOf(cmd.Context(), control, w)
				if err != nil {
					return err
				}
				for _, b := range some {
					if len(args) == 0 || b.Into == args[0] {
						all = append(all, b)
					}
				}
			}
			if len(args) == 1 && len(all) == 1 && k.Output == console.AsTable {
				return k.printTables(all[0])
			}
			return k.printBackfills(all)
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "of this workspace, where there are several")
	return cmd
}

func newBackfillStop(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	workspace := ""
	cmd := k.RemoteFlags(&cobra.Command{
		Use:     "stop DESTINATION",
		Short:   "Stop the backfill into a warehouse",
		Long:    "Stops the backfill into a warehouse after the page that is on its way. What it copied stays; the same backfill again goes on.",
		Example: "  weir warehouse backfill stop new",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			control, w, err := k.loaded(cmd.Context(), workspace, args[0])
			if err != nil {
				return err
			}
			view, err := control.View(cmd.Context(), w.Name, capability.StartLoads)
			if err != nil {
				return err
			}
			var b backfill
			if err := view.Ask(cmd.Context(), http.MethodPost, "/v1/warehouse/backfills/"+url.PathEscape(string(console.DestinationID(w, args[0])))+"/stop", map[string]any{}, &b); err != nil {
				return fmt.Errorf("stop the backfill of %s of workspace %s: %w", args[0], w.Name, err)
			}
			b.Workspace = w.Name
			return k.printBackfills([]backfill{b})
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "of this workspace, where several have such a destination")
	return cmd
}

func (k invocation) printBackfills(all []backfill) error {
	if k.Output != console.AsTable {
		return console.PrintEach(k.Console, all)
	}
	if len(all) == 0 {
		k.Say("There are no backfills.")
		return nil
	}
	t := console.Table{Head: []string{"WORKSPACE", "INTO", "FROM", "STATE", "CODE", "BEGAN", "TABLES", "COPIED", "THERE BEFORE"}}
	for _, b := range all {
		t.Add(b.Workspace, b.Into, b.From, b.State, console.Dash(b.Code), console.Since(&b.Created, time.Now()), fmt.Sprintf("%d of %d", b.done(), len(b.Tables)), fmt.Sprint(b.Copied), fmt.Sprint(b.There))
	}
	return t.Write(k.Out)
}

func (k invocation) printTables(b backfill) error {
	t := console.Table{Head: []string{"TABLE", "STATE", "CODE", "COPIED", "THERE BEFORE", "WITHOUT ID", "UP TO"}}
	for _, x := range b.Tables {
		at := "-"
		if x.At != nil {
			at = x.At.Format(time.RFC3339)
		}
		t.Add(x.Table, x.State, console.Dash(x.Code), fmt.Sprint(x.Copied), fmt.Sprint(x.There), fmt.Sprint(x.Without), at)
	}
	return t.Write(k.Out)
}
