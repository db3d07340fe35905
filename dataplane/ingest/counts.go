package ingest

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

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
}

// counters count by source, and hold what the bodies of a workspace may take.
type counters struct {
	m      sync.Map // sourceKey to *counter
	shares sync.Map // id.Workspace to *body.Budget
	share  int64    // of one workspace, in bytes
}

type sourceKey struct {
	workspace id.Workspace
	source    id.Source
}

// key is what a source's counts and limits are kept by.
func (e Entry) key() sourceKey { return sourceKey{e.Workspace, e.Source} }

// counter counts one source. What was received is the sum, so the counts balance at
// any moment.
type counter struct {
	refused, accepted, limited atomic.Uint64

	share *body.Budget // of the source's workspace
}

func (b *counter) refuse(n int) { b.refused.Add(uint64(n)) }
func (b *counter) limit(n int)  { b.limited.Add(uint64(n)); b.refuse(n) }
func (b *counter) accept(n int) { b.accepted.Add(uint64(n)) }

// of returns the counter of a source.
func (b *counters) of(e Entry) *counter {
	key := e.key()
	if v, ok := b.m.Load(key); ok {
		return v.(*counter)
	}
	share, _ := b.shares.LoadOrStore(e.Workspace, &body.Budget{Max: b.share})
	v, _ := b.m.LoadOrStore(key, &counter{share: share.(*body.Budget)})
	return v.(*counter)
}

// Counts returns the counts of every source that sent something since the
// process started, by workspace and source.
func (g *Gateway) Counts() []Count {
	var out []Count
	g.counters.m.Range(func(k, v any) bool {
		key, b := k.(sourceKey), v.(*counter)
		limited := b.limited.Load() // before refused, which holds it
		refused, accepted := b.refused.Load(), b.accepted.Load()
		out = append(out, Count{key.workspace, key.source, refused + accepted, refused, accepted, min(limited, refused)})
		return true
	})
	slices.SortFunc(out, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Workspace, b.Workspace), cmp.Compare(a.Source, b.Source))
	})
	return out
}
