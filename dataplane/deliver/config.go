package deliver

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"weir/dataplane/backlog"
	"weir/dataplane/delivery"
	"weir/dataplane/destination"
	"weir/dataplane/live"
	"weir/dataplane/outbound"
	"weir/dataplane/parked"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/telemetry"
)

// Config says what the lanes of one partition work with. Zero values of the
// optional fields mean the defaults named beside them.
type Config struct {
	// Parked and Dead are the partition's logs. The lanes must be their only
	// writer; a write of anybody else ends Run with fault.Conflict.
	Parked, Dead parked.Log
	// Lookup returns a destination as it is now. It is asked before every send,
	// so it must be quick.
	Lookup func(id.Workspace, id.Destination) (*destination.Target, destination.Presence)
	// Settle takes what left its stage, see Settled. Settlements of one output
	// come in the order in which they happened; those with EndParked come in the
	// order of their To, all of one record in one call, and so do those that are
	// proven by DEAD (EndDead, discarded). It may be called from many
	// goroutines until Run returned, and must not call back into Lanes. The slice
	// is the callee's.
	Settle func([]delivery.Settled)
	// Drained reports that every PARKED record of the destination up to and
	// including floor is settled. The Settle calls that make it true came before. A floor
	// is reported again when it is to be known that all Settle calls are journaled.
	// Once all of this is journaled the pipeline calls Confirmed. Same rules as
	// for Settle.
	Drained func(d id.Destination, floor uint64)
	// Held reports whether the partition is still ours; it is asked before every
	// send. nil means always.
	Held func() bool
	// Do sends one request and takes timeout at most: outbound.Client.Do, or a
	// test's. Its errors are what destination.Judge takes.
	Do func(ctx context.Context, r destination.Request, timeout time.Duration) (destination.Response, error)
	// Plane is what the lanes of all partitions share; nil: nothing.
	Plane *outbound.Plane
	// Deps is handed to sinks.
	Deps destination.Deps
	// Live shows deliveries to who watches; nil: nobody does.
	Live *live.Hub
	// Yield bounds how much of backlogs is under way; nil: nothing does.
	Yield *backlog.Yield
	// Trace returns the trace of a frame, nil for none; nil: no frame has one.
	Trace func(frame uint64) *telemetry.Trace
	// Log is where what an operator should know is written; nil means nowhere.
	Log *slog.Logger

	Owners      int           // partitions that share a destination's concurrency; 2
	ParkAfter   time.Duration // from reading a frame to parking what is not settled; 2 s
	LaneBytes   int64         // events a lane beside others keeps in memory before it parks; 16 MiB
	MemoryBytes int64         // events all lanes keep in memory before they park, of one workspace 4/5; 128 MiB
	Backlog     int64         // events that wait to be written to PARKED or DEAD; 16 MiB each
	Grace       time.Duration // how long Run waits for answers after its context ended; 5 s
	Seed        uint64        // of the jitter of retries; 0 means a random one

	window int // backlog.Config.Window
	span   int // backlog.Config.Span
}

// withDefaults checks c and fills in what is optional.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	need := func(ok bool, name string) {
		if !ok {
			errs = append(errs, fault.New(fault.Internal, "deliver.Config.%s is required", name))
		}
	}
	need(c.Parked != nil, "Parked")
	need(c.Dead != nil, "Dead")
	need(c.Lookup != nil, "Lookup")
	need(c.Settle != nil, "Settle")
	need(c.Do != nil, "Do")
	if c.Drained == nil {
		c.Drained = func(id.Destination, uint64) {}
	}
	if c.Held == nil {
		c.Held = func() bool { return true }
	}
	if c.Trace == nil {
		c.Trace = func(uint64) *telemetry.Trace { return nil }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Deps.Now == nil {
		c.Deps.Now = time.Now
	}
	if c.Deps.Log == nil {
		c.Deps.Log = c.Log
	}
	orInt(&c.Owners, 2)
	orInt(&c.ParkAfter, 2*time.Second)
	orInt(&c.LaneBytes, 16<<20)
	orInt(&c.MemoryBytes, 128<<20)
	orInt(&c.Backlog, 16<<20)
	orInt(&c.Grace, 5*time.Second)
	return c, errors.Join(errs...)
}

// orInt puts value into *p when *p is zero.
func orInt[T int | int64 | time.Duration](p *T, value T) {
	if *p == 0 {
		*p = value
	}
}
