package events

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"
	"weir/shared/capability"
	"weir/shared/command"
	"weir/shared/fault"
)

// renewAfter is how old a capability may be before a further part is asked for
// with a new one.
const renewAfter = capability.Lifetime / 2

// NewReplay returns the command `weir replay`.
func NewReplay(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var c choice
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "replay",
		Short: "Send quarantined events again, after what they broke is corrected",
		Long: `Sends events that broke a rule through the pipeline again. What a transformation
refused goes only to the destination that it was on its way to. What broke a rule
at the gateway is checked again, and stays if it still breaks it; so does what has no
source or connection any more. 'weir dlq list --quarantined' shows what there is.

Say which: --place for single ones as the list names them, --code for those with
a reason, --source and --destination for those of one, --all for every one.
--dry-run counts what is chosen and sends nothing.` + ways,
		Example: `  weir replay --source web --code transformation_failed
  weir replay --destination hook --dry-run
  weir replay --source web --place 0/81/3 --place 0/82/0
  weir replay --all --output json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return k.moveQuarantined(cmd.Context(), c, move{capability.ReplayQuarantine, "replay", "replayed", "replayed %d events"})
		},
	})
	c.flags(cmd)
	cmd.Flags().StringVar(&c.source, "source", "", "only of this source")
	cmd.Flags().StringVar(&c.destination, "destination", "", "only those refused on the way to this destination")
	cmd.Flags().BoolVar(&c.dry, "dry-run", false, "only count what is chosen, by reason")
	return cmd
}

func (k invocation) moveQuarantined(ctx context.Context, c choice, m move) error {
	switch narrow := len(c.places) > 0 || c.code != ""; {
	case c.all && narrow:
		return command.Usage("say which quarantined events: --all goes with neither --place nor --code")
	case !c.all && !narrow && c.source == "" && c.destination == "":
		return command.Usage("say which quarantined events: --source, --destination, --place, --code or --all")
	}
	control, err := k.Connect()
	if err != nil {
		return err
	}
	chosen, err := matching(ctx, control, c)
	if err != nil {
		return err
	}
	if m.action == capability.DiscardQuarantine && len(chosen) > 1 {
		return command.Usage("name the workspace with --workspace; %s", console.ThereAre("workspaces", chosen, func(w remote.Workspace) string { return w.Name }))
	}
	if c.dry {
		return k.countBroken(ctx, control, chosen, c)
	}
	return k.move(ctx, control, chosen, c, m)
}

// matching returns the workspaces that c means: those that have its source and its
// destination.
func matching(ctx context.Context, control *remote.Control, c choice) ([]remote.Workspace, error) {
	chosen, err := console.Choose(ctx, control, c.workspace)
	if err == nil && c.destination != "" {
		chosen, err = console.Having(chosen, c.destination)
	}
	if err != nil || c.source == "" {
		return chosen, err
	}
	var sources []remote.Source
	for _, w := range chosen {
		sources = append(sources, w.Sources...)
	}
	chosen = slices.DeleteFunc(chosen, func(w remote.Workspace) bool {
		return !slices.ContainsFunc(w.Sources, func(s remote.Source) bool { return s.Name == c.source || string(s.ID) == c.source })
	})
	if len(chosen) == 0 {
		return nil, fault.New(fault.Missing, "there is no source %s; %s", c.source, console.ThereAre("sources", sources, func(s remote.Source) string { return s.Name }))
	}
	return chosen, nil
}

// countBroken counts what is chosen, by reason.
func (k invocation) countBroken(ctx context.Context, control *remote.Control, chosen []remote.Workspace, c choice) error {
	counts, total := map[string]uint64{}, uint64(0)
	for _, w := range chosen {
		err := eachBroken(ctx, control, w, c, func(d remote.Dead) {
			counts[d.Code]++
			total++
		})
		if err != nil {
			return fmt.Errorf("list events of workspace %s: %w", w.Name, err)
		}
	}
	if k.Output != console.AsTable {
		return k.Print(map[string]any{"events": total, "codes": counts})
	}
	if total == 0 {
		k.Say("No quarantined events are chosen.")
		return nil
	}
	t := console.Table{Head: []string{"CODE", "EVENTS"}}
	for _, code := range slices.Sorted(maps.Keys(counts)) {
		t.Add(code, fmt.Sprint(counts[code]))
	}
	return t.Write(k.Out)
}

// eachBroken calls do with the quarantined events of a workspace that c means.
func eachBroken(ctx context.Context, control *remote.Control, w remote.Workspace, c choice, do func(remote.Dead)) error {
	var view *remote.View
	var got time.Time
	for cursor := ""; ; {
		if view == nil || time.Since(got) > renewAfter {
			var err error
			got = time.Now()
			if view, err = control.View(ctx, w.Name, capability.ReadQuarantine); err != nil {
				return err
			}
		}
		items, next, err := view.Held(ctx, true, c.source, deadPage, cursor)
		if err != nil {
			return err
		}
		for _, d := range items {
			if (c.code == "" || d.Code == c.code) && (c.destination == "" || console.DestinationID(w, d.Destination) != "" && console.DestinationID(w, d.Destination) == console.DestinationID(w, c.destination)) &&
				(len(c.places) == 0 || slices.Contains(c.places, d.Place)) {
				do(d)
			}
		}
		if next == "" || next == cursor {
			return nil
		}
		cursor = next
	}
}
