package loads

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

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
	workspace, dry, sure, detach := "", false, false, false
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "erase TYPE:VALUE...",
		Short: "Remove a person from everywhere the planes of a workspace keep them",
		Long: `Removes what the planes of a workspace keep of a person: rows of all tables of all
warehouses, with what waits to be loaded; quarantined events; parked deliveries, which
are not sent; dead letters; and what profiles know. It says by place how much went.
Identifiers are of the types user_id and anonymous_id, or of those of profiles, which
also tell what further ones the person has.

The plane keeps that it is to erase the person, waits until the events that it had
accepted have left its event log, and goes on when this command is interrupted and when
the plane restarts: 'weir erase status' shows how far it is. What cannot be reached is
named, and tried again until it is done. What other destinations already have stays
there. It asks before it begins, unless --yes says so. --dry-run counts and removes
nothing.`,
		Example: `  weir erase user_id:u-17 --dry-run
  weir erase user_id:u-17 anonymous_id:a1
  weir erase user_id:u-17 --yes --detach
  weir erase status`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, view, _, err := k.decides(cmd.Context(), workspace)
			if err != nil {
				return err
			}
			if !dry && !sure {
				if !k.Asks() {
					return command.Usage("erasing cannot be taken back: say --yes, or --dry-run to count only")
				}
				said, err := k.Line("this cannot be taken back; type yes to erase the person")
				if err != nil {
					return err
				}
				if strings.TrimSpace(said) != "yes" {
					return fault.New(fault.Conflict, "nothing was erased")
				}
			}
			return k.removals(cmd.Context(), view, "/v1/erase", map[string]any{"ids": args, "dryRun": dry}, dry, detach)
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "of this workspace, where there are several")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "count, and remove nothing")
	cmd.Flags().BoolVar(&sure, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&detach, "detach", false, "begin it, and do not wait until it is done")
	cmd.AddCommand(newErasures(shell), newEraseStop(shell))
	return cmd
}

// decides returns a view of the only or the named workspace that may decide about persons.
func (k invocation) decides(ctx context.Context, workspace string) (*remote.Control, *remote.View, string, error) {
	control, err := k.Connect()
	if err != nil {
		return nil, nil, "", err
	}
	chosen, err := console.Choose(ctx, control, workspace)
	if err != nil {
		return nil, nil, "", err
	}
	if len(chosen) != 1 {
		return nil, nil, "", command.Usage("name the workspace with --workspace; %s", console.ThereAre("workspaces", chosen, func(w remote.Workspace) string { return w.Name }))
	}
	view, err := control.View(ctx, chosen[0].Name, capability.DecideProfiles)
	return control, view, chosen[0].Name, err
}

// erasure is one as a plane shows it.
type erasure struct {
	Workspace string     `json:"workspace"`
	ID        string     `json:"id"`
	State     string     `json:"state"`
	Stage     string     `json:"stage"`
	Pass      int        `json:"pass"`
	Created   time.Time  `json:"created"`
	Ended     *time.Time `json:"ended"`
	IDs       int        `json:"ids"`
	Places    []removed  `json:"places"`
	Lacks     []removed  `json:"lacks"`
}

func newErasures(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	workspace := ""
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "status [ERASURE]",
		Short: "Say how far erasures are",
		Long: `Lists the erasures of a workspace that run and the last hundred that ended, newest
first, with what went from where and what is left out. Stages: people (profiles are asked
who that is), events (the event log, parked deliveries, dead letters, quarantine), rows
(warehouses), profiles, bytes (files of warehouses are written anew without what was
removed). Codes of what is left out are those of loads and of 'weir jobs';
nobody: no profile knows the identifiers. Nothing of this says who was erased.`,
		Example: `  weir erase status
  weir erase status erasure_k7cpur3krwxn2e6l`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, view, name, err := k.decides(cmd.Context(), workspace)
			if err != nil {
				return err
			}
			var in struct{ Erasures []erasure }
			if err := view.Ask(cmd.Context(), http.MethodGet, "/v1/erasures", nil, &in); err != nil {
				return err
			}
			all := in.Erasures
			if len(args) > 0 {
				all = slices.DeleteFunc(all, func(e erasure) bool { return e.ID != args[0] })
				if len(all) == 0 {
					return fault.New(fault.Missing, "there is no erasure %s; 'weir erase status' shows what there is", args[0])
				}
			}
			for i := range all {
				all[i].Workspace = name
			}
			return k.printErasures(all)
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "of this workspace, where there are several")
	return cmd
}

func newEraseStop(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	workspace := ""
	cmd := k.RemoteFlags(&cobra.Command{
		Use:     "stop ERASURE",
		Short:   "Stop an erasure that runs",
		Long:    "Stops an erasure that runs. What it removed stays removed; the same erasure again does the rest.",
		Example: `  weir erase stop erasure_k7cpur3krwxn2e6l`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, view, name, err := k.decides(cmd.Context(), workspace)
			if err != nil {
				return err
			}
			var e erasure
			if err := view.Ask(cmd.Context(), http.MethodPost, "/v1/erasures/"+url.PathEscape(args[0])+"/stop", map[string]any{}, &e); err != nil {
				return err
			}
			e.Workspace = name
			return k.printErasures([]erasure{e})
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "of this workspace, where there are several")
	return cmd
}

func (k invocation) printErasures(all []erasure) error {
	if k.Output != console.AsTable {
		return console.PrintEach(k.Console, all)
	}
	if len(all) == 0 {
		k.Say("There are no erasures.")
		return nil
	}
	t := console.Table{Head: []string{"WORKSPACE", "ERASURE", "STATE", "STAGE", "PASS", "BEGAN", "IDS", "REMOVED", "LEFT OUT"}}
	for _, e := range all {
		sum, left := int64(0), []string{}
		for _, p := range e.Places {
			sum += p.Count
		}
		for _, l := range e.Lacks {
			left = append(left, strings.TrimSpace(l.Place+" "+l.Name)+": "+l.Code)
		}
		t.Add(e.Workspace, e.ID, e.State, console.Dash(e.Stage), fmt.Sprint(e.Pass), console.Since(&e.Created, time.Now()), fmt.Sprint(e.IDs), fmt.Sprint(sum), console.Dash(command.Clean(strings.Join(left, ", "))))
	}
	return t.Write(k.Out)
}

func newExpire(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	workspace, dry := "", false
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "expire DESTINATION",
		Short: "Remove the rows of a warehouse that are older than its retention",
		Long: `Removes the rows that are older than the settings retention and retentionOf of a warehouse
allow, by received_at, as the plane does once a day. It is a job of the plane, which goes
on when this command is interrupted and when the plane restarts: 'weir jobs list' shows it
as expire/DESTINATION. --dry-run counts and removes nothing.`,
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
			return k.removals(cmd.Context(), view, "/v1/warehouse/expire", map[string]any{"destination": string(console.DestinationID(w, args[0])), "dryRun": dry}, dry, false)
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
	Never   bool   `json:"never,omitempty"`   // it is not tried again
	Erasure string `json:"erasure,omitempty"` // of the first line alone
	Done    *bool  `json:"done,omitempty"`    // of the last line alone
	IDs     int    `json:"ids,omitempty"`
}

// about is what a person reads of a place that is left out.
func (r removed) about() string {
	switch {
	case r.Code == "":
		return fmt.Sprint(r.Count)
	case r.Code == "nobody":
		return "no profile knows these identifiers; events and rows are known by user_id and anonymous_id"
	case r.Code == "no_room":
		return "what was removed cannot be asked for, but its bytes remain in the file: the plane's disk has no room to write the file anew; make room, and erase again"
	case r.Code == "not_rewritten":
		return "what was removed cannot be asked for, but its bytes remain in the file, which could not be written anew: see docs/erasing.md"
	case r.Never:
		return "left out for good: " + r.Code
	}
	return "not yet: " + r.Code
}

// removals shows what a call removes, place by place.
func (k invocation) removals(ctx context.Context, view *remote.View, path string, in any, dry, detach bool) error {
	var all []removed
	var last *removed
	began := ""
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err := view.Lines(ctx, http.MethodPost, path, in, func(line []byte) error {
		var r removed
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("read a line of the plane: %w", err)
		}
		switch {
		case r.Erasure != "":
			if began = r.Erasure; detach {
				return errDetached
			}
			k.Note("weir: %s began; it goes on when this command is interrupted", began)
		case r.Done != nil:
			last = &r
		default:
			if all = append(all, r); k.Output == console.AsTable {
				k.Note("weir: %s %s %s: %s", r.Place, command.Clean(r.Name), command.Clean(r.Table), r.about())
			}
		}
		return nil
	})
	if errors.Is(err, errDetached) {
		if k.Output != console.AsTable {
			return k.Print(map[string]string{"erasure": began})
		}
		k.Say("%s began; 'weir erase status' shows how far it is.", began)
		return nil
	}
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
		return fault.New(fault.Unavailable, "the plane ended the call before it was done; it goes on, and 'weir erase status' or 'weir jobs list' shows how far it is")
	case !*last.Done:
		return fault.New(fault.Unavailable, "something is left out; see the codes")
	case dry:
		k.Note("weir: nothing was removed")
	}
	return nil
}

// errDetached ends an answer whose job goes on.
var errDetached = errors.New("the job goes on")
