package foreign

import (
	"context"
	"encoding/json"
	"time"

	"weir/dataplane/pull"
	"weir/dataplane/pull/stale"
)

// How long a search waits: for a warehouse that does not answer, and at most for rows of the
// source that are on their way. Past the latter the rows stay until the next version is whole.
const (
	askedAgain = time.Minute
	patience   = 2 * time.Hour
	apartTime  = 10 * time.Minute // while not all processes of the plane answer, and nobody can tell what is on its way
)

// search goes on with the search for rows of former versions, which warehouses have and the
// newest version did not bring: these are gone. No row of the stream is read meanwhile, and
// nothing of the source is on its way to the warehouse when it is looked through, so that no
// row can seem to be missing that is not. over: there is nothing to look for, and the stream
// may be read.
func (s *source) search(ctx context.Context, stream string, from pull.Cursor, b pull.Budget, emit func([]pull.Record, pull.Cursor) error) (next pull.Next, over bool, err error) {
	var p position
	if len(from) == 0 || json.Unmarshal(from, &p) != nil || p.Stale == nil { // start says so where it is unreadable
		return pull.Next{}, true, nil
	}
	now := s.deps.Now()
	if s.deps.Stale == nil || now.Sub(p.Stale.Ended) > patience {
		p.Stale, p.Whole = nil, ""
		return pull.Next{}, false, emit(nil, p.cursor())
	}
	var own error
	apart := false
	find := func(ctx context.Context, q stale.Query) (stale.Rows, error) {
		rows, err := s.deps.Stale(ctx, q)
		apart = rows.Apart
		return rows, err
	}
	done, waits, err := p.Stale.Do(ctx, stream, s.deps.Now, b.Until, 0, find, func(keys []string) error {
		var records []pull.Record
		for _, k := range keys {
			records = append(records, pull.Record{Deleted: true, Key: k, Version: p.version("gone")})
		}
		own = emit(records, p.cursor())
		return own
	})
	switch {
	case own != nil:
		return pull.Next{}, false, own
	case err != nil && ctx.Err() != nil:
		return pull.Next{}, false, ctx.Err()
	case err != nil: // the warehouse's
		s.deps.Log.WarnContext(ctx, "a warehouse was not asked for rows that went", "source", s.deps.Source, "stream", stream)
		return pull.Next{Later: askedAgain}, false, nil
	case waits && apart && now.Sub(p.Stale.Ended) > apartTime:
		s.deps.Log.WarnContext(ctx, "rows that went are not looked for, as not all processes of the plane answer", "source", s.deps.Source, "stream", stream)
		p.Stale, p.Whole = nil, ""
		return pull.Next{}, false, emit(nil, p.cursor())
	case waits:
		return pull.Next{Later: stale.Again}, false, nil
	case !done:
		return pull.Next{More: true}, false, nil
	}
	p.Stale = nil
	return pull.Next{}, false, emit(nil, p.cursor())
}
