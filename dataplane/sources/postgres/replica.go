package postgres

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"weir/dataplane/pull"
	"weir/dataplane/pull/stale"
	"weir/dataplane/pull/tables"
	"weir/dataplane/sources/postgres/publication"
	"weir/dataplane/sources/postgres/session"
	"weir/shared/catalog/streams"
)

// feed is the stream of the changes, as the spec calls it.
const feed = "replication"

// Waits of copies: for the slot, also while it cannot be made, and for transactions that
// began before the copy.
const (
	slotWait  = time.Second
	heldWait  = 20 * time.Second
	otherWait = 2 * time.Second
)

// replica is a source by logical replication.
type replica struct {
	s      Settings
	d      pull.Deps
	tables pull.Puller   // reads tables whole, by their keys
	most   time.Duration // of a step in the midst of a transaction

	// Of this process. Steps of a source follow one another.
	slot    string            // that changes are read from; "": not known, or there is none
	held    bool              // the last step of the changes failed
	copied  map[string]bool   // by stream: its copy is whole, or is held up; else its steps are waited for
	emptied map[string]string // by stream: its last TRUNCATE in the changes
	wakes   []string          // streams that are to begin at once
}

// Wakes are the streams that are to begin at once.
func (r *replica) Wakes() []string {
	all := r.wakes
	r.wakes = nil
	return all
}

func newReplica(s Settings, d pull.Deps) *replica {
	whole := maps.Clone(s.Tables)
	for name := range whole {
		whole[name] = ""
	}
	r := &replica{s: s, d: d, most: longest, copied: map[string]bool{}, emptied: map[string]string{}}
	r.tables = tables.New(tables.Config{Tables: whole, Keys: s.Keys}, d, func(ctx context.Context) (tables.Session, error) { return session.Begin(ctx, s.server(d), true) })
	return r
}

// Follows says that changes are waited for.
func (r *replica) Follows(stream string) bool { return stream == feed }

// Pull implements pull.Puller.
func (r *replica) Pull(ctx context.Context, stream string, from pull.Cursor, b pull.Budget, emit func([]pull.Record, pull.Cursor) error) (pull.Next, error) {
	if r.d.Source == "" {
		return pull.Next{}, &pull.Failure{Code: pull.CodeRefused, Text: "A source by logical replication is pulled by a plane alone: it has a slot there."}
	}
	if stream == feed {
		next, err := r.follow(ctx, from, b, emit)
		r.held = err != nil
		return next, err
	}
	next, err := r.copy(ctx, stream, from, b, emit)
	if err != nil {
		r.copied[stream] = true
	}
	return next, err
}

// copying is how far the copy of a table is.
type copying struct {
	Slot    string      `json:"slot,omitempty"`    // whose changes follow; of another slot's copy all begins anew
	Horizon uint64      `json:"horizon,omitempty"` // the copy begins when all transactions before it have ended
	Begun   bool        `json:"begun,omitempty"`
	Table   pull.Cursor `json:"table,omitempty"`
	Copied  bool        `json:"copied,omitempty"`
	Emptied string      `json:"emptied,omitempty"` // the TRUNCATE behind which it was copied
	// Stale is the search, behind the copy, for rows that warehouses have and the table does
	// not; nil: it is over.
	Stale *stale.Search `json:"stale,omitempty"`
}

// copy copies a table, once for each slot and for each time that it was emptied. Then it
// looks for rows that went while nobody was told.
func (r *replica) copy(ctx context.Context, stream string, from pull.Cursor, b pull.Budget, emit func([]pull.Record, pull.Cursor) error) (pull.Next, error) {
	name := ""
	for _, entry := range slices.Sorted(maps.Keys(r.s.Tables)) {
		if streams.Named(entry) == stream {
			name = entry
		}
	}
	if name == "" {
		return pull.Next{}, &pull.Failure{Code: pull.CodeNoStream, Text: "The settings have no such table any more."}
	}
	switch {
	case r.slot == "" && r.held:
		return pull.Next{Wait: heldWait}, nil
	case r.slot == "":
		return pull.Next{Wait: slotWait}, nil
	}
	var at copying
	if err := read(from, &at); err != nil {
		return pull.Next{}, err
	}
	if at.Slot != r.slot || at.Emptied != r.emptied[stream] {
		at = copying{Slot: r.slot, Emptied: r.emptied[stream]}
	}
	if at.Copied {
		r.copied[stream] = true
		return r.search(ctx, stream, name, &at, b, emit)
	}
	r.copied[stream] = false
	keep := func(records []pull.Record) error { return emit(records, encoded(at)) }
	if !at.Begun {
		horizon, oldest, err := r.prepare(ctx, name)
		if err != nil {
			return pull.Next{}, err
		}
		if at.Horizon == 0 {
			at.Horizon = horizon
			if err := keep(nil); err != nil {
				return pull.Next{}, err
			}
		}
		// The changes of one that began before the table was published are not sent.
		if oldest < at.Horizon {
			return pull.Next{Wait: otherWait}, nil
		}
		at.Begun, at.Stale = true, &stale.Search{Since: r.d.Now().UTC()}
	}
	next, err := r.tables.Pull(ctx, stream, at.Table, pull.Budget{Until: b.Until}, func(records []pull.Record, c pull.Cursor) error {
		at.Table = c
		for i := range records {
			if at.Stale != nil {
				at.Stale.Mark(records[i].Key)
			}
		}
		return keep(records)
	})
	if err != nil || next.More {
		return next, err
	}
	at.Copied, at.Table = true, nil
	if r.d.Stale == nil {
		at.Stale = nil
	}
	if at.Stale != nil {
		at.Stale.Ended = r.d.Now().UTC()
	}
	if err := keep(nil); err != nil {
		return pull.Next{}, err
	}
	r.copied[stream] = true
	return r.search(ctx, stream, name, &at, b, emit)
}

// read reads a cursor.
func read(from pull.Cursor, at any) error {
	if len(from) == 0 {
		return nil
	}
	if err := json.Unmarshal(from, at); err != nil {
		return &pull.Failure{Code: pull.CodeAnswer, Text: "The state of the stream is unreadable: reset it."}
	}
	return nil
}

func encoded(at any) pull.Cursor {
	b, err := json.Marshal(at)
	if err != nil {
		panic("a position that cannot be JSON: " + err.Error()) // texts and numbers
	}
	return b
}

// prepare lets a table be published. It returns the next transaction and the oldest one
// that goes on.
func (r *replica) prepare(ctx context.Context, name string) (next, oldest uint64, err error) {
	x, err := r.control(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer x.Close()
	t, err := x.Table(ctx, name)
	if err != nil {
		return 0, 0, err
	}
	if err := publication.Add(ctx, x.Query, t, name, x.Schema, r.s.Keys[name], r.s.Publication); err != nil {
		return 0, 0, err
	}
	snap, err := x.Snapshot(ctx)
	return snap.Next, snap.Oldest, err
}

// control signs in for statements that are each a transaction of their own.
func (r *replica) control(ctx context.Context) (*session.Session, error) {
	return session.Control(ctx, r.s.server(r.d))
}
