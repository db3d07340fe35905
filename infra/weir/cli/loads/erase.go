package loads

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"
	"weir/shared/capability"
	"weir/shared/command"
	"weir/shared/fault"
)

// NewErase returns the command `weir erase`.
func NewErase(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	workspace, dry := "", false
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "erase TYPE:VALUE...",
		Short: "Remove a person from everywhere the planes of a workspace keep them",
		Long: `Removes what the planes of a workspace keep of a person: rows of all tables of all
warehouses, with what waits to be loaded; quarantined events; dead letters; and what
profiles know. It says by place how much went. Identifiers are of the types user_id and
anonymous_id, or of those of profiles, which also tell what further ones the person has.
Events on their way to other destinations are not held up, and what these already have
stays there. --dry-run counts and removes nothing. It can be repeated.`,
		Example: `  weir erase user_id:u-17 --dry-run
  weir erase user_id:u-17 anonymous_id:a1`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			chosen, err := console.Choose(cmd.Context(), control, workspace)
			if err != nil {
				return err
			}
			if len(chosen) != 1 {
				return command.Usage("name the workspace with --workspace; %s", console.ThereAre("workspaces", chosen, func(w remote.Workspace) string { return w.Name }))
			}
			view, err := control.View(cmd.Context(), chosen[0].Name, capability.DecideProfiles)
			if err != nil {
				return err
			}
			return k.removals(cmd.Context(), view, "/v1/erase", map[string]any{"ids": args, "dryRun": dry}, dry)
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "of this workspace, where there are several")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "count, and remove nothing")
	return cmd
}

func newExpire(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	workspace, dry := "", false
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "expire DESTINATION",
		Short: "Remove the rows of a warehouse that are older than its retention",
		Long: `Removes the rows that are older than the settings retention and retentionOf of a warehouse
allow, by received_at, as the plane does once a day. --dry-run counts and removes nothing.`,
		Example: `  weir warehouse expire lake --dry-run
  weir warehouse expire lake`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			control, w, err := k.loaded(cmd.Context(), workspace, args[0])
			if err != nil {
				return err
			}
			view, err := control.View(cmd.Context(), w.Name, capability.StartLoads)
			if err != nil {
				return err
			}
			return k.removals(cmd.Context(), view, "/v1/warehouse/expire", map[string]any{"destination": string(console.DestinationID(w, args[0])), "dryRun": dry}, dry)
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "of this workspace, where several have such a destination")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "count, and remove nothing")
	return cmd
}

// removed is what went from a place, or why something there did not.
type removed struct {
	Place   string `json:"place"`
	Name    string `json:"name,omitempty"`
	Table   string `json:"table,omitempty"`
	Count   int64  `json:"count"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	Done    *bool  `json:"done,omitempty"` // of the last line alone
	IDs     int    `json:"ids,omitempty"`
}

// removals shows what a call removes, place by place.
func (k invocation) removals(ctx context.Context, view *remote.View, path string, in any, dry bool) error {
	var all []removed
	var last *removed
	err := view.Lines(ctx, http.MethodPost, path, in, func(line []byte) error {
		var r removed
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("read a line of the plane: %w", err)
		}
		if r.Done != nil {
			last = &r
			return nil
		}
		if all = append(all, r); k.Output == console.AsTable {
			k.Note("weir: %s %s %s: %d %s", r.Place, command.Clean(r.Name), command.Clean(r.Table), r.Count, command.Clean(r.Message))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if k.Output != console.AsTable {
		if err := console.PrintEach(k.Console, all); err != nil {
			return err
		}
	} else {
		t := console.Table{Head: []string{"PLACE", "NAME", "TABLE", "COUNT", "CODE"}}
		for _, r := range all {
			t.Add(r.Place, or(r.Name, "-"), or(r.Table, "-"), fmt.Sprint(r.Count), r.Code)
		}
		if len(all) == 0 {
			k.Say("There is nothing.")
		} else if err := t.Write(k.Out); err != nil {
			return err
		}
	}
	switch {
	case last == nil:
		return fault.New(fault.Unavailable, "the plane ended the call before it was done; run it again")
	case !*last.Done:
		return fault.New(fault.Unavailable, "something could not be removed yet; see the codes, and run it again")
	case dry:
		k.Note("weir: nothing was removed")
	}
	return nil
}
