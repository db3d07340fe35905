// Package texts turns staged files into the rows of one table, for kinds that get rows
// over their connection: texts by column, with what does not fit a column beside it,
// and what has no column in one of texts.
package texts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"

	"weir/dataplane/blob"
	"weir/dataplane/layout"
	"weir/dataplane/layout/timestamp"
	"weir/dataplane/warehouse"
)

// Fit says of a value, given as its text, what a column of somebody's making takes it
// as; false when the column would hold another value.
type Fit func(text string) (string, bool)

// place is where the values of a staged column go in a row.
type place struct {
	at    int    // in the row
	raw   int    // of the sibling, -1 without
	fit   Fit    // with a sibling
	texts bool   // the column is one of texts
	over  string // the name in the column of the rest, when it goes there
}

// Shape is the columns of the rows of one merge.
type Shape struct {
	Columns []string
	Natives []string // their types
	More    int      // the index of the column of the rest, -1 without
	// Narrow, when not nil, takes from a row what does not fit into it beside the rest.
	Narrow func(values [][]byte, rest map[string]string) map[string]string

	places map[string]place
	pairs  []int // the index of each column's sibling, or of whose sibling it is; -1 without
}

// Of is the shape of a merge. Columns of texts, such as siblings, have the type text;
// fit is asked for the native types of guarded columns.
func Of(t warehouse.Table, text string, fit func(native string) Fit) *Shape {
	s := &Shape{places: map[string]place{}, More: -1}
	index := map[string]int{}
	add := func(name, native string) int {
		if i, ok := index[name]; ok {
			return i
		}
		index[name] = len(s.Columns)
		s.Columns, s.Natives, s.pairs = append(s.Columns, name), append(s.Natives, native), append(s.pairs, -1)
		return index[name]
	}
	for _, c := range t.Columns {
		switch {
		case c.Over:
			s.places[c.Name] = place{over: c.Name}
		default:
			s.places[c.Name] = place{at: add(c.Name, c.Native), raw: -1, texts: c.Type == layout.String || c.Type == layout.Text}
		}
	}
	for _, c := range t.Columns {
		if c.Guard {
			p := s.places[c.Name]
			p.raw, p.fit = add(c.Raw, text), fit(c.Native)
			s.places[c.Name] = p
		}
	}
	for _, c := range t.Columns {
		if c.Raw == "" || c.Over {
			continue
		}
		if t.Keep { // a sibling that is there is emptied by a value that fits
			add(c.Raw, text)
		}
		if raw, ok := index[c.Raw]; ok {
			s.pairs[index[c.Name]], s.pairs[raw] = raw, index[c.Name]
		}
	}
	if t.More != "" {
		s.More = add(t.More, text)
	}
	return s
}

// Pair is the index of the sibling of a column, or of the column whose sibling it is; -1
// without.
func (s *Shape) Pair(at int) int { return s.pairs[at] }

// Each gives the rows of staged files that keep takes, in order: their numbers and
// their values as layouts write them, nil for null. row keeps nothing of values. Errors
// of files are said to be so.
func (s *Shape) Each(ctx context.Context, blobs blob.Store, files []warehouse.Staged, keep func(seq int64) bool, row func(seq int64, values [][]byte) error) error {
	for _, f := range files {
		if err := s.file(ctx, blobs, f, keep, row); err != nil {
			return fmt.Errorf("read a staged file: %w", err)
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

func (s *Shape) file(ctx context.Context, blobs blob.Store, staged warehouse.Staged, keep func(seq int64) bool, row func(int64, [][]byte) error) error {
	f, err := blobs.Open(ctx, staged.Ref)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	r := parquet.NewReader(f)
	defer func() { _ = r.Close() }() // it was only read
	spots, seqAt := s.spots(r.Schema().Columns(), staged.Columns)
	rows := make([]parquet.Row, 64)
	values := make([][]byte, len(s.Columns))
	for {
		n, err := r.ReadRows(rows)
		for _, found := range rows[:n] {
			seq := found[seqAt].Int64()
			if !keep(seq) {
				continue
			}
			s.row(found, spots, values)
			if err := row(seq, values); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// spots are the columns of a staged file by their place in it, and the place of
// the one of numbers.
func (s *Shape) spots(names [][]string, columns []warehouse.StagedColumn) (spots []spot, seqAt int) {
	at := map[string]int{}
	for i, n := range names {
		at[n[0]] = i
	}
	spots, seqAt = make([]spot, len(names)), at[warehouse.SeqColumn]
	for _, c := range columns {
		x := spot{place: s.places[c.Name], name: c.Name, typ: c.Type, sent: -1}
		if c.Spelled {
			x.sent = at[c.Spelling()]
		}
		spots[at[c.Name]] = x
	}
	return spots, seqAt
}

// row fills values with those of a row of a file.
func (s *Shape) row(row parquet.Row, spots []spot, values [][]byte) {
	clear(values)
	var rest map[string]string
	for _, v := range row {
		x := &spots[v.Column()]
		if x.name == "" || v.IsNull() { // a number or a spelling, or nothing
			continue
		}
		b := x.text(v)
		if x.sent >= 0 && x.typ == layout.Float && (x.over != "" || x.texts) { // a number's own digits
			if sent := row[x.sent]; !sent.IsNull() {
				b = sent.ByteArray()
			}
		}
		switch {
		case x.over != "":
			if rest == nil {
				rest = map[string]string{}
			}
			rest[x.over] = strings.ReplaceAll(string(b), "\x00", "\uFFFD")
		case x.raw < 0:
			values[x.at] = b
		default:
			x.guarded(row, b, values)
		}
	}
	if s.Narrow != nil {
		rest = s.Narrow(values, rest)
	}
	if rest != nil {
		values[s.More], _ = json.Marshal(rest) // texts always encode
	}
}

// guarded puts the value of a row whose text is b where it fits: into its column, or
// as the event spelled it into the sibling.
func (x *spot) guarded(row parquet.Row, b []byte, values [][]byte) {
	if fit, ok := x.fit(string(b)); ok {
		values[x.at] = []byte(fit)
		return
	}
	if values[x.raw] != nil {
		return
	}
	values[x.raw] = b
	if x.sent >= 0 && !row[x.sent].IsNull() {
		values[x.raw] = row[x.sent].ByteArray()
	}
}

// Append appends a staged value as layouts write it. A text is appended as it is.
func Append(to []byte, typ layout.Type, v parquet.Value) []byte {
	switch typ {
	case layout.Int:
		return strconv.AppendInt(to, v.Int64(), 10)
	case layout.Float:
		f, format := v.Double(), byte('g')
		if size := math.Abs(f); size >= 1e-4 && size < 1e15 { // plain, as events mostly have it
			format = 'f'
		}
		return strconv.AppendFloat(to, f, format, -1, 64)
	case layout.Boolean:
		return strconv.AppendBool(to, v.Boolean())
	case layout.Datetime:
		return timestamp.Append(to, v.Int64())
	}
	return append(to, v.ByteArray()...)
}

// text is a staged value as Append writes it; it is good until the next one.
func (x *spot) text(v parquet.Value) []byte {
	if v.Kind() == parquet.ByteArray {
		return v.ByteArray()
	}
	x.buf = Append(x.buf[:0], x.typ, v)
	return x.buf
}

// Fold brings a newer row over an older one of the same id, as merges with Keep do: a
// value of the newer counts, together with its sibling, and of the column of the rest
// each key. Both rows are whole; older gets the result.
func (s *Shape) Fold(older, newer [][]byte) {
	for i, v := range newer {
		other := s.pairs[i]
		switch {
		case i == s.More:
			if v != nil {
				older[i] = rest(older[i], v)
			}
		case other >= 0 && (v != nil || newer[other] != nil), v != nil:
			older[i] = v
		}
	}
}

// rest brings the keys of a newer JSON object over those of an older one. What is no
// object becomes the key MoreColumn of one.
func rest(older, newer []byte) []byte {
	if older == nil {
		return newer
	}
	var all, more map[string]json.RawMessage
	if json.Unmarshal(older, &all) != nil || all == nil {
		text, _ := json.Marshal(string(older)) // texts always encode
		all = map[string]json.RawMessage{warehouse.MoreColumn: text}
	}
	if json.Unmarshal(newer, &more) != nil {
		return older
	}
	for k, v := range more {
		all[k] = v
	}
	b, err := json.Marshal(all)
	if err != nil {
		return older
	}
	return b
}
