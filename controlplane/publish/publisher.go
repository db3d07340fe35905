package publish

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
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

	mu   sync.Mutex
	done map[id.Workspace]uint64 // confirmed at the hub by this process; a complete comparison forgets it
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
	return &Publisher{cfg: cfg, nudge: make(chan struct{}, 1), done: map[id.Workspace]uint64{}}, nil
}

// Nudge asks for a comparison soon. It never blocks; several nudges may count
// as one.
func (p *Publisher) Nudge() {
	select {
	case p.nudge <- struct{}{}:
	default:
	}
}

// Run publishes and folds acks until ctx ends. A store or hub that is away is
// waited for; it returns an error when the hub's end was closed.
func (p *Publisher) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.follow(ctx) })
	g.Go(func() error { return p.fold(ctx) })
	return g.Wait()
}

// The wait after a comparison that did not finish: doubled each time in a row,
// up to the interval of complete comparisons, with jitter.
const firstRetry = 250 * time.Millisecond

func (p *Publisher) follow(ctx context.Context) error {
	complete := time.NewTicker(p.cfg.Every)
	defer complete.Stop()
	failures := 0
	all := true
	for ctx.Err() == nil {
		err := p.compare(ctx, all)
		if ctx.Err() != nil {
			return nil
		}
		var again <-chan time.Time
		if err != nil {
			p.cfg.Log.WarnContext(ctx, "comparison with the hub not finished", "error", err)
			again = time.After(backoff(failures, p.cfg.Every))
			failures++
		} else {
			failures = 0
		}
		select {
		case <-ctx.Done():
		case <-p.nudge:
			all = false
		case <-again:
			all = false
		case <-complete.C:
			all = true
		}
	}
	return nil
}

func backoff(failures int, most time.Duration) time.Duration {
	wait := min(firstRetry<<min(failures, 16), most)
	return wait/2 + rand.N(wait/2+1)
}

// Compare brings every pointer to the newest revision once, asking the hub about
// all of them. It returns what could not be done; the rest is done.
func (p *Publisher) Compare(ctx context.Context) error { return p.compare(ctx, true) }

// atOnce is how many planes are served at a time.
const atOnce = 16

// compare goes through the workspaces, plane by plane; unless all is set without
// those that this process confirmed already.
func (p *Publisher) compare(ctx context.Context, all bool) error {
	if all {
		p.mu.Lock()
		clear(p.done)
		p.mu.Unlock()
	}
	// The acks first: read the other way round, the ack of a revision committed in
	// between would look like one that the store does not know.
	acks, err := p.acks(ctx)
	if err != nil {
		return err
	}
	wanted, err := p.cfg.Store.Wanted(ctx)
	if err != nil {
		return fmt.Errorf("read what is wanted: %w", err)
	}
	byPlane := map[id.Plane][]store.Workspace{}
	for _, ws := range wanted {
		if !p.confirmed(ws) {
			byPlane[ws.Plane] = append(byPlane[ws.Plane], ws)
		}
	}
	var mu sync.Mutex
	var failed []error
	var g errgroup.Group // not bound to each other: one plane's trouble is its own
	g.SetLimit(atOnce)
	for pl, list := range byPlane {
		g.Go(func() error {
			if err := p.serve(ctx, pl, list, acks); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, err)
			}
			return nil
		})
	}
	_ = g.Wait() // every error is in failed
	return errors.Join(failed...)
}

func (p *Publisher) confirmed(ws store.Workspace) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done[ws.ID] == ws.Number
}

func (p *Publisher) confirm(ws store.Workspace) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done[ws.ID] = ws.Number
}

func (p *Publisher) acks(ctx context.Context) (map[id.Workspace]wire.Ack, error) {
	list, err := p.cfg.Store.Acks(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("read acks: %w", err)
	}
	out := make(map[id.Workspace]wire.Ack, len(list))
	for _, a := range list {
		out[a.Workspace] = a
	}
	return out, nil
}

// serve brings one plane's workspaces up to date. When the hub is away it leaves
// the rest for the next time, since each call would wait for its deadline.
func (p *Publisher) serve(ctx context.Context, pl id.Plane, list []store.Workspace, acks map[id.Workspace]wire.Ack) error {
	row, err := p.cfg.Store.Plane(ctx, pl)
	if err != nil {
		return fmt.Errorf("serve plane %s: %w", pl, err)
	}
	to := hub.Recipient{
		Plane: pl, Account: hub.Account{Region: row.Region, Organization: row.Organization}, Sealing: secret.PublicKey(row.SealingKey),
	}
	var failed []error
	for _, ws := range list {
		if err := p.bring(ctx, to, ws, acks[ws.ID]); err != nil {
			failed = append(failed, fmt.Errorf("bring %s to plane %s: %w", ws.ID, pl, err))
			if ctx.Err() != nil || fault.KindOf(err) == fault.Unavailable {
				break
			}
		}
	}
	return errors.Join(failed...)
}
