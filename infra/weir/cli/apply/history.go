package apply

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"
	"weir/infra/weir/cli/remote/tenants"
	"weir/shared/command"
	"weir/shared/fault"
)

// the returns the workspace of that name, or, for "", the only one.
func (k invocation) the(cmd *cobra.Command, control *remote.Control, name string) (remote.Workspace, error) {
	all, err := console.Choose(cmd.Context(), control, name)
	if err != nil {
		return remote.Workspace{}, err
	}
	if len(all) > 1 {
		return remote.Workspace{}, fault.New(fault.Invalid, "say which workspace: --workspace NAME; %s", console.ThereAre("workspaces", all, func(w remote.Workspace) string { return w.Name }))
	}
	return all[0], nil
}

// NewHistory returns the command `weir history`.
func NewHistory(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var workspace string
	limit := 20
	cmd := k.RemoteFlags(&cobra.Command{
		Use: "history", Short: "Show the revisions of a workspace: who changed what, when and why",
		Args: cobra.NoArgs,
		Example: `  weir history --workspace shop
  weir history show 12 --workspace shop     what revision 12 changed
  weir rollback --to 11 --workspace shop`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > 500 {
				return command.Usage("--limit is from 1 to 500")
			}
			control, err := k.Connect()
			if err != nil {
				return err
			}
			ws, err := k.the(cmd, control, workspace)
			if err != nil {
				return err
			}
			all, err := tenants.Revisions(cmd.Context(), control, ws.Name, limit)
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return console.PrintEach(k.Console, all)
			}
			table := console.Table{Head: []string{"NUMBER", "AT", "BY", "CHANGES", "REASON"}}
			for _, r := range all {
				table.Add(strconv.FormatUint(r.Number, 10), r.At.Local().Format("2006-01-02 15:04:05"), by(r), console.Dash(Summary(r.Changes)), console.Dash(console.OneLine(r.Reason, 60)))
			}
			return table.Write(k.Out)
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "the workspace (default: the only one)")
	cmd.Flags().IntVar(&limit, "limit", limit, "how many revisions at most")
	cmd.AddCommand(k.showRevision())
	return cmd
}

// by says who made a revision, and who approved it.
func by(r tenants.Revision) string {
	if r.ApprovedBy == "" {
		return r.By
	}
	return r.By + ", approved by " + r.ApprovedBy
}

// Summary counts changes: +1 source, ~2 destination.
func Summary(changes []remote.Change) string {
	counts := map[string]int{}
	for _, c := range changes {
		counts[marks[string(c.Op)].sign+" "+string(c.Kind)]++
	}
	var out []string
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		sign, kind, _ := strings.Cut(key, " ")
		out = append(out, fmt.Sprintf("%s%d %s", sign, counts[key], kind))
	}
	return strings.Join(out, ", ")
}

func (k invocation) showRevision() *cobra.Command {
	var workspace string
	cmd := k.RemoteFlags(&cobra.Command{
		Use: "show NUMBER", Short: "Show what a revision changed",
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := strconv.ParseUint(args[0], 10, 63)
			if err != nil {
				return command.Usage("a revision is named by its number")
			}
			control, err := k.Connect()
			if err != nil {
				return err
			}
			ws, err := k.the(cmd, control, workspace)
			if err != nil {
				return err
			}
			r, err := tenants.RevisionOf(cmd.Context(), control, ws.Name, number)
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return k.Print(r)
			}
			k.Say("revision %d of %s, by %s at %s", r.Number, command.Clean(ws.Name), command.Clean(r.By), r.At.Local().Format("2006-01-02 15:04:05"))
			if r.ApprovedBy != "" {
				k.Say("approved by %s", command.Clean(r.ApprovedBy))
			}
			if r.Reason != "" {
				k.Say("%s", command.Clean(r.Reason))
			}
			return Sides(k.Console, r.Before, r.After)
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "the workspace (default: the only one)")
	return cmd
}

// Sides prints each object that a revision or a change changes, and of it each field as it
// was and as it is since; both sides are JSON of the API.
func Sides(k *console.Console, was, is json.RawMessage) error {
	type objects map[string]map[string]map[string]json.RawMessage
	var before, after objects
	for text, into := range map[*json.RawMessage]*objects{&was: &before, &is: &after} {
		if err := json.Unmarshal(*text, into); err != nil {
			return fault.New(fault.Unavailable, "the control plane sent what this program cannot read; use one of its release")
		}
	}
	show := func(kind, key string) {
		was, is := before[kind][key], after[kind][key]
		sign := "~"
		if was == nil {
			sign = "+"
		} else if is == nil {
			sign = "-"
		}
		name := is["name"]
		if name == nil {
			name = was["name"]
		}
		var called string
		_ = json.Unmarshal(name, &called) // absent: nothing
		k.Say("  %s %s %s", sign, command.Clean(kind), command.Clean(called))
		fields := maps.Clone(was)
		if fields == nil {
			fields = map[string]json.RawMessage{}
		}
		maps.Copy(fields, is)
		for _, field := range slices.Sorted(maps.Keys(fields)) {
			if string(was[field]) == string(is[field]) || field == "name" && sign != "~" {
				continue
			}
			k.Say("      %s: %s -> %s", command.Clean(field), command.Clean(console.Dash(string(was[field]))), command.Clean(console.Dash(string(is[field]))))
		}
	}
	kinds := maps.Clone(before)
	if kinds == nil {
		kinds = objects{}
	}
	maps.Copy(kinds, after)
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		keys := map[string]bool{}
		for key := range before[kind] {
			keys[key] = true
		}
		for key := range after[kind] {
			keys[key] = true
		}
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			show(kind, key)
		}
	}
	return nil
}

// NewRollback returns the command `weir rollback`.
func NewRollback(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var workspace string
	var in tenants.Rollback
	f := Flags{Timeout: time.Minute}
	cmd := k.RemoteFlags(&cobra.Command{
		Use: "rollback --to NUMBER", Short: "Bring a workspace back to what it was in a former revision",
		Long: `Makes the configuration of a former revision the next revision, by the same checks as
apply, and waits until the plane applied it. A revision with secrets whose values are
not kept any more is refused.`,
		Args:    cobra.NoArgs,
		Example: `  weir rollback --to 11 --workspace shop --message "the new endpoint loses orders"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			ws, err := k.the(cmd, control, workspace)
			if err != nil {
				return err
			}
			number, changes, request, err := tenants.RollBack(cmd.Context(), control, ws.Name, in)
			if err != nil {
				return err
			}
			p := &proposal{existing: &ws, diff: remote.Difference{Changes: changes, Number: ws.Number}}
			if request != nil {
				p.diff.Needs = request.Needs
			}
			p.Document.Workspace, p.Document.Region = ws.Name, ws.Region
			if k.Output == console.AsTable {
				k.changes(p)
			}
			o := newOutcome(ws.Name, number, changes, nil)
			o.Waits = request
			err = k.settle(cmd.Context(), control, p, &o, f)
			if k.Output != console.AsTable {
				if printed := k.Print(o); err == nil {
					err = printed
				}
			}
			return err
		},
	})
	cmd.Flags().Uint64Var(&in.To, "to", 0, "the number of the revision; see weir history")
	_ = cmd.MarkFlagRequired("to")
	cmd.Flags().StringVar(&workspace, "workspace", "", "the workspace (default: the only one)")
	cmd.Flags().StringVarP(&in.Reason, "message", "m", "", "why; kept with the revision")
	cmd.Flags().BoolVar(&in.DiscardParked, "discard-parked", false, "remove destinations also while deliveries wait for them")
	cmd.Flags().BoolVar(&f.NoWait, "no-wait", false, "do not wait until the plane applied the revision")
	cmd.Flags().DurationVar(&f.Timeout, "timeout", f.Timeout, "how long to wait for the plane")
	return cmd
}
