package events

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"
	"weir/shared/capability"
	"weir/shared/command"
	"weir/shared/fault"
)

// maxTails is how many workspaces are followed at once.
const maxTails = 16

// Pauses between attempts to follow a plane again.
const (
	firstRetry = 250 * time.Millisecond
	longRetry  = 5 * time.Second
)

// sight is which live events a command means.
type sight struct {
	workspace string
	remote.Sight
	limit int
}

// NewTail returns the command `weir tail`.
func NewTail(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var s sight
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "tail",
		Short: "Show events as they pass",
		Long: `Shows what happens to events from now on, a JSON line for each step:

  {"at","stage","source","destination","messageId","outcome","code","event"}

Stages are gateway, pipeline, transform, deliver and load. Outcomes are accepted,
duplicate, quarantined, dropped, unrouted, routed, transformed, delivered,
retrying, parked, dead, staged and loaded. Flags may be repeated.

The lines come from the workspace's data plane directly, and end with Ctrl-C.
When events pass faster than they can be shown, some are left out and counted.`,
		Example: `  weir tail
  weir tail --source web --stage gateway
  weir tail --search ada@example.com
  weir tail --destination hook --outcome dead | jq .event`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.limit < 0 {
				return command.Usage("--limit must not be below 0")
			}
			return k.tail(cmd.Context(), s, k.Console.Lines(cmd))
		},
	})
	cmd.Flags().StringVar(&s.workspace, "workspace", "", "only this workspace")
	cmd.Flags().StringSliceVar(&s.Sources, "source", nil, "only of this source")
	cmd.Flags().StringSliceVar(&s.Destinations, "destination", nil, "only on the way to this destination")
	cmd.Flags().StringSliceVar(&s.Stages, "stage", nil, "only at this stage")
	cmd.Flags().StringSliceVar(&s.Outcomes, "outcome", nil, "only with this outcome")
	cmd.Flags().StringVar(&s.Search, "search", "", "only events whose message id, user or name contains this `text`, and what becomes of them")
	cmd.Flags().IntVar(&s.limit, "limit", 0, "end after so many lines; 0 means never")
	return cmd
}

// errEnough ends a tail that showed what was asked for.
var errEnough = errors.New("enough")

// tail follows the chosen workspaces until ctx ends, which is no error.
func (k invocation) tail(ctx context.Context, s sight, lines *console.Lines) error {
	control, err := k.Connect()
	if err != nil {
		return err
	}
	chosen, err := console.Choose(ctx, control, s.workspace)
	if err != nil {
		return err
	}
	if chosen, err = sees(chosen, s.Sight); err != nil {
		return err
	}
	if len(chosen) > maxTails {
		return command.Usage("name the workspace with --workspace; %s", console.ThereAre("workspaces", chosen, func(w remote.Workspace) string { return w.Name }))
	}
	p := &printer{invocation: k, limit: s.limit, out: lines}
	g, following := errgroup.WithContext(ctx)
	for _, w := range chosen {
		g.Go(func() error { return k.follow(following, control, w, s.Sight, p) })
	}
	if err := g.Wait(); ctx.Err() == nil && !errors.Is(err, errEnough) {
		return err
	}
	return nil
}

// follow shows one workspace until ctx ends or it cannot go on. What fails at
// first is an error; a plane that was followed is followed again when it is
// back.
func (k invocation) follow(ctx context.Context, control *remote.Control, w remote.Workspace, s remote.Sight, p *printer) error {
	stood, told, pause := false, false, firstRetry
	for ctx.Err() == nil {
		begun := time.Now()
		err := k.watch(ctx, control, w, s, p, func() {
			if !stood {
				p.note("weir: watching workspace %s; end with Ctrl-C", command.Clean(w.Name))
			}
			stood, told, pause = true, false, firstRetry
		})
		switch {
		case ctx.Err() != nil || errors.Is(err, errEnough):
			return err
		case err != nil && (!stood || fault.KindOf(err) != fault.Unavailable):
			return fmt.Errorf("follow workspace %s: %w", w.Name, err)
		case err == nil && time.Since(begun) > time.Second:
			continue // the capability ended; go on with the next one
		case err != nil && !told:
			told = true
			p.note("weir: %s; trying again, what passes meanwhile is not shown", command.Sentence(err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
		pause = min(2*pause, longRetry)
	}
	return ctx.Err()
}

// watch shows one workspace for as long as one capability lasts.
func (k invocation) watch(ctx context.Context, control *remote.Control, w remote.Workspace, s remote.Sight, p *printer, begun func()) error {
	view, err := control.View(ctx, w.Name, capability.ReadLive)
	if err != nil {
		return err
	}
	return view.Live(ctx, s, begun, func(n uint64) {
		p.note("weir: %d events of workspace %s passed too fast and are not shown", n, command.Clean(w.Name))
	}, p.print)
}

// sees returns the workspaces that have one of the named sources and
// destinations.
func sees(all []remote.Workspace, s remote.Sight) ([]remote.Workspace, error) {
	var found []remote.Workspace
	var sources []remote.Source
	for _, w := range all {
		sources = append(sources, w.Sources...)
		if len(s.Sources) == 0 || slices.ContainsFunc(w.Sources, func(o remote.Source) bool {
			return slices.Contains(s.Sources, o.Name) || slices.Contains(s.Sources, string(o.ID))
		}) {
			found = append(found, w)
		}
	}
	if len(found) == 0 {
		return nil, fault.New(fault.Missing, "there is no source %s; %s", s.Sources[0], console.ThereAre("sources", sources, func(o remote.Source) string { return o.Name }))
	}
	if len(s.Destinations) == 0 {
		return found, nil
	}
	var both []remote.Workspace
	for _, d := range s.Destinations {
		some, err := console.Having(found, d)
		if err != nil {
			return nil, err
		}
		for _, w := range some {
			if !slices.ContainsFunc(both, func(o remote.Workspace) bool { return o.ID == w.ID }) {
				both = append(both, w)
			}
		}
	}
	return both, nil
}

// printer writes the lines of all workspaces, one after the other.
type printer struct {
	invocation
	limit int
	out   *console.Lines

	mu    sync.Mutex
	lines int
}

// note is the console's, between lines.
func (p *printer) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.invocation.Note(format, args...)
}

// print writes a line, and says errEnough behind the last one.
func (p *printer) print(line []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.limit > 0 && p.lines >= p.limit {
		return errEnough
	}
	if err := p.out.Print(line); err != nil {
		return err
	}
	if p.lines++; p.lines == p.limit {
		return errEnough
	}
	return nil
}
