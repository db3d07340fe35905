package drift

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/removal"
	"weir/shared/durable"
)

// Bounds of what is kept of a destination.
const (
	shards     = 32   // files, each with the tables of some names
	mostShard  = 1000 // tables in one of them; of further ones nothing is known
	mostMet    = 200  // changes that loads met
	mostOthers = 200  // names of further columns of a table
	alarmTime  = 24 * time.Hour
)

// Tables is what is expected of the tables of one destination, and which changes loads met,
// in a folder. It is safe for concurrent use. One load at a time calls Meets to End.
type Tables struct {
	dir string
	now func() time.Time

	mu     sync.Mutex
	open   map[uint32]map[string]Table // shards that the load under way read
	edited map[uint32]bool
	met    []Change // oldest first; nil: not read yet
	news   bool     // met has what its file has not
}

// New returns what a folder has.
func New(dir string, now func() time.Time) *Tables { return &Tables{dir: dir, now: now} }

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func shardOf(table string) uint32 { return crc32.ChecksumIEEE([]byte(table)) % shards }

func (t *Tables) path(shard uint32) string {
	return filepath.Join(t.dir, fmt.Sprintf("%02d.json", shard))
}

// read returns a shard; mu is held. One that cannot be read is begun anew: then nothing is
// expected of its tables.
func (t *Tables) read(shard uint32) map[string]Table {
	all := map[string]Table{}
	if _, err := durable.GetJSON(t.path(shard), &all); err != nil || all == nil {
		all = map[string]Table{}
	}
	return all
}

// shard is that of the load under way; mu is held.
func (t *Tables) shard(table string) map[string]Table {
	n := shardOf(table)
	if t.open == nil {
		t.open, t.edited = map[uint32]map[string]Table{}, map[uint32]bool{}
	}
	if t.open[n] == nil {
		t.open[n] = t.read(n)
	}
	return t.open[n]
}

// Meets compares a table with what was expected before a load changes it, notes what
// somebody changed, and expects from now on what there is. It returns the changes.
func (t *Tables) Meets(name string, have warehouse.TableSchema) []Change {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.shard(name)
	was := all[name]
	changes := Compare(name, was, have)
	if len(changes) == 0 {
		return nil
	}
	t.note(changes...)
	kept := Table{Columns: map[string]Column{}, Others: was.Others}
	for column, c := range was.Columns {
		if now, there := have.Columns[column]; there && !have.Taken {
			c.Type, c.Native = now.Type, now.Native
			kept.Columns[column] = c
		}
	}
	if all[name] = kept; len(kept.Columns) == 0 {
		delete(all, name)
	}
	t.edited[shardOf(name)] = true
	return changes
}

// Fills notes which columns a load fills of a table that had these before it.
func (t *Tables) Fills(into warehouse.Table, had warehouse.TableSchema) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.shard(into.Name)
	was, known := all[into.Name]
	if !known && len(all) >= mostShard {
		return
	}
	now := Table{Columns: maps.Clone(was.Columns)}
	if now.Columns == nil {
		now.Columns = map[string]Column{}
	}
	for _, c := range into.Columns {
		if c.Over {
			continue
		}
		now.Columns[c.Name] = Column{Type: c.Type, Native: c.Native}
		if c.Raw != "" {
			now.add(c.Raw, had)
		}
	}
	if into.More != "" {
		now.add(into.More, had)
	}
	for _, column := range sorted(had.Columns) {
		if _, filled := now.Columns[column]; !filled && len(now.Others) < mostOthers {
			now.Others = append(now.Others, column)
		}
	}
	if known && maps.Equal(was.Columns, now.Columns) && slices.Equal(was.Others, now.Others) {
		return
	}
	all[into.Name] = now
	t.edited[shardOf(into.Name)] = true
}

// add expects a column that the load may just have made.
func (t *Table) add(name string, had warehouse.TableSchema) {
	t.Columns[name] = Column{Type: had.Columns[name].Type, Native: had.Columns[name].Native}
}

// Denied notes that the destination's user may not fill a table.
func (t *Tables) Denied(table string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.note(Change{Code: TableDenied, Table: table})
}

// note keeps what a load met; mu is held.
func (t *Tables) note(changes ...Change) {
	t.readMet()
	now := t.now().UTC()
	for _, c := range changes {
		i := slices.IndexFunc(t.met, c.same)
		if c.At, c.Last = now, now; i >= 0 {
			c.At = t.met[i].At
			t.met = slices.Delete(t.met, i, i+1)
		}
		t.met = append(t.met, c)
	}
	t.met, t.news = t.met[max(0, len(t.met)-mostMet):], true
}

func (t *Tables) readMet() {
	if t.met != nil {
		return
	}
	if _, err := durable.GetJSON(filepath.Join(t.dir, "met.json"), &t.met); err != nil || t.met == nil {
		t.met = []Change{}
	}
}

// End writes what the load under way noted.
func (t *Tables) End() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for n := range t.edited {
		errs = append(errs, durable.PutJSON(t.path(n), t.open[n]))
	}
	t.open, t.edited = nil, nil
	if t.news {
		errs = append(errs, durable.PutJSON(filepath.Join(t.dir, "met.json"), t.met))
		t.news = false
	}
	return errors.Join(errs...)
}

// Met returns the changes that loads met, newest first.
func (t *Tables) Met() []Change {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.readMet()
	all := slices.Clone(t.met)
	slices.Reverse(all)
	return all
}

// Recent says that a load met a change within a day.
func (t *Tables) Recent() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.readMet()
	return len(t.met) > 0 && t.now().Sub(t.met[len(t.met)-1].Last) < alarmTime
}

// Names returns the names of the tables that loads filled.
func (t *Tables) Names() []string { return sorted(t.names()) }

// names returns the tables of which something is expected.
func (t *Tables) names() map[string]Table {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := map[string]Table{}
	for n := range uint32(shards) {
		part := t.open[n]
		if part == nil {
			part = t.read(n)
		}
		maps.Copy(all, part)
	}
	return all
}

// Seen is a table as it is, beside what is expected of it.
type Seen struct {
	Name    string
	Known   bool // loads filled it
	Have    warehouse.TableSchema
	Was     Table
	Changes []Change
}

// atOnce is of how many tables a warehouse is asked at once.
const atOnce = 200

// Look compares every table that loads filled, and those that w lists beside them, with the
// warehouse, or only one; by name. Nothing is noted.
func (t *Tables) Look(ctx context.Context, w warehouse.Warehouse, only string) ([]Seen, error) {
	known := t.names()
	names := sorted(known)
	if l, ok := w.(removal.Lister); ok {
		more, err := l.Tables(ctx)
		if err != nil {
			return nil, err
		}
		slices.Sort(more)
		names = slices.Compact(slices.Sorted(slices.Values(append(names, more...))))
	}
	if only != "" {
		names = []string{only}
	}
	var all []Seen
	for part := range slices.Chunk(names, atOnce) {
		have, err := w.Schema(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, name := range part {
			was, is := known[name]
			if s := (Seen{Name: name, Known: is, Have: have[name], Was: was}); is || s.Have.Columns != nil {
				s.Changes = Compare(name, was, s.Have)
				all = append(all, s)
			}
		}
	}
	return all, nil
}
