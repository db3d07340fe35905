package ingest

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

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

// books count by source.
type books struct{ m sync.Map } // bookKey to *book

type bookKey struct {
	workspace id.Workspace
	source    id.Source
}

// key is what a source's counts and limits are kept by.
func (e Entry) key() bookKey { return bookKey{e.Workspace, e.Source} }

// book counts one source. What was received is the sum, so the books balance at
// any moment.
type book struct{ refused, accepted, limited atomic.Uint64 }

func (b *book) refuse(n int) { b.refused.Add(uint64(n)) }
func (b *book) limit(n int)  { b.limited.Add(uint64(n)); b.refuse(n) }
func (b *book) accept(n int) { b.accepted.Add(uint64(n)) }

// of returns the book of a source.
func (b *books) of(e Entry) *book {
	key := e.key()
	if v, ok := b.m.Load(key); ok {
		return v.(*book)
	}
	v, _ := b.m.LoadOrStore(key, new(book))
	return v.(*book)
}

// Counts returns the counts of every source that sent something since the
// process started, by workspace and source.
func (g *Gateway) Counts() []Count {
	var out []Count
	g.books.m.Range(func(k, v any) bool {
		key, b := k.(bookKey), v.(*book)
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
