package apply

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"
	"weir/shared/command"
)

// atOnce is how many workspaces of a file are worked on at a time.
const atOnce = 32

// many calls do for the numbers below n, atOnce at a time and begun in their order. After
// an error no further one is begun, unless all is set; those that run end. It returns
// their errors by number.
func many(n int, all bool, do func(i int) error) []error {
	errs := make([]error, n)
	var g errgroup.Group // without a context: one's error does not stop another's call
	g.SetLimit(atOnce)
	var mu sync.Mutex
	failed := false
	for i := range n {
		mu.Lock()
		stop := failed && !all
		mu.Unlock()
		if stop {
			break
		}
		g.Go(func() error {
			if errs[i] = do(i); errs[i] != nil {
				mu.Lock()
				failed = true
				mu.Unlock()
			}
			return nil
		})
	}
	_ = g.Wait() // the errors are in errs
	return errs
}

// first returns the first error of a list, or nil.
func first(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// shownErrors is how many errors of other workspaces than the first are shown.
const shownErrors = 20

// fail returns the first error of a list, and notes the others.
func (k invocation) fail(errs []error) error {
	failed := slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err == nil })
	if len(failed) == 0 {
		return nil
	}
	for i, err := range failed[1:] {
		if i == shownErrors {
			k.Note("weir: and %d more workspaces failed", len(failed)-1-i)
			break
		}
		k.Note("weir: %s", command.Sentence(err))
	}
	return failed[0]
}

// commitAll makes the new revisions and prints the changes in the order of the file.
// Workspaces between which a write key may move are in that order, too; others go together.
func (k invocation) commitAll(ctx context.Context, control *remote.Control, proposals []*proposal) ([]outcome, error) {
	outcomes := make([]outcome, len(proposals))
	var errs []error
	lines := console.NewInOrder(k.Out)
	for len(errs) < len(proposals) && first(errs) == nil {
		begin := len(errs)
		errs = append(errs, many(apart(proposals[begin:]), false, func(i int) (err error) {
			at := begin + i
			outcomes[at], err = k.commit(ctx, control, proposals[at], len(proposals) > 1)
			lines.Done(at, func() {
				if k.Output == console.AsTable {
					k.changes(proposals[at])
				}
			})
			return err
		})...)
	}
	err := k.fail(errs)
	if err == nil {
		return outcomes, nil
	}
	made := 0
	for _, o := range outcomes {
		if o.Workspace != "" { // it was reached
			made++
		}
	}
	if made > 0 {
		k.Note("weir: %d of %d workspaces are as the file says; apply it again for the rest", made, len(proposals))
	}
	return nil, err
}

// apart returns how many proposals from the first on have write keys of their own, now and
// then.
func apart(proposals []*proposal) int {
	owners := map[string]*proposal{}
	for i, p := range proposals {
		keys := []string{}
		for _, s := range p.Document.Sources {
			keys = append(keys, s.WriteKey)
		}
		if p.existing != nil {
			for _, s := range p.existing.Sources {
				keys = append(keys, s.WriteKey)
			}
		}
		for _, key := range keys {
			if owner := owners[key]; key != "" && owner != nil && owner != p {
				return i
			}
			owners[key] = p
		}
	}
	return len(proposals)
}

// settleAll waits until the planes took or refused the revisions, and says which in the
// order of the file.
func (k invocation) settleAll(ctx context.Context, control *remote.Control, proposals []*proposal, outcomes []outcome, f Flags) error {
	patience := newPatience(k.Console, f.Timeout, len(outcomes))
	lines := console.NewInOrder(k.Out)
	var errs []error
	for begin := 0; begin < len(outcomes); begin = len(errs) {
		end := min(begin+together, len(outcomes))
		seen := map[string]remote.Workspace{}
		if end-begin > 1 && !f.NoWait {
			seen = k.watch(ctx, control, proposals[begin:end], outcomes[begin:end], patience)
		}
		errs = append(errs, many(end-begin, true, func(i int) error {
			at := begin + i
			var known *remote.Workspace
			if ws, ok := seen[proposals[at].name()]; ok {
				known = &ws
			}
			mine := *k.Console
			mine.Out = lines.Line(at)
			err := invocation{&mine}.settleBy(ctx, control, proposals[at], &outcomes[at], f, patience, known)
			lines.Done(at, func() {})
			return err
		})...)
	}
	return k.fail(errs)
}

// together is of how many workspaces is asked at a time whether their planes answered.
const together = 100

// watch asks for workspaces together until their planes took or refused the revisions, and
// returns those of which they did. It gives up when patience ends, and when it cannot ask:
// then each is asked for by itself, which says why.
func (k invocation) watch(ctx context.Context, control *remote.Control, proposals []*proposal, outcomes []outcome, patience *patience) map[string]remote.Workspace {
	wanted, seen := map[string]uint64{}, map[string]remote.Workspace{}
	for i, p := range proposals {
		if outcomes[i].Waits == nil { // for another person
			wanted[p.name()] = outcomes[i].Number
		}
	}
	for start, pause := time.Now(), pollFirst; len(wanted) > 0; pause = min(2*pause, pollMost) {
		there, err := control.Named(ctx, slices.Sorted(maps.Keys(wanted)))
		if err != nil {
			return seen
		}
		for name, number := range wanted {
			ws, found := there[name]
			if found && done(ws, number) {
				seen[name] = ws
				patience.renew()
			}
			if !found || done(ws, number) {
				delete(wanted, name)
			}
		}
		deadline := patience.deadline()
		if len(wanted) == 0 || time.Now().After(deadline) {
			return seen
		}
		if time.Since(start) > quiet {
			patience.mention(0, "") // of several none is named
		}
		select {
		case <-ctx.Done():
			return seen
		case <-time.After(min(pause, max(time.Until(deadline), time.Millisecond))):
		}
	}
	return seen
}

// patience is how long is waited for planes without any of them answering.
type patience struct {
	k    *console.Console
	most time.Duration
	of   int // workspaces

	mu        sync.Mutex
	begun     time.Time
	last      time.Time // when one answered, or the wait began
	mentioned bool
}

func newPatience(k *console.Console, most time.Duration, of int) *patience {
	return &patience{k: k, most: most, of: of, begun: time.Now(), last: time.Now()}
}

// renew is called when a plane answered.
func (p *patience) renew() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = time.Now()
}

func (p *patience) deadline() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last.Add(p.most)
}

// mention says once what is waited for.
func (p *patience) mention(number uint64, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.mentioned:
		return
	case p.of == 1:
		p.k.Note("waiting for the plane to apply revision %d of workspace %s ...", number, command.Clean(name))
	default:
		p.k.Note("waiting for the planes to apply the revisions of %d workspaces ...", p.of)
	}
	p.mentioned = true
}
