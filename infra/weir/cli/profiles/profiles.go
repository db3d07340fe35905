// Package profiles is the commands about profiles and audiences. They ask the view of
// the workspace's data plane: identifiers and features never pass the control plane.
package profiles

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
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
type invocation struct {
	*console.Console
	workspace, profile, entity string
}

// New returns the command `weir profiles`.
func New(shell *console.Console) *cobra.Command {
	cmd := console.Group("profiles", "Persons of a warehouse: their identifiers, features and audiences",
		newRun(shell, "run", "Run profiles without delay", false), newRun(shell, "publish", "Run profiles, whatever their gate holds", true), newStatus(shell), newPreview(shell, "preview", "feature or audience"), newRules(shell),
		newExplain(shell), newDecide(shell, "block", 1, "An identifier is nobody's"), newDecide(shell, "link", 2, "Two identifiers are one person's"),
		newDecide(shell, "unlink", 2, "The link between two identifiers does not count"),
		newReviews(shell), newDecide(shell, "same", 2, "Two identifiers are one person's, as you know: runs are judged by it"), newDecide(shell, "different", 2, "Two identifiers are two persons', as you know: runs are judged by it"), newErase(shell), newGet(shell), newKey(shell))
	cmd.Aliases = []string{"profile"}
	return cmd
}

func (k *invocation) flags(cmd *cobra.Command) *cobra.Command {
	cmd = k.RemoteFlags(cmd)
	cmd.Flags().StringVar(&k.workspace, "workspace", "", "of this workspace, where there are several")
	cmd.Flags().StringVar(&k.profile, "profiles", "", "these, where the workspace has several")
	cmd.Flags().StringVar(&k.entity, "entity", "", "of this entity, instead of the first")
	return cmd
}

// view returns the view of the chosen workspace.
func (k *invocation) view(ctx context.Context, action capability.Action) (*remote.View, remote.Workspace, error) {
	control, err := k.Connect()
	if err != nil {
		return nil, remote.Workspace{}, err
	}
	chosen, err := console.Choose(ctx, control, k.workspace)
	if err != nil {
		return nil, remote.Workspace{}, err
	}
	if len(chosen) != 1 {
		return nil, remote.Workspace{}, command.Usage("name the workspace with --workspace; %s", console.ThereAre("workspaces", chosen, func(w remote.Workspace) string { return w.Name }))
	}
	view, err := control.View(ctx, chosen[0].Name, action)
	return view, chosen[0], err
}

// ask asks the view, and returns its answer.
func (k *invocation) ask(ctx context.Context, action capability.Action, verb string, in map[string]any) (answer json.RawMessage, err error) {
	view, w, err := k.view(ctx, action)
	if err != nil {
		return nil, err
	}
	in["profile"], in["entity"] = k.profile, k.entity
	if err := view.Ask(ctx, http.MethodPost, "/v1/profiles/"+verb, in, &answer); err != nil {
		return nil, fmt.Errorf("%s profiles of workspace %s: %w", verb, w.Name, err)
	}
	return answer, nil
}

// asked is how many runs had ended in which process of the plane.
type asked struct {
	Ended   int64  `json:"ended"`
	Process string `json:"process,omitempty"` // none of planes of old
}

// status is how a profile stands.
type status struct {
	Name    string `json:"name"`
	Running bool   `json:"running"`
	Waits   bool   `json:"waits"`
	asked
	Next   *time.Time `json:"next,omitempty"`
	Lookup *struct {
		Persons int64     `json:"persons"`
		Bytes   int64     `json:"bytes"`
		Run     int64     `json:"run"`
		AsOf    time.Time `json:"asOf"`
		Code    string    `json:"code,omitempty"`
	} `json:"lookup,omitempty"`
	Last *struct {
		Run      int64           `json:"run"`
		Started  time.Time       `json:"startedAt"`
		Seconds  float64         `json:"seconds"`
		State    string          `json:"state"`
		Code     string          `json:"code,omitempty"`
		Step     string          `json:"step,omitempty"`
		Detail   string          `json:"detail,omitempty"`
		Identity json.RawMessage `json:"identity"`
		Built    map[string]struct {
			Persons int64    `json:"persons"`
			Changed int64    `json:"changed"`
			Moves   int64    `json:"moves"`
			Scores  []scored `json:"scores,omitempty"`
		} `json:"built"`
	} `json:"last,omitempty"`
	Held map[string]held `json:"held,omitempty"` // by entity
}

// scored is how a score stands.
type scored struct {
	Name    string     `json:"name"`
	Persons int64      `json:"persons"`
	Mean    *float64   `json:"mean,omitempty"`
	Drift   *float64   `json:"drift,omitempty"`
	From    *time.Time `json:"from,omitempty"`
	Live    *learned   `json:"live,omitempty"`
	Last    *learned   `json:"last,omitempty"`
	Code    string     `json:"code,omitempty"`
}

// measured is the model of which status tells: the one that was held, else the score's.
func (x scored) measured() *learned {
	if x.Code == "score_held" && x.Last != nil {
		return x.Last
	}
	return x.Live
}

// learned is a model that the plane learned.
type learned struct {
	At          time.Time `json:"at"`
	AUC         float64   `json:"auc"`
	Calibration float64   `json:"calibration"`
	Persons     int64     `json:"persons"`
	Came        int64     `json:"came"`
	Measured    int64     `json:"measured"`
	Live        bool      `json:"live"`
	Code        string    `json:"code,omitempty"`
	Lack        *lack     `json:"lack,omitempty"`
}

// lack is of what there are too few examples to learn from.
type lack struct {
	Of string `json:"of"`
	N  int64  `json:"n"`
	M  int64  `json:"m"`
}

func (l lack) words() string {
	who, known := map[string]string{"came": " for whom it came", "stayed": " for whom it did not come", "measured": " to measure with"}[l.Of]
	if !known {
		who = ""
	}
	return fmt.Sprintf("too few customers%s: %d of %d needed", who, l.N, l.M)
}

func (k *invocation) statuses(ctx context.Context) ([]status, error) {
	view, _, err := k.view(ctx, capability.ReadProfiles)
	if err != nil {
		return nil, err
	}
	var out struct{ Profiles []status }
	err = view.Ask(ctx, http.MethodGet, "/v1/profiles", nil, &out)
	return out.Profiles, err
}

func newStatus(shell *console.Console) *cobra.Command {
	k := &invocation{Console: shell}
	return k.flags(&cobra.Command{
		Use: "status", Short: "Say how the runs of profiles stand", Args: cobra.NoArgs,
		Long: `Says of each of the workspace's profiles how its last run went, how many persons there
are, and when the next one can begin. Of one that its gate holds, it lists the reviewed
pairs that it would break, and some of the identifiers that it would move. What a warehouse
says against a run that failed can quote rows: who may look up persons sees it with --output
json, others see what to do.`,
		Example: "  weir profiles status",
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := k.statuses(cmd.Context())
			if err != nil {
				return err
			}
			if err := errors.Join(k.hold(cmd.Context(), all), k.said(cmd.Context(), all)); err != nil {
				return err
			}
			return k.print(all)
		},
	})
}

// print shows how profiles stand.
func (k *invocation) print(all []status) error {
	if k.Output != console.AsTable {
		return k.Print(all)
	}
	t := console.Table{Head: []string{"PROFILES", "STATE", "CODE", "STEP", "PERSONS", "CHANGED", "MOVES", "SECONDS", "AT"}}
	scores := console.Table{Head: []string{"PROFILES", "SCORE", "CODE", "PERSONS", "MEAN", "DRIFT", "SINCE", "AUC", "CALIBRATION"}}
	scored := false
	var few []string
	for _, s := range all {
		state, code, step, persons, changed, moves, seconds, at := "not run", "", "", int64(0), int64(0), int64(0), "", ""
		if l := s.Last; l != nil {
			state, code, step, seconds, at = l.State, l.Code, l.Step, fmt.Sprintf("%.1f", l.Seconds), l.Started.UTC().Format(time.RFC3339)
			for _, b := range l.Built {
				persons, changed, moves = persons+b.Persons, changed+b.Changed, moves+b.Moves
				for _, x := range b.Scores {
					scored = true
					drift, since := "", ""
					if x.Drift != nil && x.From != nil {
						drift, since = fmt.Sprintf("%.3f", *x.Drift), x.From.UTC().Format(time.RFC3339)
					}
					auc, calibration := "", ""
					if m := x.measured(); m != nil {
						auc, calibration = fmt.Sprintf("%.3f", m.AUC), fmt.Sprintf("%.3f", m.Calibration)
					}
					mean := ""
					if x.Mean != nil && x.Persons > 0 { // of nobody there is none
						mean = fmt.Sprintf("%.4g", *x.Mean)
					}
					if x.Last != nil && x.Last.Lack != nil {
						few = append(few, x.Name+" is not learned: "+x.Last.Lack.words())
					}
					scores.Add(s.Name, x.Name, x.Code, fmt.Sprint(x.Persons), mean, drift, since, auc, calibration)
				}
			}
		}
		if s.Running {
			state = "running"
		}
		t.Add(s.Name, state, code, step, fmt.Sprint(persons), fmt.Sprint(changed), fmt.Sprint(moves), seconds, at)
	}
	if err := t.Write(k.Out); err != nil {
		return err
	}
	if err := k.would(all); err != nil || !scored {
		return err
	}
	if _, err := fmt.Fprintln(k.Out); err != nil {
		return err
	}
	if err := scores.Write(k.Out); err != nil || len(few) == 0 {
		return err
	}
	_, err := fmt.Fprintln(k.Out, "\n"+command.Clean(strings.Join(few, "; ")))
	return err
}

func newRun(shell *console.Console, verb, short string, force bool) *cobra.Command {
	k := &invocation{Console: shell}
	o := options{force: force}
	cmd := k.flags(&cobra.Command{
		Use: verb, Short: short, Args: cobra.NoArgs,
		Long: `Stitches identifiers, computes features and audiences, and writes what changed into the
warehouse's schema profiles. It waits until that is done, and fails when the run fails or
is held by a gate; --detach only begins. When the process of the plane that runs profiles
dies, or another one takes over, the run is asked for again.`,
		Example: "  weir profiles " + verb,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return k.run(cmd.Context(), verb, o)
		},
	})
	cmd.Flags().BoolVar(&o.full, "full", false, "read all rows and look at all links again; it renames nobody")
	if !force {
		cmd.Flags().BoolVar(&o.learn, "learn", false, "learn the models of scores with predict anew")
	}
	cmd.Flags().BoolVar(&o.detach, "detach", false, "do not wait until it is done")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 70*time.Minute, "wait at most so long; the run goes on")
	return cmd
}

// options are those of a run.
type options struct {
	full, learn, force, detach bool
	timeout                    time.Duration
}

// Pauses between looks at a run.
const (
	firstLook = 50 * time.Millisecond
	lastLook  = time.Second
	mayBeAway = 2 * time.Minute
)

// begin asks for a run.
func (k *invocation) begin(ctx context.Context, verb string, o options) (a asked, err error) {
	action := capability.RunProfiles
	if o.force {
		action = capability.DecideProfiles
	}
	answer, err := k.ask(ctx, action, verb, map[string]any{"full": o.full, "learn": o.learn})
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return a, fault.New(fault.Unavailable, "the plane's answer cannot be read")
	}
	return a, nil
}

func (k *invocation) run(ctx context.Context, verb string, o options) error {
	if o.timeout <= 0 {
		return command.Usage("--timeout is a time above 0, such as 10m")
	}
	now, err := k.begin(ctx, verb, o)
	if err != nil || o.detach {
		return err
	}
	bar := k.Progress("profiles")
	defer bar.End()
	began := time.Now()
	answered, again := began, false
	for look := firstLook; ; look = min(2*look, lastLook) {
		if !delay.For(ctx, look) {
			return fault.New(fault.Unavailable, "detached; 'weir profiles status' says how the run fares")
		}
		if time.Since(began) > o.timeout {
			return fault.New(fault.Unavailable, "the run has not ended within %s; 'weir profiles status' says how it fares", o.timeout)
		}
		var all []status
		var err error
		if again {
			if now, err = k.begin(ctx, verb, o); err == nil {
				again = false
			}
		} else {
			all, err = k.statuses(ctx)
		}
		away := fault.KindOf(err) == fault.Unavailable || again && fault.KindOf(err) == fault.Missing // a process that begins has no configuration yet
		if err != nil && away && time.Since(answered) < mayBeAway {
			continue
		}
		if err != nil {
			return err
		}
		answered = time.Now()
		for _, s := range all {
			if k.profile != "" && s.Name != k.profile {
				continue
			}
			if s.Process != now.Process {
				k.Note("weir: the run was interrupted, as another process of the plane runs the profiles now; it is asked for again")
				again = true
				break
			}
			if s.Ended <= now.Ended || s.Last == nil {
				continue
			}
			bar.End()
			these := []status{s}
			if err := errors.Join(k.hold(ctx, these), k.said(ctx, these)); err != nil {
				return errors.Join(err, failed(s))
			}
			return errors.Join(k.print(these), failed(s))
		}
	}
}

// failed is an error unless the run was published.
func failed(s status) error {
	switch s.Last.State {
	case "published":
		return nil
	case "held":
		return fault.New(fault.Conflict, "the run is held, because it changes too much (%s); persons and features are those of before. 'weir profiles publish' publishes it all the same", command.Clean(s.Last.Code))
	}
	return fault.New(fault.Unavailable, "the run failed at %s with code %s, and the plane tries again: %s", command.Clean(s.Last.Step), command.Clean(s.Last.Code), command.Clean(s.Last.Detail))
}

func newPreview(shell *console.Console, verb, what string) *cobra.Command {
	k := &invocation{Console: shell}
	return k.flags(&cobra.Command{
		Use: verb + " NAME", Short: "Show what a " + what + " is without writing it", Args: cobra.ExactArgs(1),
		Long:    `Computes it now, for all persons or some tens of thousands, and shows how many have which value, ten of them, and the columns that it reads.`,
		Example: "  weir profiles preview revenue",
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := k.ask(cmd.Context(), capability.LookupProfiles, "preview", map[string]any{"name": args[0]})
			return tell(k, raw, err, k.preview)
		},
	})
}

// answer prints the view's answer.
func (k *invocation) answer(raw json.RawMessage, err error) error {
	if err != nil {
		return err
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return fault.New(fault.Unavailable, "the plane's answer cannot be read")
	}
	if k.Output == console.AsTable {
		k.Output = console.AsYAML
	}
	return k.Print(v)
}

func newExplain(shell *console.Console) *cobra.Command {
	k := &invocation{Console: shell}
	return k.flags(&cobra.Command{
		Use: "explain TYPE:VALUE [TYPE:VALUE]", Short: "Say who has an identifier, or why two are one person's", Args: cobra.RangeArgs(1, 2),
		Long:    `Shows the person of an identifier with the other ones, and of two identifiers the links that join them, with when each was seen and the oldest events that made it: the table, the message's id, when it was and when it was received.`,
		Example: "  weir profiles explain email:ann@example.org anonymous_id:a1",
		RunE: func(cmd *cobra.Command, args []string) error {
			b := append(args, "")[1]
			raw, err := k.ask(cmd.Context(), capability.LookupProfiles, "explain", map[string]any{"a": args[0], "b": b})
			return tell(k, raw, err, func(x explained) error { return k.explain(x, args[0], b) })
		},
	})
}

func newDecide(shell *console.Console, kind string, ends int, short string) *cobra.Command {
	k := &invocation{Console: shell}
	undo, file := false, ""
	reviews := kind == "same" || kind == "different"
	example := "  weir profiles " + kind + strings.Repeat(" email:ann@example.org", 1) + strings.Repeat(" anonymous_id:a1", ends-1)
	long := `The decision is kept in the warehouse and counts from the next run on; --undo takes it back.`
	if reviews {
		long += `
With --file it reads many pairs, each a line of two identifiers with a comma between them, as
CSV files are written. A line that is wrong is named, and the others are kept; sending a file
again does no harm.`
		example += "\n  weir profiles " + kind + " --file pairs.csv"
	}
	use := kind + strings.Repeat(" TYPE:VALUE", ends)
	if reviews {
		use = kind + " [TYPE:VALUE] [TYPE:VALUE]"
	}
	cmd := k.flags(&cobra.Command{
		Use: use, Short: short, Long: long, Example: example, Args: cobra.MaximumNArgs(ends),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case reviews && (len(args) == 0) == (file == "") || len(args) > 0 && len(args) < ends:
				return command.Usage("%s takes two identifiers, or --file FILE with many pairs", cmd.CommandPath())
			case file != "":
				return k.review(cmd.Context(), kind, file, undo)
			}
			if _, err := k.ask(cmd.Context(), capability.DecideProfiles, "decide", map[string]any{"kind": kind, "a": args[0], "b": append(args, "")[1], "undo": undo}); err != nil {
				return err
			}
			k.Note("weir: it counts from the next run on: 'weir profiles run'")
			return nil
		},
	})
	cmd.Flags().BoolVar(&undo, "undo", false, "take the decision back")
	if reviews {
		cmd.Flags().StringVar(&file, "file", "", "read pairs from this file; - is standard input")
	}
	return cmd
}

func newErase(shell *console.Console) *cobra.Command {
	k := &invocation{Console: shell}
	return k.flags(&cobra.Command{
		Use: "erase TYPE:VALUE", Short: "Remove a person and their rows from the warehouse for good", Args: cobra.ExactArgs(1),
		Long: `Deletes the rows of the inputs that name an identifier of the person, and what identity,
features and audiences keep. A run begins at once, with which the records of others, of a
household for one, tell nothing of the person any more. Events that are still on their way
are not held up.`,
		Example: "  weir profiles erase email:ann@example.org",
		RunE: func(cmd *cobra.Command, args []string) error {
			return k.answer(k.ask(cmd.Context(), capability.DecideProfiles, "erase", map[string]any{"a": args[0]}))
		},
	})
}
