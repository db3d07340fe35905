// Package tally counts what sources sent to a process, and why what was refused was: codes and
// counts, in memory that is bounded.
package tally

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir/dataplane/ingest/body"
	"weir/shared/id"
)

// Count is what a source sent to this process: Received = Refused + Accepted. A
// body that could not be cut counts as one. Accepted holds the quarantined ones,
// RateLimited is how many of Refused the source's Rate refused.
type Count struct {
	Workspace                   id.Workspace
	Source                      id.Source
	Received, Refused, Accepted uint64
	RateLimited                 uint64
	Reasons                     map[string]uint64 // of Refused, by code
	Accepts, Refuses            time.Time         // when something was last accepted and refused; zero for never
}

// Key is one source.
type Key struct {
	Workspace id.Workspace
	Source    id.Source
}

// Counters count by source, and hold what the bodies of a workspace may take. The zero value
// is ready for use, with no room for bodies.
type Counters struct {
	Share int64 // of the bodies of one workspace, in bytes

	m      sync.Map // Key to *Counter
	shares sync.Map // id.Workspace to *body.Budget
}

// Counter counts one source. What was received is the sum, so the counts balance at
// any moment.
type Counter struct {
	refused, accepted, limited atomic.Uint64
	accepts, refuses           atomic.Int64 // Unix seconds, 0 for never

	mu      sync.Mutex
	reasons map[string]uint64

	Room *body.Budget // of the source's workspace
}

// How many codes are counted of one source, and the code of all further ones: kinds have few.
const (
	mostReasons = 50
	otherwise   = "other"
)

// Refuse counts n events that were refused at a time for a code.
func (c *Counter) Refuse(n int, code string, at time.Time) {
	c.mu.Lock()
	if c.reasons == nil {
		c.reasons = map[string]uint64{}
	}
	if _, known := c.reasons[code]; !known && len(c.reasons) >= mostReasons {
		code = otherwise
	}
	c.reasons[code] += uint64(n)
	c.mu.Unlock()
	c.refuses.Store(at.Unix())
	c.refused.Add(uint64(n))
}

// Limit is Refuse of what the source's rate refused.
func (c *Counter) Limit(n int, code string, at time.Time) {
	c.limited.Add(uint64(n))
	c.Refuse(n, code, at)
}

// Accept counts n events that are durable.
func (c *Counter) Accept(n int, at time.Time) {
	c.accepts.Store(at.Unix())
	c.accepted.Add(uint64(n))
}

// Of returns the counter of a source.
func (b *Counters) Of(k Key) *Counter {
	if v, ok := b.m.Load(k); ok {
		return v.(*Counter)
	}
	share, _ := b.shares.LoadOrStore(k.Workspace, &body.Budget{Max: b.Share})
	v, _ := b.m.LoadOrStore(k, &Counter{Room: share.(*body.Budget)})
	return v.(*Counter)
}

// All returns the counts of every source that sent something, by workspace and source.
func (b *Counters) All() []Count {
	var out []Count
	b.m.Range(func(k, v any) bool {
		key, c := k.(Key), v.(*Counter)
		limited := c.limited.Load() // before refused, which holds it
		refused, accepted := c.refused.Load(), c.accepted.Load()
		c.mu.Lock()
		reasons := maps.Clone(c.reasons)
		c.mu.Unlock()
		out = append(out, Count{
			Workspace: key.Workspace, Source: key.Source, Received: refused + accepted, Refused: refused, Accepted: accepted,
			RateLimited: min(limited, refused), Reasons: reasons, Accepts: moment(c.accepts.Load()), Refuses: moment(c.refuses.Load()),
		})
		return true
	})
	slices.SortFunc(out, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Workspace, b.Workspace), cmp.Compare(a.Source, b.Source))
	})
	return out
}

func moment(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
