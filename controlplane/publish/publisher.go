package publish

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/controlplane/store"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/wire/hub"
)

// Hub is the control plane's end of the hub: hub.Hub, and the one with seeded
// faults in this package's simulation.
type Hub interface {
	Pointed(ctx context.Context, to hub.Recipient, ws id.Workspace) (wire.Pointer, error)
	PutSecret(ctx context.Context, to hub.Recipient, n secret.Name, s secret.Sealed) error
	Point(ctx context.Context, to hub.Recipient, p wire.Pointer, body []byte) error
	Acks(ctx context.Context) iter.Seq2[wire.Ack, error]
}

// Config says what a Publisher works between. Store and Hub are required.
type Config struct {
	Store *store.Store
	Hub   Hub
	Every time.Duration // between complete comparisons, 0 means 30 s
	Log   *slog.Logger  // nil discards
}

// Publisher keeps pointers equal to what the store wants. It is safe for
// concurrent use.
type Publisher struct {
	cfg   Config
	nudge chan struct{}

	mu  sync.Mutex
	due map[id.Workspace]bool // to be compared soon
}

// New checks cfg. Nothing runs before Run.
func New(cfg Config) (*Publisher, error) {
	if cfg.Store == nil || cfg.Hub == nil {
		return nil, fault.New(fault.Invalid, "a publisher needs a store and a hub")
	}
	if cfg.Every == 0 {
		cfg.Every = 30 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Publisher{cfg: cfg, nudge: make(chan struct{}, 1), due: map[id.Workspace]bool{}}, nil
}

// Nudge asks for a comparison of a workspace soon. It never blocks; several nudges may
// count as one. An empty name asks for nothing.
func (p *Publisher) Nudge(ws id.Workspace) { p.owe(ws) }

// owe has workspaces compared soon.
func (p *Publisher) owe(list ...id.Workspace) {
	p.mu.Lock()
	for _, ws := range list {
		if ws != "" {
			p.due[ws] = true
		}
	}
	some := len(p.due) > 0
	p.mu.Unlock()
	if some {
		select {
		case p.nudge <- struct{}{}:
		default:
		}
	}
}

// owed takes what is to be compared.
func (p *Publisher) owed() []id.Workspace {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := slices.Sorted(maps.Keys(p.due))
	clear(p.due)
	return list
}

// Run publishes and folds acks until ctx ends. A store or hub that is away is
// waited for; it returns an error when the hub's end was closed.
func (p *Publisher) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.sweep(ctx) })
	g.Go(func() error { return p.follow(ctx) })
	g.Go(func() error { return p.fold(ctx) })
	return g.Wait()
}

// The wait after a comparison that did not finish: doubled each time in a row,
// up to the interval of complete comparisons, with jitter.
const firstRetry = 250 * time.Millisecond

// sweep compares everything, at once and then at each interval, beside what follow does:
// a commit does not wait for it. What did not succeed is due for follow.
func (p *Publisher) sweep(ctx context.Context) error {
	complete := time.NewTicker(p.cfg.Every)
	defer complete.Stop()
	for failures := 0; ; {
		left, err := p.compare(ctx)
		if ctx.Err() != nil {
			return nil
		}
		var again <-chan time.Time
		if err != nil {
			p.cfg.Log.WarnContext(ctx, "complete comparison with the hub not finished", "workspaces", len(left), "error", err)
		}
		if p.owe(left...); err != nil && len(left) == 0 { // the store is away
			again = time.After(backoff(failures, p.cfg.Every))
			failures++
		} else {
			failures = 0
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again:
		case <-complete.C:
		}
	}
}

// follow compares what was asked for. What did not succeed stays due.
func (p *Publisher) follow(ctx context.Context) error {
	failures := 0
	for {
		var again <-chan time.Time
		if failures > 0 {
			again = time.After(backoff(failures-1, p.cfg.Every))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-p.nudge:
		case <-again:
		}
		failures++
		if p.settle(ctx) {
			failures = 0
		}
	}
}

// settle compares what is due and reports whether all of it succeeded.
func (p *Publisher) settle(ctx context.Context) bool {
	list := p.owed()
	if len(list) == 0 {
		return true
	}
	left, err := p.compare(ctx, list...)
	if err == nil {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ws := range left { // without a nudge: follow waits before it tries again
		p.due[ws] = true
	}
	if ctx.Err() == nil {
		p.cfg.Log.WarnContext(ctx, "comparison with the hub not finished", "workspaces", len(left), "error", err)
	}
	return false
}

func backoff(failures int, most time.Duration) time.Duration {
	wait := min(firstRetry<<min(failures, 16), most)
	return wait/2 + rand.N(wait/2+1)
}

// Compare brings every pointer to the newest revision once, asking the hub about
// all of them. It returns what could not be done; the rest is done.
func (p *Publisher) Compare(ctx context.Context) error {
	_, err := p.compare(ctx)
	return err
}

// atOnce is how many planes are served at a time, and workspaces of each.
const atOnce = 16

// compare goes through some workspaces, or all when none is given, plane by plane. With an
// error it returns those that are not known to be right, none when the store could not be read for all.
func (p *Publisher) compare(ctx context.Context, of ...id.Workspace) (left []id.Workspace, err error) {
	wanted, acks, err := p.read(ctx, of)
	if err != nil {
		return of, err
	}
	byPlane := map[id.Plane][]store.Workspace{}
	for _, ws := range wanted {
		byPlane[ws.Plane] = append(byPlane[ws.Plane], ws)
	}
	var mu sync.Mutex
	var failed []error
	var g errgroup.Group // not bound to each other: one plane's trouble is its own
	g.SetLimit(atOnce)
	for pl, list := range byPlane {
		g.Go(func() error {
			if rest, err := p.serve(ctx, pl, list, acks); err != nil {
				mu.Lock()
				defer mu.Unlock()
				left, failed = append(left, rest...), append(failed, err)
			}
			return nil
		})
	}
	_ = g.Wait() // every error is in failed
	return left, errors.Join(failed...)
}

// some is how many workspaces one query reads.
const some = 200

// read returns what the store wants and what planes said.
func (p *Publisher) read(ctx context.Context, of []id.Workspace) (wanted []store.Workspace, acks map[id.Workspace]wire.Ack, err error) {
	parts := slices.Collect(slices.Chunk(of, some))
	if len(of) == 0 {
		parts = [][]id.Workspace{nil}
	}
	acks = map[id.Workspace]wire.Ack{}
	for _, part := range parts {
		// The acks first: read the other way round, the ack of a revision committed in
		// between would look like one that the store does not know.
		said, err := p.cfg.Store.Acks(ctx, part...)
		if err != nil {
			return nil, nil, fmt.Errorf("read acks: %w", err)
		}
		for _, a := range said {
			acks[a.Workspace] = a
		}
		found, err := p.cfg.Store.Wanted(ctx, part...)
		if err != nil {
			return nil, nil, fmt.Errorf("read what is wanted: %w", err)
		}
		wanted = append(wanted, found...)
	}
	return wanted, acks, nil
}

// serve brings one plane's workspaces up to date, and returns those that are not. When the
// hub is away it leaves the rest for the next time, since each call would wait for its deadline.
func (p *Publisher) serve(ctx context.Context, pl id.Plane, list []store.Workspace, acks map[id.Workspace]wire.Ack) (left []id.Workspace, err error) {
	row, err := p.cfg.Store.Plane(ctx, pl)
	if err != nil {
		return namesOf(list), fmt.Errorf("serve plane %s: %w", pl, err)
	}
	to := hub.Recipient{
		Plane: pl, Account: hub.Account{Region: row.Region, Organization: row.Organization}, Sealing: secret.PublicKey(row.SealingKey),
	}
	var mu sync.Mutex // guards left, failed and away
	var failed []error
	away := false
	var g errgroup.Group // not bound to each other: one workspace's trouble is its own
	g.SetLimit(atOnce)
	for _, ws := range list {
		g.Go(func() error {
			mu.Lock()
			skip := away
			mu.Unlock()
			var err error
			if !skip {
				err = p.bring(ctx, to, ws, acks[ws.ID])
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, fmt.Errorf("bring %s to plane %s: %w", ws.ID, pl, err))
				away = away || ctx.Err() != nil || fault.KindOf(err) == fault.Unavailable
			}
			if err != nil || skip {
				left = append(left, ws.ID)
			}
			return nil
		})
	}
	_ = g.Wait() // every error is in failed
	return left, errors.Join(failed...)
}

func namesOf(list []store.Workspace) []id.Workspace {
	names := make([]id.Workspace, len(list))
	for i, ws := range list {
		names[i] = ws.ID
	}
	return names
}
