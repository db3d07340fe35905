// Package events is the commands that ask a workspace's data plane about its
// events, directly: its ledger, events as they pass, rows of a warehouse, and what
// did not arrive, to be sent again.
package events

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"
	"weir/shared/capability"
	"weir/shared/fault"
)

// invocation is one execution of a command.
type invocation struct{ *console.Console }

// NewLedger returns the command `weir ledger`.
func NewLedger(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var workspace string
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "ledger",
		Short: "Show the books: what became of every event",
		Long: `Shows, for each source and for each source and destination, what became of its
events. A source's row has no destination. The books of a source, and those of a
source and destination, balance when

  accepted + replayed = waiting + duplicate + quarantined + dropped + routed + unrouted
  routed + added = delivered + dropped + quarantined + parked + dead + staged + in flight

Waiting is what was acknowledged and is not read yet. Staged is on its way into a
warehouse: it counts as delivered once it is loaded. A row with a destination repeats
what its source accepted, replayed, has waiting, found again (duplicate) and routed
nowhere (unrouted). The numbers come from the workspace's data plane directly.`,
		Example: `  weir ledger
  weir ledger --workspace acme --output json | jq 'select(.balanced | not)'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			return k.ledger(cmd.Context(), control, workspace)
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "only this workspace")
	return cmd
}

func (k invocation) ledger(ctx context.Context, control *remote.Control, workspace string) error {
	chosen, err := console.Choose(ctx, control, workspace)
	if err != nil {
		return err
	}
	all := []remote.Row{}
	t := console.Table{Head: []string{"WORKSPACE", "SOURCE", "DESTINATION", "ACCEPTED", "REPLAYED", "WAITING", "DUPLICATE", "QUARANTINED", "DROPPED", "ROUTED", "UNROUTED", "ADDED", "DELIVERED", "STAGED", "PARKED", "DEAD", "IN FLIGHT", "BALANCED"}}
	books, err := ledgers(ctx, control, chosen)
	if err != nil {
		return err
	}
	for i, w := range chosen {
		for _, r := range books[i] {
			r = named(w, r)
			all = append(all, r)
			t.Add(w.Name, r.Source, console.Dash(r.Destination), fmt.Sprint(r.Accepted), fmt.Sprint(r.Replayed), fmt.Sprint(r.Waiting), fmt.Sprint(r.Duplicate), fmt.Sprint(r.Quarantined), reasons(r.Dropped), fmt.Sprint(r.Routed),
				fmt.Sprint(r.Unrouted), fmt.Sprint(r.Added), fmt.Sprint(r.Delivered), fmt.Sprint(r.Staged), fmt.Sprint(r.Parked), fmt.Sprint(r.Dead), fmt.Sprint(r.InFlight), yesNo(r.Balanced))
		}
	}
	if k.Output != console.AsTable {
		return console.PrintEach(k.Console, all)
	}
	if len(all) == 0 {
		k.Say("Nothing has been booked yet. Send an event to a source; 'weir status' shows whether its plane runs.")
		return nil
	}
	return t.Write(k.Out)
}

// atOnce is how many ledgers are asked for at a time.
const atOnce = 16

// ledgers reads the books of workspaces: of many in a few requests to each plane.
func ledgers(ctx context.Context, control *remote.Control, of []remote.Workspace) ([][]remote.Row, error) {
	books := make([][]remote.Row, len(of))
	if len(of) == 1 {
		return books, ledgerOf(ctx, control, of[0].Name, &books[0])
	}
	names, at, byID := make([]string, len(of)), map[string]int{}, map[string]int{}
	for i, w := range of {
		names[i], at[w.Name], byID[string(w.ID)] = w.Name, i, i
	}
	err := control.Views(ctx, names, func(v *remote.View, of []string) error {
		rows, err := v.Ledgers(ctx)
		if kind := fault.KindOf(err); err != nil && (kind == fault.Denied || kind == fault.Missing) { // an older plane knows no capability of several
			g, ctx := errgroup.WithContext(ctx)
			g.SetLimit(atOnce)
			for _, name := range of {
				g.Go(func() error { return ledgerOf(ctx, control, name, &books[at[name]]) })
			}
			return g.Wait()
		}
		if err != nil {
			return fmt.Errorf("read the ledgers of %d workspaces: %w", len(of), err)
		}
		for _, r := range rows {
			if i, ok := byID[r.Workspace]; ok {
				books[i] = append(books[i], r)
			}
		}
		return nil
	})
	return books, err
}

func ledgerOf(ctx context.Context, control *remote.Control, name string, to *[]remote.Row) error {
	view, err := control.View(ctx, name, capability.ReadLedger)
	if err != nil {
		return err
	}
	if *to, err = view.Ledger(ctx); err != nil {
		return fmt.Errorf("read the ledger of workspace %s: %w", name, err)
	}
	return nil
}

// named gives a row the names of its objects and writes absent maps as {}.
// What was removed keeps the name that its plane remembers, else its identifier.
func named(w remote.Workspace, r remote.Row) remote.Row {
	r.Workspace = w.Name
	for _, s := range w.Sources {
		if r.Source == string(s.ID) {
			r.Source = s.Name
		}
	}
	r.Destination = destinationName(w, r.Destination)
	if r.Dropped == nil {
		r.Dropped = map[string]uint64{}
	}
	return r
}

func destinationName(w remote.Workspace, key string) string {
	for _, d := range w.Destinations {
		if key == string(d.ID) {
			return d.Name
		}
	}
	return key
}

// reasons is a map of counts in a cell.
func reasons(counts map[string]uint64) string {
	var parts []string
	for _, code := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", code, counts[code]))
	}
	if len(parts) == 0 {
		return "0"
	}
	return strings.Join(parts, ", ")
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "NO"
}
