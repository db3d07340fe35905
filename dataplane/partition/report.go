package partition

import (
	"context"
	"time"

	"weir/dataplane/dedupe"
	"weir/dataplane/deliver"
	"weir/dataplane/ledger"
	"weir/shared/id"
	"weir/shared/wire"
)

// State is how a partition is at a moment.
type State struct {
	Running bool
	Stops   uint64               // how often it stopped by itself
	Alarms  map[wire.Code]uint64 // what its pipeline raises
	Lanes   []deliver.State      // of its destinations
	Short   []dedupe.Owner       // whose dedupe keys were forgotten before their time; 0: everybody's
}

// State returns how the partition is at now.
func (p *Partition) State(now time.Time) State {
	s := State{Running: p.running.Load(), Stops: p.stops.Load(), Alarms: p.alarms()}
	s.Lanes = p.Lanes(now)
	if seen := p.seen.Load(); seen != nil {
		s.Short = seen.State().Short
	}
	return s
}

// Lanes returns how the partition's destinations do; none while it does not run here.
func (p *Partition) Lanes(now time.Time) []deliver.State {
	if lanes := p.lanes.Load(); lanes != nil {
		return lanes.States(now)
	}
	return nil
}

// Since returns when the oldest delivery of each destination began to wait, in those of the
// partitions that run here.
func Since(all []*Partition, now time.Time) map[id.Destination]time.Time {
	oldest := map[id.Destination]time.Time{}
	for _, p := range all {
		for _, s := range p.Lanes(now) {
			if at, known := oldest[s.Destination]; !s.Since.IsZero() && (!known || s.Since.Before(at)) {
				oldest[s.Destination] = s.Since
			}
		}
	}
	return oldest
}

// Size is how much a partition holds.
type Size struct {
	LagFrames uint64        // frames that are not settled
	LagAge    time.Duration // of the oldest frame that is read and not settled
	Keys      dedupe.State  // of the dedupe index; its window is zero before there is one
}

// Size asks how much the partition holds. While its log is away, which has its
// own alarm, the lag is 0.
func (p *Partition) Size(ctx context.Context) Size {
	var s Size
	if last := p.last(); last != nil {
		if lag, err := last.Lag(ctx); err == nil {
			s.LagFrames, s.LagAge = lag.Frames, lag.Age
		}
	}
	if seen := p.seen.Load(); seen != nil {
		s.Keys = seen.State()
	}
	return s
}

// Ledger returns the partition's ledger.
func (p *Partition) Ledger() []ledger.Row {
	if last := p.last(); last != nil {
		return last.Entries()
	}
	return nil
}

// alarms returns what the pipeline raises, by code. Codes that may not go up
// stand for damage.
func (p *Partition) alarms() map[wire.Code]uint64 {
	raised := map[wire.Code]uint64{}
	last := p.last()
	if last == nil {
		return raised
	}
	for _, a := range last.Problems() {
		c := wire.Code(a.Code)
		if !c.Known() {
			c = "journal_damaged"
		}
		raised[c] += uint64(max(a.Count, 1))
	}
	return raised
}
