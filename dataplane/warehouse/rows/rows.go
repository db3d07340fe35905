// Package rows makes of staged files the rows of one table as its columns take them: one
// row for each id, guarded values in their column or its sibling, and what has no column
// in MoreColumn. It writes them as Parquet files for warehouses that load files, so that
// their SQL only has to bring one table into another.
//
// What it holds in memory are the rows of one part, and a part of the SHA-256 of every id.
package rows

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"

	"weir/dataplane/blob"
	"weir/dataplane/layout"
	"weir/dataplane/layout/timestamp"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouse/texts"
)

// Kind is what a kind of warehouse says of its columns.
type Kind struct {
	// Guard tells of values whether a column of a native type holds them. Nil for a type
	// says that it holds none.
	Guard func(native string) Guard
	Texts []layout.Type // whose values the files have as texts
	// MaxText is how many bytes a text has at most; a row with a longer one is refused. 0:
	// there is no limit.
	MaxText int
}

// Column is a column of the table that a merge writes.
type Column struct {
	Name   string
	Native string // "" for a sibling and for MoreColumn, which are texts
	// File is the type of its values in the files: Int, Float, Boolean, Datetime
	// (milliseconds in UTC) or String.
	File layout.Type
	// Sibling is the column that is taken over together with this one; empty without.
	Sibling string
}

// place is where values of a staged column go.
type place struct {
	at    int    // in Columns, -1 when they go to more
	raw   int    // of the sibling that takes what does not fit, -1 without
	guard Guard  // with a sibling
	texts bool   // the column is one of texts
	over  string // the name in MoreColumn, when it goes there
}

// Table is the shape of the rows of one table. It is immutable.
type Table struct {
	Columns []Column

	into   warehouse.Table
	kind   Kind
	places map[string]place
	more   int // index of MoreColumn, -1 without
	id     int // index of the column id
}

// Of returns the shape of the rows that a merge brings into a table.
func Of(into warehouse.Table, k Kind) *Table {
	t := &Table{into: into, kind: k, places: map[string]place{}, more: -1, id: -1}
	index := map[string]int{}
	add := func(c Column) int {
		if i, ok := index[c.Name]; ok {
			return i
		}
		index[c.Name] = len(t.Columns)
		t.Columns = append(t.Columns, c)
		return index[c.Name]
	}
	for _, c := range into.Columns {
		if c.Over {
			t.places[c.Name] = place{at: -1, raw: -1, over: c.Name}
			continue
		}
		file := layout.String
		if slices.Contains([]layout.Type{layout.Int, layout.Float, layout.Boolean, layout.Datetime}, c.Type) && !c.Guard && !slices.Contains(k.Texts, c.Type) {
			file = c.Type
		}
		t.places[c.Name] = place{at: add(Column{Name: c.Name, Native: c.Native, File: file}), raw: -1, texts: c.Type == layout.String || c.Type == layout.Text}
	}
	for _, c := range into.Columns {
		if c.Guard {
			p := t.places[c.Name]
			p.raw, p.guard = add(Column{Name: c.Raw, File: layout.String}), k.Guard(c.Native)
			t.places[c.Name] = p
		}
	}
	if into.More != "" {
		t.more = add(Column{Name: into.More, File: layout.String})
	}
	for _, c := range into.Columns {
		if c.Raw == "" || c.Over {
			continue
		}
		t.Columns[index[c.Name]].Sibling = c.Raw
		if i, ok := index[c.Raw]; ok {
			t.Columns[i].Sibling = c.Name
		}
	}
	if i, ok := index["id"]; ok {
		t.id = i
	}
	return t
}

// InFile is the name of the nth column of Columns in the files: the order of their names
// is that of the columns.
func InFile(n int) string { return fmt.Sprintf("c%05d", n) }

// Keep says whether a row keeps what a newer one does not have.
func (t *Table) Keep() bool { return t.into.Keep }

// paired says whether the sibling of a column is among the columns.
func (t *Table) paired(c *Column) bool {
	return c.Sibling != "" && slices.ContainsFunc(t.Columns, func(o Column) bool { return o.Name == c.Sibling })
}

// partBytes is about how much the values of a part have; one row more may be in it.
const partBytes = 32 << 20

// Sink takes what Write makes.
type Sink struct {
	// Former returns, of rows that the table has, what MoreColumn is: by id, and without
	// those where it is null. Only tables that keep values ask.
	Former func(ctx context.Context, ids []string) (map[string]string, error)
	// Put takes a Parquet file with the columns InFile, no id twice in it. Files of a table
	// that keeps values have to be merged one after the other; of others no two files
	// have the same id.
	Put func(ctx context.Context, file []byte) error
	// Take, when it is there, takes the rows themselves in the place of Put: values in the
	// order of Columns, which it may keep.
	Take func(ctx context.Context, rows [][]parquet.Value) error
	// Batch, when it is there, takes them by column in the place of Put; the batch is good
	// until it returns. Of a table that keeps values no batch has an id twice, and a later one
	// has what is newer.
	Batch func(ctx context.Context, b Batch) error
}

// Write reads staged files and gives the rows of the table to a sink. Errors are Failures:
// of staging, of the sink, and refusal.Rows for a row that the kind does not take.
func (t *Table) Write(ctx context.Context, blobs blob.Store, files []warehouse.Staged, to Sink) error {
	if t.id < 0 {
		return warehouse.Fail(warehouse.CodeStage, errors.New("staged rows have no ids"))
	}
	p := part{t: t, to: to, at: map[string]int{}}
	if t.Keep() {
		if err := t.each(ctx, blobs, files, func(_ int64, row []parquet.Value, more map[string]string) error { return p.fold(ctx, row, more) }); err != nil {
			return err
		}
		return p.flush(ctx)
	}
	last, err := t.newest(ctx, blobs, files)
	if err != nil {
		return err
	}
	for _, f := range files {
		if to.Batch != nil {
			plain, err := t.groups(ctx, blobs, f, nil, func(g *group, _ []int64) error { return to.Batch(ctx, g) }, last.stale)
			if err != nil {
				return err
			}
			if plain {
				continue
			}
		}
		err := t.read(ctx, blobs, f, nil, func(seq int64, row []parquet.Value, more map[string]string) error {
			if last.stale[seq] {
				return nil
			}
			return p.add(ctx, row, more)
		})
		if err != nil {
			return err
		}
	}
	return p.flush(ctx)
}

// key is a part of the SHA-256 of an id.
type key [16]byte

func keyOf(id []byte) key {
	sum := sha256.Sum256(id)
	return key(sum[:16])
}

// take is called with a row; it may be used until take returns.
type take func(seq int64, row []parquet.Value, more map[string]string) error

// each gives the rows of files in their order.
func (t *Table) each(ctx context.Context, blobs blob.Store, files []warehouse.Staged, do take) error {
	for _, f := range files {
		if err := t.read(ctx, blobs, f, nil, do); err != nil {
			return err
		}
	}
	return nil
}

// spot is a column of a staged file.
type spot struct {
	place
	name string
	typ  layout.Type
	sent int    // the column of its spellings, -1 without
	buf  []byte // its value as text, used again
}

// read gives the rows of a file that are merged; only limits it to some columns.
func (t *Table) read(ctx context.Context, blobs blob.Store, staged warehouse.Staged, only []string, do take) error {
	f, err := blobs.Open(ctx, staged.Ref)
	if err != nil {
		return warehouse.Fail(warehouse.CodeStage, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	r := parquet.NewReader(f)
	defer func() { _ = r.Close() }() // it was only read
	spots, seqAt := t.spots(r.Schema(), staged, only)
	read, row := make([]parquet.Row, 64), make([]parquet.Value, len(t.Columns))
	for {
		n, err := r.ReadRows(read)
		for _, values := range read[:n] {
			seq := values[seqAt].Int64()
			if !t.into.Has(seq) {
				continue
			}
			more, err := t.row(values, spots, row)
			if err != nil {
				return err
			}
			if row[t.id].IsNull() {
				return warehouse.Fail(warehouse.CodeStage, errors.New("a staged row has no id"))
			}
			if err := do(seq, row, more); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return warehouse.Fail(warehouse.CodeStage, err)
		}
		if err := ctx.Err(); err != nil {
			return warehouse.Fail(warehouse.CodeFailed, err)
		}
	}
}

// spots are the columns of a staged file by their place in it, and the place of the one of
// numbers; only limits them to some.
func (t *Table) spots(schema *parquet.Schema, staged warehouse.Staged, only []string) (spots []spot, seqAt int) {
	at := map[string]int{}
	for i, n := range schema.Columns() {
		at[n[0]] = i
	}
	spots, seqAt = make([]spot, len(at)), at[warehouse.SeqColumn]
	for _, c := range staged.Columns {
		if only != nil && !slices.Contains(only, c.Name) {
			continue
		}
		s := spot{place: t.places[c.Name], name: c.Name, typ: c.Type, sent: -1}
		if c.Spelled {
			s.sent = at[c.Spelling()]
		}
		spots[at[c.Name]] = s
	}
	return spots, seqAt
}

// row puts the values of a staged row into their columns, and returns those that have none.
func (t *Table) row(values parquet.Row, spots []spot, row []parquet.Value) (more map[string]string, err error) {
	clear(row)
	for _, v := range values {
		s := &spots[v.Column()]
		if s.name == "" || v.IsNull() { // a number or a spelling, or nothing
			continue
		}
		var sent []byte
		if s.sent >= 0 && !values[s.sent].IsNull() {
			sent = values[s.sent].ByteArray()
		}
		switch {
		case s.over != "":
			if more == nil {
				more = map[string]string{}
			}
			more[s.over] = clean(string(s.own(v, sent)))
		case s.raw >= 0:
			err = t.guarded(s, v, sent, row)
		default:
			row[s.at], err = t.value(s, v, sent)
		}
		if err != nil {
			return nil, err
		}
	}
	return more, nil
}

// clean replaces NUL, which most servers refuse.
func clean(text string) string { return strings.ReplaceAll(text, "\x00", "\uFFFD") }

// value is a staged value as its column's file has it.
func (t *Table) value(s *spot, v parquet.Value, sent []byte) (parquet.Value, error) {
	c := &t.Columns[s.at]
	if c.File == s.typ && c.File != layout.String {
		return v, nil
	}
	text := s.text(v)
	if s.texts {
		text = s.own(v, sent)
	}
	switch c.File {
	case layout.Int:
		if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			return parquet.Int64Value(n), nil
		}
	case layout.Float:
		if f, err := strconv.ParseFloat(string(text), 64); err == nil {
			return parquet.DoubleValue(f), nil
		}
	case layout.Boolean:
		if b, err := strconv.ParseBool(string(text)); err == nil {
			return parquet.BooleanValue(b), nil
		}
	case layout.Datetime:
		if ms, ok := timestamp.Parse(string(text)); ok {
			return parquet.Int64Value(ms), nil
		}
	default:
		return t.textValue(c.Name, string(text))
	}
	return parquet.Value{}, warehouse.Fail(warehouse.CodeFailed, refusal.Wrap(refusal.Rows, fmt.Errorf("a staged value of column %s is no %s", c.Name, c.File)))
}

func (t *Table) textValue(column, text string) (parquet.Value, error) {
	text = clean(text)
	if limit := t.kind.MaxText; limit > 0 && len(text) > limit {
		return parquet.Value{}, warehouse.Fail(warehouse.CodeSchema, refusal.Wrap(refusal.Rows,
			fmt.Errorf("a value of column %s has %d bytes, and the warehouse takes at most %d: shorten it, for example in a transformation, and redrive the event", column, len(text), limit)))
	}
	return parquet.ByteArrayValue([]byte(text)), nil
}

// guarded puts a value where it fits: into its column, or as the event spelled it into
// the sibling, unless that has a value of its own.
func (t *Table) guarded(s *spot, v parquet.Value, sent []byte, row []parquet.Value) (err error) {
	text := s.text(v)
	if s.guard != nil {
		if fit, ok := s.guard(string(text)); ok {
			row[s.at], err = t.textValue(t.Columns[s.at].Name, fit)
			return err
		}
	}
	if !row[s.raw].IsNull() {
		return nil
	}
	if sent != nil {
		text = sent
	}
	row[s.raw], err = t.textValue(t.Columns[s.raw].Name, string(text))
	return err
}

// own writes a staged value as the layout has it: a number in its own digits.
func (s *spot) own(v parquet.Value, sent []byte) []byte {
	if sent != nil && s.typ == layout.Float {
		return sent
	}
	return s.text(v)
}

// text is a staged value as layouts write it; it is good until the next one.
func (s *spot) text(v parquet.Value) []byte {
	if v.Kind() == parquet.ByteArray {
		return v.ByteArray()
	}
	s.buf = texts.Append(s.buf[:0], s.typ, v)
	return s.buf
}

// part is rows that are in no file yet.
type part struct {
	t     *Table
	to    Sink
	rows  [][]parquet.Value
	mores []map[string]string
	at    map[string]int // rows by id, of a table that keeps values
	held  int
}

func (p *part) add(ctx context.Context, row []parquet.Value, more map[string]string) error {
	own := make([]parquet.Value, len(row))
	for i, v := range row {
		own[i] = v.Clone()
		p.held += size(v)
	}
	for name, v := range more {
		p.held += len(name) + len(v)
	}
	p.rows, p.mores = append(p.rows, own), append(p.mores, more)
	if p.held < partBytes {
		return nil
	}
	return p.flush(ctx)
}

func size(v parquet.Value) int {
	if v.Kind() == parquet.ByteArray {
		return len(v.ByteArray()) + 24
	}
	return 24
}

// fold takes over into the row of the same id what a newer one has.
func (p *part) fold(ctx context.Context, row []parquet.Value, more map[string]string) error {
	id := string(row[p.t.id].ByteArray())
	at, ok := p.at[id]
	if !ok {
		p.at[id] = len(p.rows)
		return p.add(ctx, row, more)
	}
	old := p.rows[at]
	given := func(name string) bool {
		i := slices.IndexFunc(p.t.Columns, func(c Column) bool { return c.Name == name })
		return i >= 0 && !row[i].IsNull()
	}
	for i := range p.t.Columns {
		c := &p.t.Columns[i]
		if !row[i].IsNull() || c.Sibling != "" && given(c.Sibling) {
			old[i] = row[i].Clone()
			p.held += size(row[i])
		}
	}
	for name, v := range more {
		if p.mores[at] == nil {
			p.mores[at] = map[string]string{}
		}
		p.mores[at][name] = v
		p.held += len(name) + len(v)
	}
	if p.held < partBytes {
		return nil
	}
	return p.flush(ctx)
}

// former merges what the table has in MoreColumn with what the rows have.
func (p *part) former(ctx context.Context) error {
	var ids []string
	for i, more := range p.mores {
		if more != nil {
			ids = append(ids, string(p.rows[i][p.t.id].ByteArray()))
		}
	}
	if len(ids) == 0 || !p.t.Keep() {
		return nil
	}
	had, err := p.to.Former(ctx, ids)
	if err != nil {
		return err
	}
	for i, more := range p.mores {
		old, ok := had[string(p.rows[i][p.t.id].ByteArray())]
		if more == nil || !ok {
			continue
		}
		var all map[string]any
		d := json.NewDecoder(strings.NewReader(old))
		d.UseNumber()
		if d.Decode(&all) != nil || all == nil {
			all = map[string]any{warehouse.MoreColumn: old}
		}
		for name, v := range all {
			if _, given := more[name]; given {
				continue
			}
			if s, ok := v.(string); ok {
				more[name] = s
			} else if b, err := json.Marshal(v); err == nil {
				more[name] = string(b)
			}
		}
	}
	return nil
}

// flush writes what there is into a file.
func (p *part) flush(ctx context.Context) error {
	if len(p.rows) == 0 {
		return nil
	}
	if err := p.former(ctx); err != nil {
		return err
	}
	for i, more := range p.mores {
		if more == nil {
			continue
		}
		text, err := json.Marshal(more) // texts always encode
		if err == nil {
			p.rows[i][p.t.more], err = p.t.textValue(p.t.Columns[p.t.more].Name, string(text))
		}
		if err != nil {
			return err
		}
	}
	rows := p.rows
	p.rows, p.mores, p.at, p.held = nil, nil, map[string]int{}, 0
	if p.to.Batch != nil {
		return p.to.Batch(ctx, held(rows))
	}
	if p.to.Take != nil {
		return p.to.Take(ctx, rows)
	}
	var b bytes.Buffer
	if err := p.t.encode(&b, rows); err != nil {
		return warehouse.Fail(warehouse.CodeFailed, fmt.Errorf("write a file of rows: %w", err))
	}
	return p.to.Put(ctx, b.Bytes())
}
