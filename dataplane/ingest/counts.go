package ingest

import "weir/dataplane/ingest/tally"

// Count is what a source sent to this process.
type Count = tally.Count

// key is what a source's counts and limits are kept by.
func (e Entry) key() tally.Key { return tally.Key{Workspace: e.Workspace, Source: e.Source} }

// refused counts n events of a source that a request brought in vain.
func (g *Gateway) refused(e Entry, n int, f failure) {
	g.counters.Of(e.key()).Refuse(n, f.code, g.config.Now())
}

// Counts returns the counts of every source that sent something since the
// process started, by workspace and source.
func (g *Gateway) Counts() []Count { return g.counters.All() }
