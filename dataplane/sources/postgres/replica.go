package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/pull"
	"weir/dataplane/pull/tables"
	"weir/dataplane/sources/postgres/text"
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
	slot   string          // that changes are read from; "": not known, or there is none
	held   bool            // the last step of the changes failed
	copied map[string]bool // by stream: its copy is whole, or is held up; else its steps are waited for
}

func newReplica(s Settings, d pull.Deps) *replica {
	whole := maps.Clone(s.Tables)
	for name := range whole {
		whole[name] = ""
	}
	r := &replica{s: s, d: d, most: longest, copied: map[string]bool{}}
	r.tables = tables.New(tables.Config{Tables: whole, Keys: s.Keys}, d, func(ctx context.Context) (tables.Session, error) { return connect(ctx, s, d, true) })
	return r
}

// codeSlot: the server has not kept changes, and everything is read anew.
const codeSlot = "source_slot_lost"

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
}

// copy copies a table, once for each slot.
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
	if at.Slot != r.slot {
		at = copying{Slot: r.slot}
	}
	if at.Copied {
		r.copied[stream] = true
		return pull.Next{}, nil
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
		at.Begun = true
	}
	next, err := r.tables.Pull(ctx, stream, at.Table, pull.Budget{Until: b.Until}, func(records []pull.Record, c pull.Cursor) error {
		at.Table = c
		return keep(records)
	})
	if err != nil || next.More {
		return next, err
	}
	at.Copied, at.Table = true, nil
	if err := keep(nil); err != nil {
		return pull.Next{}, err
	}
	r.copied[stream] = true
	return pull.Next{}, nil
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
	if err := r.publish(ctx, x, name); err != nil {
		return 0, 0, err
	}
	snap, err := x.snapshot(ctx)
	return snap.Next, snap.Oldest, err
}

// control signs in for statements that are each a transaction of their own.
func (r *replica) control(ctx context.Context) (*session, error) {
	x, err := dial(ctx, r.s, r.d, forms(map[string]string{"statement_timeout": strconv.FormatInt(statementTime.Milliseconds(), 10), "lock_timeout": "15000", "default_transaction_isolation": "read committed"}))
	if err == nil {
		x.plain = true
	}
	return x, err
}

// forms adds how values are written.
func forms(parameters map[string]string) map[string]string {
	for name, value := range map[string]string{
		"timezone": "UTC", "datestyle": "ISO", "intervalstyle": "iso_8601", "extra_float_digits": "3", "bytea_output": "hex", "standard_conforming_strings": "on",
	} {
		parameters[name] = value
	}
	return parameters
}

// snapshot asks for the transactions that go on.
func (x *session) snapshot(ctx context.Context) (s text.Snapshot, err error) {
	ok := false
	err = x.query(ctx, "", "select pg_current_snapshot()", nil, func(row [][]byte) error {
		s, ok = text.ReadSnapshot(string(row[0]))
		return nil
	})
	if err == nil && !ok {
		err = &pull.Failure{Code: pull.CodeAnswer, Text: "The server does not say which transactions go on."}
	}
	return s, err
}

// publish adds a table to the publication where it is not in it, and says what keeps its
// changes from being of use.
func (r *replica) publish(ctx context.Context, x *session, name string) error {
	t, err := x.Table(ctx, name)
	if err != nil {
		return err
	}
	schema, table := x.schema, name
	if before, after, ok := strings.Cut(name, "."); ok {
		schema, table = before, after
	}
	identity, kind, owner := "", "", ""
	var known []string
	err = x.query(ctx, name, `select c.relreplident, c.relkind, pg_catalog.pg_get_userbyid(c.relowner), coalesce((select string_agg(a.attname, E'\n') from pg_catalog.pg_index i
		join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey) where i.indrelid = c.oid and i.indisreplident), '')
		from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2`, []string{schema, table}, func(row [][]byte) error {
		identity, kind, owner = string(row[0]), string(row[1]), string(row[2])
		known = strings.Split(string(row[3]), "\n")
		return nil
	})
	if err != nil {
		return err
	}
	if kind != "r" && kind != "p" {
		return &pull.Failure{Code: pull.CodeRefused, Text: name + " is no table, so it has no changes of its own: name the tables that it reads."}
	}
	keys := keysOf(r.s.Keys[name], t.Key)
	if identity == "d" {
		known = t.Key
	}
	for _, k := range keys {
		if identity != "f" && !slices.Contains(known, k) {
			return &pull.Failure{Code: pull.CodeRefused, Text: fmt.Sprintf("Changes of %s do not say which row they are of. Run: ALTER TABLE %s REPLICA IDENTITY FULL; or give it a primary key, or an index by REPLICA IDENTITY USING INDEX, and name its columns in keys.", name, t.Name)}
		}
	}
	if len(keys) == 0 {
		return &pull.Failure{Code: pull.CodeRefused, Text: fmt.Sprintf("The table %s has no primary key: name the columns that name a row in the setting keys. Where it has no unique index either, run: ALTER TABLE %s REPLICA IDENTITY FULL;", name, t.Name)}
	}
	there, rooted := false, false
	err = x.query(ctx, name, `select p.pubviaroot, exists (select from pg_catalog.pg_publication_tables t where t.pubname = p.pubname and t.schemaname = $2 and t.tablename = $3)
		from pg_catalog.pg_publication p where p.pubname = $1`, []string{r.s.Publication, schema, table}, func(row [][]byte) error {
		rooted, there = string(row[0]) == "t", string(row[1]) == "t"
		return nil
	})
	publication := quote(r.s.Publication)
	switch {
	case err != nil:
		return err
	case kind == "p" && !rooted:
		return &pull.Failure{Code: pull.CodeRefused, Text: fmt.Sprintf("The publication has the parts of %s, not the table. Run: ALTER PUBLICATION %s SET (publish_via_partition_root = true);", name, publication)}
	case there:
		return nil
	}
	add := "ALTER PUBLICATION " + publication + " ADD TABLE " + t.Name
	if err := x.query(ctx, name, add, nil, func([][]byte) error { return nil }); err != nil {
		return &pull.Failure{Code: pull.CodeRefused, Text: fmt.Sprintf("The table is not in the publication. Run as %s: %s;", quote(owner), add)}
	}
	return nil
}

// keysOf are the columns that name a row: those of the setting, else those of the primary
// key.
func keysOf(given string, primary []string) (keys []string) {
	if given == "" {
		return primary
	}
	for part := range strings.SplitSeq(given, ",") {
		keys = append(keys, strings.TrimSpace(part))
	}
	return keys
}
