package events

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"
	"weir/shared/capability"
	"weir/shared/command"
)

// deadPage is how many dead letters one call asks for.
const deadPage = 100

// choice is which dead letters a command means.
type choice struct {
	workspace, destination, source, code string
	parked, quarantined                  bool
	places                               []string
	all, retransform, dry, detach        bool
	limit, rate                          int
}

// selection is what a job moves of a workspace.
func (c choice) selection(w remote.Workspace) remote.Selection {
	return remote.Selection{
		Source: c.source, Destination: string(console.DestinationID(w, c.destination)), Places: append([]string{}, c.places...),
		Code: c.code, All: c.all, Rate: c.rate, Retransform: c.retransform,
	}
}

// flags adds those of all commands that move events.
func (c *choice) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.workspace, "workspace", "", "of this workspace, where there are several")
	cmd.Flags().StringVar(&c.code, "code", "", "those with this reason")
	cmd.Flags().StringArrayVar(&c.places, "place", nil, "the one at this place; may be repeated")
	cmd.Flags().BoolVar(&c.all, "all", false, "every one")
	cmd.Flags().IntVar(&c.rate, "rate", 0, "so many events a second; 0 for as fast as the plane can")
	cmd.Flags().BoolVar(&c.detach, "detach", false, "begin the job, and do not wait until it is done")
}

// ways is what the help of all these commands says of jobs.
const ways = `

The plane does it as a job, which goes on when this command is interrupted and when the
plane restarts: 'weir jobs' shows and stops it. What comes after its begin is not moved.`

// page asks for a page of what c means: dead letters, or what is parked or
// quarantined.
func (c choice) page(ctx context.Context, view *remote.View, w remote.Workspace, limit int, cursor string) ([]remote.Dead, string, error) {
	switch {
	case c.parked:
		return view.Held(ctx, false, string(console.DestinationID(w, c.destination)), limit, cursor)
	case c.quarantined:
		return view.Held(ctx, true, c.source, limit, cursor)
	}
	return view.Dead(ctx, c.source, string(console.DestinationID(w, c.destination)), c.code, limit, cursor)
}

// check says what is wrong with a choice of events to list.
func (c choice) check() error {
	switch {
	case c.limit < 1:
		return command.Usage("--limit must be at least 1")
	case c.parked && c.quarantined:
		return command.Usage("choose one of --parked and --quarantined")
	case (c.parked || c.quarantined) && c.code != "":
		return command.Usage("--code is for dead letters only")
	case c.quarantined && c.destination != "":
		return command.Usage("quarantined events are listed by --source")
	case c.parked && c.source != "":
		return command.Usage("parked events are listed by --destination")
	}
	return nil
}

// noun is what is listed.
func (c choice) noun() string {
	switch {
	case c.parked:
		return "parked events"
	case c.quarantined:
		return "quarantined events"
	}
	return "dead letters"
}

// action is what a capability for the list must allow.
func (c choice) action() capability.Action {
	switch {
	case c.parked:
		return capability.ReadParked
	case c.quarantined:
		return capability.ReadQuarantine
	}
	return capability.ReadDead
}

// NewDLQ returns the command `weir dlq`.
func NewDLQ(shell *console.Console) *cobra.Command {
	return console.Group("dlq", "Dead letters: deliveries that failed for good", newDeadList(shell),
		newDeadMove(shell, "redrive", "Send dead letters again", `Puts dead letters back on the way to their destination, each in its user's order
behind what waits already. They are sent with the settings of now.

With --retransform each starts from its original, as it was before transformations:
that is accepted again, booked as replayed, and goes to this destination alone,
through the code of now. Of an event that code made several of, all are made again.
What has no connection any more stays a dead letter.`, move{capability.RedriveDead, "redrive", "moved", "%d sent again."}),
		newDeadMove(shell, "discard", "Remove dead letters for good", `Removes dead letters. They are booked as dropped and cannot be brought back.

With --quarantined it removes quarantined events. They stay booked as quarantined.`,
			move{capability.DiscardDead, "discard", "discarded", "%d discarded."}))
}

func newDeadList(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var c choice
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "list",
		Short: "List dead letters and why they failed",
		Example: `  weir dlq list
  weir dlq list --destination hook --code rejected
  weir dlq list --parked
  weir dlq list --quarantined --source web
  weir dlq list --output json | jq .event`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.check(); err != nil {
				return err
			}
			return k.listDead(cmd.Context(), c)
		},
	})
	cmd.Flags().StringVar(&c.workspace, "workspace", "", "only this workspace")
	cmd.Flags().StringVar(&c.destination, "destination", "", "only of this destination")
	cmd.Flags().StringVar(&c.code, "code", "", "only with this reason")
	cmd.Flags().BoolVar(&c.parked, "parked", false, "list instead what waits for its destination")
	cmd.Flags().BoolVar(&c.quarantined, "quarantined", false, "list instead what broke a rule")
	cmd.Flags().StringVar(&c.source, "source", "", "only what came from this source; not with --parked")
	cmd.Flags().IntVar(&c.limit, "limit", deadPage, "how many at most")
	return cmd
}

func newDeadMove(shell *console.Console, verb, short, long string, m move) *cobra.Command {
	k := invocation{shell}
	var c choice
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   verb,
		Short: short,
		Long:  long + "\n\nSay which: --place for single ones as 'weir dlq list' names them, --code for those with\na reason, --all for every one; --destination and --source narrow the choice. --dry-run says how\nmany that is." + ways,
		Example: fmt.Sprintf(`  weir dlq %[1]s --destination hook --all --dry-run
  weir dlq %[1]s --destination hook --all
  weir dlq %[1]s --source web --destination hook --all
  weir dlq %[1]s --destination hook --all --rate 500
  weir dlq %[1]s --code rejected
  weir dlq %[1]s --place 0/81/3 --place 0/82/0`, verb),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.quarantined {
				return k.moveQuarantined(cmd.Context(), c, move{capability.DiscardQuarantine, "discard-quarantined", "discarded", "discarded %d events"})
			}
			given := 0
			for _, g := range []bool{len(c.places) > 0, c.code != "", c.all} {
				if g {
					given++
				}
			}
			if given != 1 {
				return command.Usage("say which dead letters: one of --place, --code and --all")
			}
			return k.moveDead(cmd.Context(), c, m)
		},
	})
	c.flags(cmd)
	cmd.Flags().StringVar(&c.destination, "destination", "", "only of this destination")
	cmd.Flags().StringVar(&c.source, "source", "", "only what came from this source")
	cmd.Flags().BoolVar(&c.dry, "dry-run", false, "only say how many")
	if m.action == capability.DiscardDead {
		cmd.Flags().BoolVar(&c.quarantined, "quarantined", false, "remove instead what broke a rule")
		cmd.Example += "\n  weir dlq discard --quarantined --source web"
	}
	if m.action == capability.RedriveDead {
		cmd.Flags().BoolVar(&c.retransform, "retransform", false, "start from the originals, through the transformations of now")
		cmd.Example += "\n  weir dlq redrive --destination hook --code rejected_400 --retransform"
	}
	return cmd
}

// deadRow is a dead letter as it is printed, with the workspace it is in.
type deadRow struct {
	Workspace string `json:"workspace"`
	remote.Dead
}

func (k invocation) listDead(ctx context.Context, c choice) error {
	control, err := k.Connect()
	if err != nil {
		return err
	}
	chosen, err := matching(ctx, control, c)
	if err != nil {
		return err
	}
	var rows []deadRow
	more := false
	for _, w := range chosen {
		view, err := control.View(ctx, w.Name, c.action())
		if err != nil {
			return err
		}
		cursor := ""
		for !more {
			items, next, err := c.page(ctx, view, w, min(deadPage, c.limit-len(rows)+1), cursor)
			if err != nil {
				return fmt.Errorf("list events of workspace %s: %w", w.Name, err)
			}
			for _, d := range items {
				rows = append(rows, deadRow{w.Name, nameDead(w, d)})
			}
			more = len(rows) > c.limit
			if next == "" || next == cursor {
				break
			}
			cursor = next
		}
	}
	rows = rows[:min(len(rows), c.limit)]
	if more {
		defer k.Note("There are more: raise --limit, or narrow the choice with --destination or --code.")
	}
	return k.printDead(rows, c.noun())
}

func nameDead(w remote.Workspace, d remote.Dead) remote.Dead {
	for _, s := range w.Sources {
		if d.Source == string(s.ID) {
			d.Source = s.Name
		}
	}
	d.Destination = destinationName(w, d.Destination)
	return d
}

func (k invocation) printDead(rows []deadRow, noun string) error {
	if k.Output != console.AsTable {
		return console.PrintEach(k.Console, rows)
	}
	if len(rows) == 0 {
		k.Say("No %s.", noun)
		return nil
	}
	t := console.Table{Head: []string{"WORKSPACE", "PLACE", "AT", "SOURCE", "DESTINATION", "MESSAGE ID", "CODE", "STATUS", "DETAIL"}}
	for _, r := range rows {
		status := "-"
		if r.Status != 0 {
			status = fmt.Sprint(r.Status)
		}
		t.Add(r.Workspace, r.Place, r.At.Local().Format(time.DateTime), r.Source, r.Destination, console.OneLine(r.MessageID, 40), r.Code, status, console.Dash(console.OneLine(r.Detail, 60)))
	}
	return t.Write(k.Out)
}

func (k invocation) moveDead(ctx context.Context, c choice, m move) error {
	control, err := k.Connect()
	if err != nil {
		return err
	}
	w, err := only(ctx, control, c)
	if err != nil {
		return err
	}
	if !c.dry {
		return k.move(ctx, control, []remote.Workspace{w}, c, m)
	}
	view, err := control.View(ctx, w.Name, m.action)
	if err != nil {
		return err
	}
	n, err := view.Count(ctx, m.verb, c.selection(w))
	if err != nil {
		return fmt.Errorf("dead letters of workspace %s: %w", w.Name, err)
	}
	if k.Output != console.AsTable {
		return k.Print(map[string]uint64{"chosen": n})
	}
	k.Say("%d would be %s", n, strings.TrimPrefix(m.said, "%d "))
	return nil
}

// only returns the one workspace that a choice is about.
func only(ctx context.Context, control *remote.Control, c choice) (remote.Workspace, error) {
	chosen, err := matching(ctx, control, c)
	if err != nil {
		return remote.Workspace{}, err
	}
	if len(chosen) > 1 {
		return remote.Workspace{}, command.Usage("name the workspace with --workspace; %s", console.ThereAre("workspaces", chosen, func(w remote.Workspace) string { return w.Name }))
	}
	return chosen[0], nil
}
