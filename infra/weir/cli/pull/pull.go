// Package pull is the command `weir pull`: what the planes say of the sources that they
// pull, and what a person does to their streams.
package pull

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"
	"weir/shared/capability"
	"weir/shared/command"
	"weir/shared/delay"
	"weir/shared/fault"
)

// invocation is one execution of a command.
type invocation struct{ *console.Console }

// New returns the command `weir pull`.
func New(shell *console.Console) *cobra.Command {
	return console.Group("pull", "Sources whose rows are pulled",
		newStatus(shell),
		newVerb(shell, "run", "Pull now", "Has a source pulled at once, or one of its streams. With --wait it ends when the rows are durable in the plane.", `  weir pull run desk
  weir pull run desk tickets --wait`),
		newVerb(shell, "pause", "Stop pulling until it is resumed", "What was pulled stays; the stream goes on where it is when it is resumed.", "  weir pull pause desk tickets"),
		newVerb(shell, "resume", "Go on with what was paused", "Goes on where the stream was paused.", "  weir pull resume desk"),
		newVerb(shell, "reset", "Pull everything anew", `Forgets how far the streams are: all rows are pulled again. Warehouses keep one row for
each key, so none is doubled.`, "  weir pull reset desk tickets"),
		newBackfill(shell))
}

// pull is one stream of a source whose rows are pulled. States: pending, running, waiting,
// limited, paused, failing, disabled.
type pull struct {
	Source  string          `json:"source"`
	Stream  string          `json:"stream"`
	Type    string          `json:"type"`
	State   string          `json:"state"`
	Code    string          `json:"code"`
	Detail  string          `json:"detail"`
	Rows    int64           `json:"rows"`
	Deleted int64           `json:"deleted"`
	Deletes string          `json:"deletes"` // what is seen of deleted rows: flag, feed or unseen
	From    string          `json:"from"`    // the window that is read
	At      string          `json:"at"`
	To      string          `json:"to"`
	Done    *float64        `json:"done"` // how much of the window is read, 0 to 1
	Began   *time.Time      `json:"began"`
	Ended   *time.Time      `json:"ended"`
	Next    *time.Time      `json:"next"`
	Fields  []string        `json:"fields"`           // seen at the top of rows
	Behind  *behind         `json:"behind,omitempty"` // of streams of changes
	Cursor  json.RawMessage `json:"cursor,omitempty"`
}

// behind is how far a stream of changes is behind its source: bytes that wait, for how many
// seconds, and how many bytes the source keeps for it.
type behind struct {
	Bytes   int64  `json:"bytes"`
	Seconds int64  `json:"seconds"`
	Kept    int64  `json:"kept"`
	Limit   int64  `json:"limit"`
	State   string `json:"state"` // in the source's word
	Code    string `json:"code"`
}

// String is a column of a table.
func (b *behind) String() string {
	if b == nil {
		return "-"
	}
	said := fmt.Sprintf("%s, %d s, %s", size(b.Bytes), b.Seconds, b.State)
	if b.Code != "" {
		said += " (" + b.Code + ")"
	}
	return said
}

// size is a number of bytes in words.
func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

// pulls is an answer of a plane.
type pulls struct {
	Pulls []pull `json:"pulls"`
}

// row is a stream as it is printed, with the workspace it is in.
type row struct {
	Workspace string `json:"workspace"`
	pull
}

func newStatus(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	workspace := ""
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "status [SOURCE]",
		Short: "Say how far each stream is, and what holds it up",
		Long: `Lists the streams of the sources that are pulled: what state they are in, how far the
window is read that is being read, and why one is failing:

  source_reauthorize   the vendor refuses the credentials: apply new ones
  source_unreachable   the vendor does not answer; it is tried again
  source_refused       the vendor refuses the request
  source_answer        the vendor's answer is not what the kind expects
  source_no_stream     the account has no such stream
  source_held          the plane takes no rows now; it goes on by itself

DELETES is what is seen of deleted rows: a flag in the row, a feed, or nothing (unseen).
BEHIND is how much of a stream of changes waits at its source, for how long, and what the
source says of the changes that it keeps: of a slot of Postgres its wal_status. A slot that
is far behind, or lost, has a code: source_slot_behind, source_slot_lost.`,
		Example: `  weir pull status
  weir pull status desk --output json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			source := ""
			if len(args) > 0 {
				source = args[0]
			}
			rows, err := k.rows(cmd.Context(), workspace, source)
			if err != nil {
				return err
			}
			if len(rows) == 0 && k.Output == console.AsTable {
				k.Say("Nothing is pulled: a source of a kind with streams is; 'weir catalog --family source' shows which there are.")
				return nil
			}
			return k.print(rows)
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "only this workspace")
	return cmd
}

func (k invocation) rows(ctx context.Context, workspace, source string) (rows []row, err error) {
	control, err := k.Connect()
	if err != nil {
		return nil, err
	}
	chosen, err := console.Choose(ctx, control, workspace)
	if err != nil {
		return nil, err
	}
	for _, w := range chosen {
		view, err := control.View(ctx, w.Name, capability.ReadPulls)
		if err != nil {
			return nil, err
		}
		var all pulls
		if err := view.Pulls(ctx, &all); err != nil {
			return nil, fmt.Errorf("pulls of workspace %s: %w", w.Name, err)
		}
		for _, p := range all.Pulls {
			if source == "" || p.Source == source {
				rows = append(rows, row{w.Name, p})
			}
		}
	}
	if source != "" && len(rows) == 0 {
		return nil, fault.New(fault.Missing, "no source %s is pulled; 'weir pull status' shows what there is", source)
	}
	return rows, nil
}

// newVerb is a command that does something to a source or a stream of it.
func newVerb(shell *console.Console, verb, short, long, example string) *cobra.Command {
	k := invocation{shell}
	workspace, wait := "", false
	cmd := k.RemoteFlags(&cobra.Command{
		Use: verb + " SOURCE [STREAM]", Short: short, Long: long, Example: example,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return k.do(cmd.Context(), workspace, verb, args, "", wait)
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "the workspace, when there are several")
	if verb != "pause" {
		cmd.Flags().BoolVar(&wait, "wait", false, "until the run has ended")
	}
	return cmd
}

func newBackfill(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	workspace, from, wait := "", "", false
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "backfill SOURCE [STREAM] --from DAY",
		Short: "Pull again what changed since a day",
		Long: `Begins the streams anew with the rows that changed since a day, UTC, and goes on from
there. 'weir pull status' shows how much of it is read.`,
		Example: "  weir pull backfill desk tickets --from 2025-01-31",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			day, err := time.Parse(time.DateOnly, from)
			if err != nil {
				return command.Usage("--from is a day such as 2025-01-31")
			}
			return k.do(cmd.Context(), workspace, "backfill", args, day.Format(time.RFC3339), wait)
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "the workspace, when there are several")
	cmd.Flags().StringVar(&from, "from", "", "the day")
	cmd.Flags().BoolVar(&wait, "wait", false, "until the run has ended")
	return cmd
}

// do does a verb to the streams of a source and prints them.
func (k invocation) do(ctx context.Context, workspace, verb string, args []string, from string, wait bool) error {
	stream := ""
	if len(args) > 1 {
		stream = args[1]
	}
	rows, err := k.rows(ctx, workspace, args[0])
	if err != nil {
		return err
	}
	w := rows[0].Workspace
	for _, r := range rows {
		if r.Workspace != w {
			return command.Usage("several workspaces have a source %s: name one with --workspace", args[0])
		}
	}
	control, err := k.Connect()
	if err != nil {
		return err
	}
	view, err := control.View(ctx, w, capability.ChangePulls)
	if err != nil {
		return err
	}
	asked := time.Now()
	var answer pulls
	if err := view.ChangePull(ctx, verb, args[0], stream, from, &answer); err != nil {
		return fmt.Errorf("%s %s of workspace %s: %w", verb, args[0], w, err)
	}
	all := answer.Pulls
	if wait {
		if all, err = k.attend(ctx, control, w, args[0], stream, before(all, asked)); err != nil {
			return err
		}
	}
	rows = rows[:0]
	for _, p := range all {
		rows = append(rows, row{w, p})
	}
	return k.print(rows)
}

// before is when the last runs of streams had ended, by stream.
func before(all []pull, now time.Time) map[string]time.Time {
	ended := map[string]time.Time{}
	for _, p := range all {
		if p.Ended != nil && p.Ended.Before(now) {
			ended[p.Stream] = *p.Ended
		}
	}
	return ended
}

// How often a run is looked at, and for how long a capability serves.
const (
	look       = 300 * time.Millisecond
	renewAfter = 2 * time.Minute
)

// attend waits until runs that began after what ended has to say end, too.
func (k invocation) attend(ctx context.Context, control *remote.Control, w, source, stream string, ended map[string]time.Time) ([]pull, error) {
	var view *remote.View
	var got time.Time
	for {
		if view == nil || time.Since(got) > renewAfter {
			var err error
			if view, err = control.View(ctx, w, capability.ReadPulls); err != nil {
				return nil, err
			}
			got = time.Now()
		}
		var all pulls
		err := view.Pulls(ctx, &all)
		if err != nil && fault.KindOf(err) != fault.Unavailable {
			return nil, err
		}
		var mine []pull
		done := err == nil
		for _, p := range all.Pulls {
			if p.Source != source || stream != "" && p.Stream != stream {
				continue
			}
			mine = append(mine, p)
			if p.State == "failing" && p.Code != "source_no_stream" {
				return nil, fault.New(fault.Unavailable, "%s %s is held up: %s", source, p.Stream, p.Code)
			}
			done = done && (p.Code == "source_no_stream" || p.State == "paused" || p.Ended != nil && p.Ended.After(ended[p.Stream]))
		}
		if done {
			return mine, nil
		}
		if !delay.For(ctx, look) {
			return nil, fault.New(fault.Unavailable, "stopped waiting; the pull goes on")
		}
	}
}

func (k invocation) print(rows []row) error {
	if k.Output != console.AsTable {
		return console.PrintEach(k.Console, rows)
	}
	t := console.Table{Head: []string{"WORKSPACE", "SOURCE", "STREAM", "STATE", "ROWS", "DELETED", "DELETES", "READ", "UP TO", "ENDED", "NEXT", "BEHIND", "CODE"}}
	for _, r := range rows {
		done, upTo := "-", r.From
		if r.To != "" {
			if upTo = r.At; r.Done != nil {
				done = fmt.Sprintf("%.0f %%", 100**r.Done)
			}
		}
		next := "-"
		if r.Next != nil && r.Next.After(time.Now()) {
			next = "in " + time.Until(*r.Next).Round(time.Second).String()
		}
		t.Add(r.Workspace, r.Source, r.Stream, r.State, strconv.FormatInt(r.Rows, 10), strconv.FormatInt(r.Deleted, 10), r.Deletes, done, console.Dash(upTo), console.Since(r.Ended, time.Now()), next, r.Behind.String(), console.Dash(r.Code))
	}
	return t.Write(k.Out)
}
