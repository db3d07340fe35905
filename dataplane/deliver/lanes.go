package deliver

import (
	"context"

	"weir/dataplane/queue"
	"weir/shared/id"
)

// Lanes delivers one partition's outputs: a lane per destination.
type Lanes struct {
	cfg Config
}

// New checks the configuration. Nothing runs before Run.
func New(cfg Config) (*Lanes, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Lanes{cfg: cfg}, nil
}

// Recover takes over from an earlier owner. It is called once, before Run and Offer.
func (l *Lanes) Recover(ctx context.Context, r Recovery) error { return nil }

// Run delivers until ctx ends.
func (l *Lanes) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Offer takes deliveries in the order of their frames.
func (l *Lanes) Offer(ctx context.Context, ds []Delivery) error { return nil }

// Confirmed says that the journal holds everything up to floor.
func (l *Lanes) Confirmed(d id.Destination, floor uint64) {}

// InFlight returns how many requests wait for their answer.
func (l *Lanes) InFlight() int { return 0 }

// Redrive moves dead letters to PARKED, from where they are delivered.
func (l *Lanes) Redrive(ctx context.Context, f Filter) (moved int, err error) { return 0, nil }

// Discard drops dead letters.
func (l *Lanes) Discard(ctx context.Context, f Filter) (discarded int, err error) { return 0, nil }

// List returns dead letters.
func (l *Lanes) List(ctx context.Context, f Filter, after Place, limit int) ([]DeadLetter, error) {
	return nil, nil
}

// Scan yields the settlements that records of PARKED or DEAD from number from on prove.
func Scan(ctx context.Context, log queue.Log, from uint64, fn func(Settled) error) error { return nil }
