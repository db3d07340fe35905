package postgres

import (
	"context"
	"maps"
	"time"

	"weir/dataplane/pull"
	"weir/dataplane/pull/stale"
	"weir/dataplane/sources/postgres/publication"
)

// Times of searches: how long one waits for rows that were pulled before, and for a
// warehouse that does not answer.
const (
	patience   = 2 * time.Hour
	askedAgain = time.Minute
)

// search looks for rows that warehouses have and that neither the copy of a table nor a
// change since has written, and emits those as deleted that the table does not have now.
// What it emits is right whatever is still on its way: steps of a source follow one
// another, so a row that comes back is emitted behind it.
func (r *replica) search(ctx context.Context, stream, name string, at *copying, b pull.Budget, emit func([]pull.Record, pull.Cursor) error) (pull.Next, error) {
	if at.Stale == nil || r.d.Stale == nil {
		return pull.Next{}, nil
	}
	var own error
	done, waits, err := at.Stale.Do(ctx, stream, r.d.Now, b.Until, patience, r.d.Stale, func(keys []string) error {
		own = r.gone(ctx, name, keys, at, emit)
		return own
	})
	switch {
	case own != nil:
		return pull.Next{}, own
	case err != nil && ctx.Err() != nil:
		return pull.Next{}, ctx.Err()
	case err != nil: // the warehouse's
		r.d.Log.WarnContext(ctx, "a warehouse was not asked for rows that went", "source", r.d.Source, "stream", stream)
		return pull.Next{Later: askedAgain}, nil
	case waits:
		return pull.Next{Later: stale.Again}, emit(nil, encoded(at))
	case !done:
		return pull.Next{More: true}, nil
	}
	at.Stale = nil
	return pull.Next{}, emit(nil, encoded(at))
}

// gone emits rows as deleted that a table does not have.
func (r *replica) gone(ctx context.Context, name string, keys []string, at *copying, emit func([]pull.Record, pull.Cursor) error) error {
	x, err := r.control(ctx)
	if err != nil {
		return err
	}
	defer x.Close()
	there, err := x.There(ctx, name, publication.Keys(r.s.Keys[name], nil), keys)
	if err != nil {
		return err
	}
	var records []pull.Record
	for _, k := range keys {
		if !there[k] {
			records = append(records, pull.Record{Deleted: true, Key: k, Version: "gone/" + at.Stale.Since.Format(time.RFC3339Nano)})
		}
	}
	return emit(records, encoded(at))
}

// emptied notes that tables were emptied by a TRUNCATE, which no change of a row says: they
// are copied anew.
func (f *follower) emptied(ctx context.Context, ids []uint32) error {
	var names []string
	for _, id := range ids {
		if rel := f.relations[id]; rel != nil && rel.stream != "" {
			names = append(names, rel.stream)
		}
	}
	if len(names) == 0 || f.end == f.skipped && f.changes <= f.position.Done {
		return nil
	}
	all := maps.Clone(f.position.Emptied)
	if all == nil {
		all = map[string]string{}
	}
	for _, name := range names {
		all[name] = f.version()
		f.r.copied[name] = false
	}
	f.position.Emptied, f.r.emptied = all, all // with the changes before it: it does not come again behind those
	f.r.wakes = append(f.r.wakes, names...)
	f.xids = append(f.xids, f.xid)
	if err := f.flush(ctx); err != nil {
		return err
	}
	return f.seen(ctx) // before a copy reads the table
}
