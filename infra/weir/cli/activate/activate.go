// Package activate is the commands about models and syncs. What they show of runs and rows
// comes from the workspace's data plane directly.
package activate

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
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

// run is the books of a run.
type run struct {
	ID       string     `json:"id"`
	State    string     `json:"state"`
	Code     string     `json:"code"`
	Began    time.Time  `json:"began"`
	Ended    *time.Time `json:"ended"`
	Planned  int64      `json:"planned"`
	Accepted int64      `json:"accepted"`
	Rejected int64      `json:"rejected"`
	Invalid  int64      `json:"invalid"`
	Removed  int64      `json:"removed"`
	Waiting  int64      `json:"waiting"`
}

// row is a sync as a plane shows it.
type row struct {
	Workspace   string     `json:"workspace"` // the plane says nothing of it
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	Model       string     `json:"model"`
	Destination string     `json:"destination"`
	Object      string     `json:"object"`
	Mode        string     `json:"mode"`
	State       string     `json:"state"`
	Paused      bool       `json:"paused"`
	Next        *time.Time `json:"next"`
	Detail      string     `json:"detail"`
	Run         *run       `json:"run"`
	Rows        *int64     `json:"rows,omitempty"`
}

// reject is a row that a destination did not take.
type reject struct {
	Key         string            `json:"key"`
	Identifiers map[string]string `json:"identifiers,omitempty"`
	Op          string            `json:"op"`
	Code        string            `json:"code"`
	Tries       int64             `json:"tries"`
	Due         time.Time         `json:"due"`
	Waived      bool              `json:"waived"`
	At          time.Time         `json:"at"`
}

// NewSync returns the command `weir sync`.
func NewSync(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	return console.Group("sync", "Rows of models that are kept in destinations",
		k.list(), k.status(), k.run(), k.approve(), k.rejects(), k.preview(),
		k.change("pause SYNC", "Stop a sync until it is resumed", "Stops a sync; what its run sent counts, and the next run does the rest.", "pause"),
		k.change("resume SYNC", "Let a paused sync run again", "Lets a paused sync run again, at once where its run was stopped.", "resume"))
}

// command makes a command about one sync.
func (k invocation) command(cmd *cobra.Command, do func(ctx context.Context, control *remote.Control, w, sync string) error) *cobra.Command {
	workspace := ""
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		control, err := k.Connect()
		if err != nil {
			return err
		}
		w, err := k.having(cmd.Context(), control, workspace, args[0])
		if err != nil {
			return err
		}
		return do(cmd.Context(), control, w, args[0])
	}
	cmd = k.RemoteFlags(cmd)
	cmd.Flags().StringVar(&workspace, "workspace", "", "of this workspace, where several have such a sync")
	return cmd
}

// having finds the workspace with a sync.
func (k invocation) having(ctx context.Context, control *remote.Control, workspace, sync string) (string, error) {
	rows, err := k.rows(ctx, control, workspace)
	if err != nil {
		return "", err
	}
	found := ""
	for _, r := range rows {
		if r.Name != sync && r.ID != sync {
			continue
		}
		if found != "" {
			return "", command.Usage("name the workspace with --workspace: %s and %s have a sync %s", found, r.Workspace, sync)
		}
		found = r.Workspace
	}
	if found == "" {
		return "", fault.New(fault.Missing, "there is no sync %s; 'weir sync list' shows what there is", sync)
	}
	return found, nil
}

// rows lists the syncs of the given workspace, or of all.
func (k invocation) rows(ctx context.Context, control *remote.Control, workspace string) (rows []row, err error) {
	chosen, err := console.Choose(ctx, control, workspace)
	if err != nil {
		return nil, err
	}
	for _, w := range chosen {
		view, err := control.View(ctx, w.Name, capability.ReadSyncs)
		if err != nil {
			return nil, err
		}
		var out struct{ Syncs []row }
		if err := view.Ask(ctx, http.MethodGet, "/v1/syncs", nil, &out); err != nil {
			return nil, fmt.Errorf("list syncs of workspace %s: %w", w.Name, err)
		}
		for _, r := range out.Syncs {
			r.Workspace = w.Name
			rows = append(rows, r)
		}
	}
	return rows, nil
}

func (k invocation) list() *cobra.Command {
	workspace := ""
	cmd := k.RemoteFlags(&cobra.Command{
		Use:     "list",
		Short:   "List syncs, and how their last runs ended",
		Long:    "Lists syncs, and how their last runs ended.",
		Example: "  weir sync list\n  weir sync list --workspace acme --output json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			rows, err := k.rows(cmd.Context(), control, workspace)
			if err != nil {
				return err
			}
			if len(rows) == 0 && k.Output == console.AsTable {
				k.Say("No syncs: 'syncs:' in a configuration declares them.")
				return nil
			}
			return k.print(rows)
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "only this workspace")
	return cmd
}

func (k invocation) print(rows []row) error {
	if k.Output != console.AsTable {
		return console.PrintEach(k.Console, rows)
	}
	t := console.Table{Head: []string{"WORKSPACE", "SYNC", "MODEL", "DESTINATION", "OBJECT", "STATE", "CODE", "PLANNED", "ACCEPTED", "REJECTED", "INVALID", "WAITING", "BEGAN", "NEXT"}}
	for _, r := range rows {
		last := run{}
		began, next := "-", "-"
		if r.Run != nil {
			last, began = *r.Run, console.Since(&r.Run.Began, time.Now())
		}
		if r.Next != nil {
			next = r.Next.UTC().Format(time.RFC3339)
		}
		n := func(n int64) string { return strconv.FormatInt(n, 10) }
		t.Add(r.Workspace, r.Name, r.Model, r.Destination, r.Object, r.State, console.Dash(last.Code), n(last.Planned), n(last.Accepted), n(last.Rejected), n(last.Invalid), n(last.Waiting), began, next)
	}
	return t.Write(k.Out)
}

// one returns one sync.
func (k invocation) one(ctx context.Context, control *remote.Control, w, sync string) (row, error) {
	rows, err := k.rows(ctx, control, w)
	for _, r := range rows {
		if r.Name == sync || r.ID == sync {
			return r, nil
		}
	}
	if err == nil {
		err = fault.New(fault.Missing, "there is no sync %s in workspace %s", sync, w)
	}
	return row{}, err
}

func (k invocation) status() *cobra.Command {
	return k.command(&cobra.Command{
		Use:     "status SYNC",
		Short:   "Say how a sync is, and what its last run did",
		Long:    "Says how a sync is, what its last run did, and what a held or failed one needs.",
		Example: "  weir sync status contacts",
	}, func(ctx context.Context, control *remote.Control, w, sync string) error {
		r, err := k.one(ctx, control, w, sync)
		if err != nil {
			return err
		}
		if err := k.print([]row{r}); err != nil {
			return err
		}
		if r.Run != nil && r.Run.Code == "sync_model" {
			if r.Detail, err = said(ctx, control, w, sync, r.Detail); err != nil {
				return err
			}
		}
		k.explain(r)
		return nil
	})
}

// said is what the warehouse says against a sync's model, for who may read rows; others get a remedy.
func said(ctx context.Context, control *remote.Control, w, sync, remedy string) (string, error) {
	view, err := control.View(ctx, w, capability.Query)
	var out struct{ Said string }
	if err == nil {
		err = view.Ask(ctx, http.MethodGet, "/v1/syncs/"+url.PathEscape(sync)+"/said", nil, &out)
	}
	if kind := fault.KindOf(err); err == nil && out.Said != "" {
		return out.Said, nil
	} else if err == nil || kind == fault.Denied || kind == fault.Missing { // a plane of old says it at once
		return remedy, nil
	}
	return "", err
}

// explain says what a sync needs.
func (k invocation) explain(r row) {
	if r.Run == nil {
		return
	}
	switch r.Run.Code {
	case "sync_removals":
		k.Note("weir: held: the run would remove %d records, more than a fifth. 'weir sync approve %s' agrees.", r.Run.Removed, r.Name)
	case "sync_mapping":
		k.Note("weir: held: the mapping changed. 'weir sync approve %s --mapping resend' sends all rows again, '--mapping assume' takes them as sent.", r.Name)
	case "sync_model":
		k.Note("weir: the warehouse refuses the model, or a column of the sync: %s", console.OneLine(r.Detail, 400))
	case "sync_gone":
		k.Note("weir: the model, its warehouse or the destination is not there, or disabled.")
	case "sync_unexplained":
		k.Note("weir: not all rows of the run are accounted for; the next run compares anew.")
	}
	if r.Run.Rejected+r.Run.Waiting > 0 {
		k.Note("weir: the destination does not take some rows: 'weir sync rejects %s' says why.", r.Name)
	}
	if r.Run.Invalid > 0 {
		k.Note("weir: %d rows of the model have no key, or one that others have; they are not sent.", r.Run.Invalid)
	}
}

// act has a plane change something about a sync.
func (k invocation) act(ctx context.Context, control *remote.Control, w, sync, verb string, body any) (row, error) {
	view, err := control.View(ctx, w, capability.RunSyncs)
	if err != nil {
		return row{}, err
	}
	var r row
	if err := view.Ask(ctx, http.MethodPost, "/v1/syncs/"+url.PathEscape(sync)+"/"+verb, body, &r); err != nil {
		return row{}, fmt.Errorf("%s %s of workspace %s: %w", verb, sync, w, err)
	}
	r.Workspace = w
	return r, nil
}

func (k invocation) change(use, short, long, verb string) *cobra.Command {
	return k.command(&cobra.Command{Use: use, Short: short, Long: long, Example: "  weir sync " + verb + " contacts"},
		func(ctx context.Context, control *remote.Control, w, sync string) error {
			r, err := k.act(ctx, control, w, sync, verb, struct{}{})
			if err != nil {
				return err
			}
			return k.print([]row{r})
		})
}

func (k invocation) run() *cobra.Command {
	wait := false
	cmd := k.command(&cobra.Command{
		Use:     "run SYNC",
		Short:   "Let a run begin now",
		Long:    "Lets a run begin now. With --wait it shows progress until the run ended, and fails unless it completed.",
		Example: "  weir sync run contacts\n  weir sync run contacts --wait",
	}, func(ctx context.Context, control *remote.Control, w, sync string) error {
		before, err := k.one(ctx, control, w, sync)
		if err != nil {
			return err
		}
		r, err := k.act(ctx, control, w, sync, "run", struct{}{})
		if err != nil || !wait {
			return errorOr(err, func() error { return k.print([]row{r}) })
		}
		return k.attend(ctx, control, before)
	})
	cmd.Flags().BoolVar(&wait, "wait", false, "until the run ended")
	return cmd
}

func errorOr(err error, then func() error) error {
	if err != nil {
		return err
	}
	return then()
}

// Times of attend: between looks.
const (
	firstLook = 50 * time.Millisecond
	lastLook  = time.Second
)

// attend shows how far the run after before is until it ended.
func (k invocation) attend(ctx context.Context, control *remote.Control, before row) error {
	bar := k.Progress("sync")
	defer bar.End()
	last := ""
	if before.Run != nil {
		last = before.Run.ID
	}
	for look := firstLook; ; look = min(2*look, lastLook) {
		r, err := k.one(ctx, control, before.Workspace, before.ID)
		switch {
		case err != nil && fault.KindOf(err) != fault.Unavailable:
			return err
		case err == nil && r.Run != nil && r.Run.ID != last && r.State != "running":
			bar.End()
			if err := k.print([]row{r}); err != nil {
				return err
			}
			if k.explain(r); r.Run.State != "completed" {
				return fault.New(fault.Unavailable, "the run of %s is %s: %s", r.Name, r.Run.State, r.Run.Code)
			}
			return nil
		case err == nil && r.Run != nil && r.Run.ID != last:
			bar.Show(int(r.Run.Accepted+r.Run.Rejected), int(r.Run.Planned), r.Run.Code)
		}
		if !delay.For(ctx, look) {
			return fault.New(fault.Unavailable, "the run goes on without this command: 'weir sync status %s' says how far it is", before.Name)
		}
	}
}

func (k invocation) approve() *cobra.Command {
	mapping := ""
	cmd := k.command(&cobra.Command{
		Use:   "approve SYNC",
		Short: "Agree to what holds a sync",
		Long: `Agrees to what holds a sync, and lets its run begin: to the removals that were found,
or to a mapping that changed.`,
		Example: "  weir sync approve contacts\n  weir sync approve contacts --mapping resend",
	}, func(ctx context.Context, control *remote.Control, w, sync string) error {
		r, err := k.act(ctx, control, w, sync, "approve", map[string]string{"mapping": mapping})
		if err != nil {
			return err
		}
		return k.print([]row{r})
	})
	cmd.Flags().StringVar(&mapping, "mapping", "", "where the mapping changed: resend all rows, or assume that the destination has them")
	return cmd
}

func (k invocation) rejects() *cobra.Command {
	limit, retry, waive, code := 100, false, false, ""
	cmd := k.command(&cobra.Command{
		Use:   "rejects SYNC",
		Short: "List rows that a destination did not take, and why",
		Long: `Lists rows that a destination did not take, the newest first. They are tried again when
they change, and by runs once they are due. --retry makes them due now and lets a run begin,
--waive keeps them from being tried before they change; --code chooses some.`,
		Example: "  weir sync rejects contacts\n  weir sync rejects contacts --retry --code rejected_422",
	}, func(ctx context.Context, control *remote.Control, w, sync string) error {
		if retry && waive {
			return command.Usage("--retry or --waive, not both")
		}
		if retry || waive {
			verb := map[bool]string{true: "retry", false: "waive"}[retry]
			r, err := k.act(ctx, control, w, sync, verb, map[string]string{"code": code})
			if err == nil && k.Output == console.AsTable && r.Rows != nil {
				k.Say("%d rejected rows: %s", *r.Rows, verb)
				return nil
			}
			return errorOr(err, func() error { return k.print([]row{r}) })
		}
		return k.showRejects(ctx, control, w, sync, limit, code)
	})
	cmd.Flags().IntVar(&limit, "limit", limit, "how many, at most 10000")
	cmd.Flags().BoolVar(&retry, "retry", false, "try them again now")
	cmd.Flags().BoolVar(&waive, "waive", false, "do not try them again before they change")
	cmd.Flags().StringVar(&code, "code", "", "only those with this code")
	return cmd
}

func (k invocation) showRejects(ctx context.Context, control *remote.Control, w, sync string, limit int, code string) error {
	view, err := control.View(ctx, w, capability.Query)
	if err != nil {
		return err
	}
	var out struct{ Rejects []reject }
	if err := view.Ask(ctx, http.MethodGet, "/v1/syncs/"+url.PathEscape(sync)+"/rejects?limit="+strconv.Itoa(limit), nil, &out); err != nil {
		return fmt.Errorf("rejects of %s of workspace %s: %w", sync, w, err)
	}
	var rows []reject
	for _, r := range out.Rejects {
		if code == "" || r.Code == code {
			rows = append(rows, r)
		}
	}
	if k.Output != console.AsTable {
		return console.PrintEach(k.Console, rows)
	}
	if len(rows) == 0 {
		k.Say("No rejected rows.")
		return nil
	}
	t := console.Table{Head: []string{"KEY", "OP", "CODE", "TRIES", "DUE", "AT"}}
	for _, r := range rows {
		due := r.Due.UTC().Format(time.RFC3339)
		if r.Waived {
			due = "waived"
		}
		t.Add(command.Clean(r.Key), r.Op, r.Code, strconv.FormatInt(r.Tries, 10), due, console.Since(&r.At, time.Now()))
	}
	return t.Write(k.Out)
}

func (k invocation) preview() *cobra.Command {
	limit := 10
	cmd := k.command(&cobra.Command{
		Use:     "preview SYNC",
		Short:   "Print some rows as they would be sent",
		Long:    "Prints some rows of the model as the events that the destination would get. Nothing is sent.",
		Example: "  weir sync preview contacts --limit 3",
	}, func(ctx context.Context, control *remote.Control, w, sync string) error {
		view, err := control.View(ctx, w, capability.Query)
		if err != nil {
			return err
		}
		var out struct{ Events []json.RawMessage }
		if err := view.Ask(ctx, http.MethodGet, "/v1/syncs/"+url.PathEscape(sync)+"/preview?limit="+strconv.Itoa(limit), nil, &out); err != nil {
			return fmt.Errorf("preview %s of workspace %s: %w", sync, w, err)
		}
		for _, e := range out.Events {
			if _, err := fmt.Fprintf(k.Out, "%s\n", e); err != nil {
				return err
			}
		}
		return nil
	})
	cmd.Flags().IntVar(&limit, "limit", limit, "how many, at most 100")
	return cmd
}
