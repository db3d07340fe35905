// Package apply is the commands about configuration as code: apply brings
// workspaces to what a file says, diff shows what that would change, export writes
// such a file.
package apply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/manifest"
	"weir/infra/weir/cli/preview"
	"weir/infra/weir/cli/remote"
	"weir/infra/weir/cli/remote/approval"
	"weir/infra/weir/cli/seal"
	"weir/shared/command"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/workspace/document"
)

// invocation is one execution of a command.
type invocation struct{ *console.Console }

// Flags are the choices of apply; diff has the first group of them. The zero value
// of a choice is no.
type Flags struct {
	File     string // "-" is standard input
	NoPrune  bool
	Reseal   bool
	AllowEnv []string

	NoWait        bool
	DiscardParked bool
	Message       string        // why; kept with the revision
	Timeout       time.Duration // of waiting for the plane
	Wait          time.Duration // for another person, where one is needed
}

func (f *Flags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.File, "file", "f", "", "the configuration, YAML; - is stdin")
	cmd.Flags().BoolVar(&f.NoPrune, "no-prune", false, "keep what the file does not name")
	cmd.Flags().BoolVar(&f.Reseal, "reseal", false, "seal every secret anew, also unchanged ones")
	cmd.Flags().StringArrayVar(&f.AllowEnv, "allow-env", nil, "an environment variable that secrets may be read from beside WEIR_SECRET_*; may be repeated")
	_ = cmd.MarkFlagRequired("file")
}

// New returns the command `weir apply`.
func New(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var f Flags
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "apply -f FILE",
		Short: "Bring workspaces to what a file says",
		Long: `Compares each workspace in the file with its newest revision, prints the
difference, makes the new revision and waits until the data plane has applied
it. What the file does not name is removed. Applying a file twice changes
nothing the second time. Of a file with many workspaces several are made at a time; what
is printed stands in the order of the file. When one fails no further one is begun, and
applying the file again does the rest.

Where a policy asks for another person, the commit waits as a change, and apply says so
and ends with success; with --wait it ends when somebody decided, and fails when that was
no approval. See 'weir change'.

Secrets are read from the environment (only WEIR_SECRET_*, or --allow-env) or
from files, and sealed to the keys of the region's planes before they leave this
machine. The planes' identities are pinned on first use in weir.pins beside the
file; keep it under version control.

A transformation may have tests: events, and the members that its outputs have
to have, or the code with which it is refused. They run on this machine before
anything is asked, and stay here:

  tests:
    - { event: { userId: u, event: Secret }, expect: [] }
    - { event: { userId: u, event: X }, expect: [ { properties: { masked: true } } ] }
    - { event: { userId: u, event: Bad }, error: transformation_failed }`,
		Example: `  weir apply -f weir.yaml
  WEIR_SECRET_HOOK_HEADERS='{"Authorization":"Bearer x"}' weir apply -f weir.yaml
  weir export acme | weir apply -f -`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.Timeout <= 0 {
				return command.Usage("--timeout must be above zero")
			}
			return k.apply(cmd.Context(), f)
		},
	})
	f.bind(cmd)
	cmd.Flags().BoolVar(&f.NoWait, "no-wait", false, "do not wait until the plane applied the revision")
	cmd.Flags().BoolVar(&f.DiscardParked, "discard-parked", false, "remove destinations also while deliveries wait for them")
	cmd.Flags().StringVarP(&f.Message, "message", "m", "", "why; kept with the revision")
	cmd.Flags().DurationVar(&f.Timeout, "timeout", time.Minute, "how long to wait for the plane")
	cmd.Flags().DurationVar(&f.Wait, "wait", 0, "how long to wait for another person, where one has to approve (default: not at all)")
	return cmd
}

// NewDiff returns the command `weir diff`.
func NewDiff(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var f Flags
	var exitCode bool
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "diff -f FILE",
		Short: "Show what apply would change",
		Example: `  weir diff -f weir.yaml
  weir diff -f weir.yaml --exit-code && echo nothing to apply`,
		Long: `Shows what apply would change. With --exit-code the command exits as diff(1) does: with 0
when nothing would change, with 1 when something would, with 2 when that could not be
found out.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := k.diff(cmd.Context(), f, exitCode)
			if err != nil && exitCode && !errors.Is(err, errDiffers) {
				return command.ExitWith(command.ExitUsage, err)
			}
			return err
		},
	})
	f.bind(cmd)
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 1 when apply would change something, and with 2 when that could not be found out")
	return cmd
}

// errDiffers ends a diff that was asked for its exit code.
var errDiffers = fault.New(fault.Conflict, "the file differs from what is configured")

// proposal is one document on its way: what it is compared with, and the
// difference.
type proposal struct {
	remote.Proposal
	file     *manifest.File
	existing *remote.Workspace // nil for a new workspace
	diff     remote.Difference
}

func (p *proposal) name() string { return p.Document.Workspace }

// outcome is what a command reports about one workspace.
type outcome struct {
	Workspace string            `json:"workspace"`
	Number    uint64            `json:"number"`
	Changes   []remote.Change   `json:"changes"`
	State     remote.State      `json:"state,omitempty"`
	Problems  []fault.Problem   `json:"problems"`
	Waits     *approval.Request `json:"waits,omitempty"` // for another person; Number is the former one
}

func newOutcome(name string, number uint64, changes []remote.Change, problems []fault.Problem) outcome {
	return outcome{Workspace: name, Number: number, Changes: append([]remote.Change{}, changes...), Problems: append([]fault.Problem{}, problems...)}
}

func (k invocation) diff(ctx context.Context, f Flags, exitCode bool) error {
	_, proposals, _, err := k.propose(ctx, f)
	if err != nil && len(fault.ProblemsOf(err)) == 0 {
		return err
	}
	outcomes := []outcome{}
	for _, p := range proposals {
		outcomes = append(outcomes, newOutcome(p.name(), p.diff.Number, p.diff.Changes, p.diff.Problems))
		if k.Output != console.AsTable || err != nil { // of a file with problems the difference says little
			continue
		}
		if len(p.diff.Changes) == 0 && len(p.diff.Problems) == 0 && p.diff.Number > 0 {
			k.Say("workspace %s: nothing would change", command.Clean(p.name()))
		}
		k.changes(p)
	}
	if k.Output != console.AsTable {
		if err := k.Print(map[string]any{"workspaces": outcomes}); err != nil {
			return err
		}
	}
	if err == nil && exitCode && slices.ContainsFunc(proposals, func(p *proposal) bool { return len(p.diff.Changes) > 0 }) {
		return errDiffers
	}
	return err
}

// Run is the command `weir apply` without its command line.
func Run(ctx context.Context, c *console.Console, f Flags) error {
	return invocation{c}.apply(ctx, f)
}

// apply does all that can be refused for every document first, so that a file
// is taken whole or, almost always, not at all.
func (k invocation) apply(ctx context.Context, f Flags) error {
	control, proposals, seals, err := k.propose(ctx, f)
	if err != nil && len(fault.ProblemsOf(err)) == 0 {
		return err
	}
	if err := first(many(len(proposals), false, func(i int) error { return k.parked(ctx, control, proposals[i]) })); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	if err := seals.SavePins(); err != nil {
		return err
	}
	outcomes, err := k.commitAll(ctx, control, proposals)
	if err != nil {
		return err
	}
	failure := k.settleAll(ctx, control, proposals, outcomes, f)
	if k.Output != console.AsTable {
		if err := k.Print(map[string]any{"workspaces": outcomes}); err != nil {
			return err
		}
	}
	return failure
}

// propose reads the file, seals its secrets and asks for the differences. A file with
// problems is refused with all of them.
func (k invocation) propose(ctx context.Context, f Flags) (*remote.Control, []*proposal, *seal.Sealer, error) {
	var found problems
	files, dir, err := k.readManifest(f.File)
	if err := found.add(err); err != nil {
		return nil, nil, nil, err
	}
	if err := found.add(preview.Test(ctx, k.Process, files)); err != nil {
		return nil, nil, nil, err
	}
	seals, err := seal.New(seal.Config{Dir: dir, Allow: f.AllowEnv, Reseal: f.Reseal, Env: k.Env,
		Note: func(line string) { k.Note("weir: %s", command.Clean(line)) }})
	if err != nil {
		return nil, nil, nil, err
	}
	if err := found.add(seals.Read(files)); err != nil {
		return nil, nil, nil, err
	}
	control, err := k.Connect()
	if err != nil {
		return nil, nil, nil, found.unasked(k.Console, err)
	}
	var proposals []*proposal
	for _, file := range files {
		if file.Document.Workspace == "" {
			continue // that is a problem by itself
		}
		proposals = append(proposals, &proposal{file: file, Proposal: remote.Proposal{Document: file.Document, Prune: !f.NoPrune, DiscardParked: f.DiscardParked, Reason: f.Message}})
	}
	if err := look(ctx, control, proposals); err != nil {
		return nil, nil, nil, found.unasked(k.Console, err)
	}
	sealed, answers := make([]problems, len(proposals)), make([][]fault.Problem, len(proposals))
	err = first(many(len(proposals), false, func(i int) error {
		err := k.compare(ctx, control, seals, proposals[i], &sealed[i])
		if answers[i] = fault.ProblemsOf(err); len(answers[i]) > 0 {
			return nil
		}
		return err
	}))
	for i, p := range proposals { // in the order of the file
		found.local = append(found.local, sealed[i].local...)
		found.answered(answers[i])
		found.answered(p.diff.Problems)
	}
	if err != nil {
		return nil, nil, nil, found.unasked(k.Console, err)
	}
	return control, proposals, seals, found.err()
}

// readManifest parses the file, and returns the folder that it is in.
func (k invocation) readManifest(name string) ([]*manifest.File, string, error) {
	if name == "-" {
		files, err := manifest.Parse("stdin", k.In)
		return files, ".", err
	}
	in, err := console.OpenFile(name)
	if err != nil {
		return nil, "", err
	}
	defer func(c io.Closer) { _ = c.Close() }(in)
	files, err := manifest.Parse(name, in)
	return files, filepath.Dir(name), err
}

// look fills proposals with the workspaces that are there.
func look(ctx context.Context, control *remote.Control, proposals []*proposal) error {
	if len(proposals) == 1 {
		ws, err := control.Workspace(ctx, proposals[0].name())
		switch {
		case err == nil:
			proposals[0].existing = &ws
		case fault.KindOf(err) != fault.Missing:
			return fmt.Errorf("look at workspace %s: %w", proposals[0].name(), err)
		}
		return nil
	}
	names := make([]string, len(proposals))
	for i, p := range proposals {
		names[i] = p.name()
	}
	there, err := control.Named(ctx, names)
	if err != nil {
		return fmt.Errorf("look at the workspaces of the file: %w", err)
	}
	for _, p := range proposals {
		if ws, ok := there[p.name()]; ok {
			p.existing = &ws
		}
	}
	return nil
}

// compare fills p with the difference from what is there; found takes the problems
// of secrets.
func (k invocation) compare(ctx context.Context, control *remote.Control, seals *seal.Sealer, p *proposal, found *problems) error {
	var current document.Document
	var err error
	if p.existing != nil {
		current, _, err = control.Document(ctx, p.name())
		if err != nil && fault.KindOf(err) != fault.Missing {
			return fmt.Errorf("read the configuration of workspace %s: %w", p.name(), err)
		}
		identify(&current, *p.existing)
	}
	if err := found.add(seals.Seal(ctx, control, p.file, &p.Document, &current)); err != nil {
		return err
	}
	p.diff, err = control.Diff(ctx, p.Proposal)
	if err != nil {
		return placed(p, fmt.Errorf("compare workspace %s: %w", p.name(), err))
	}
	for i := range p.diff.Problems {
		p.diff.Problems[i].Path = p.file.At(p.diff.Problems[i].Path)
	}
	return nil
}

// identify gives current the identifiers that the workspace's summary knows.
func identify(current *document.Document, ws remote.Workspace) {
	current.ID = ws.ID
	known := map[string]id.Destination{}
	for _, d := range ws.Destinations {
		known[d.Name] = d.ID
	}
	for i := range current.Destinations {
		if d := &current.Destinations[i]; d.ID == "" {
			d.ID = known[d.Name]
		}
	}
}

// placed gives the problems of err their lines in the file.
func placed(p *proposal, err error) error {
	problems := fault.ProblemsOf(err)
	for i := range problems {
		problems[i].Path = p.file.At(problems[i].Path)
	}
	return err
}

// waiting is how many deliveries wait for the destination that c removes.
func waiting(p *proposal, c remote.Change) uint64 {
	if c.Op != "remove" || c.Kind != "destination" || p.existing == nil {
		return 0
	}
	for _, d := range p.existing.Destinations {
		if d.Name == c.Name {
			return d.Parked + d.Staged
		}
	}
	return 0
}

// commit makes the new revision, alone or together with others, unless nothing changed.
func (k invocation) commit(ctx context.Context, control *remote.Control, p *proposal, together bool) (outcome, error) {
	if len(p.diff.Changes) == 0 && p.diff.Number > 0 {
		return newOutcome(p.name(), p.diff.Number, nil, nil), nil
	}
	number, changes, request, err := control.Apply(ctx, p.Proposal, p.diff.Number, together && len(p.diff.Needs) == 0)
	if err != nil {
		return outcome{}, placed(p, fmt.Errorf("apply workspace %s: %w", p.name(), err))
	}
	if changes == nil {
		changes = p.diff.Changes
	}
	o := newOutcome(p.name(), number, changes, nil)
	o.Waits = request
	return o, nil
}
