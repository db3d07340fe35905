package postgres

import (
	"bufio"
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

// place is where the values of a staged column go in a line of COPY.
type place struct {
	at    int    // in the line
	raw   int    // of the sibling, -1 without
	guard guard  // with a sibling
	texts bool   // the column is one of texts
	over  string // the name in MoreColumn, when it goes there
}

// lines is the shape of COPY's lines for one table.
type lines struct {
	columns []string
	natives []string
	places  map[string]place
	more    int // index of MoreColumn, -1 without
	// physical is the table's columns as they lie in a row; empty when every row fits.
	physical []column
}

func shape(t warehouse.Table) *lines {
	l := &lines{places: map[string]place{}, more: -1}
	index := map[string]int{}
	add := func(name, native string) int {
		if i, ok := index[name]; ok {
			return i
		}
		index[name] = len(l.columns)
		l.columns, l.natives = append(l.columns, name), append(l.natives, native)
		return index[name]
	}
	for _, c := range t.Columns {
		switch {
		case c.Over:
			l.places[c.Name] = place{over: c.Name}
		default:
			l.places[c.Name] = place{at: add(c.Name, c.Native), raw: -1, texts: c.Type == layout.String || c.Type == layout.Text}
		}
	}
	for _, c := range t.Columns {
		if c.Guard {
			p := l.places[c.Name]
			p.raw, p.guard = add(c.Raw, "text"), guardOf(c.Native)
			l.places[c.Name] = p
		}
	}
	if t.More != "" {
		l.more = add(t.More, "text")
	}
	return l
}

// write turns staged files into COPY's text format; with numbered, the order of
// rows comes first. Rows that keep refuses are left out.
func (l *lines) write(ctx context.Context, blobs blob.Store, out *bufio.Writer, files []warehouse.Staged, numbered bool, keep func(seq int64) bool) error {
	for _, f := range files {
		if err := l.file(ctx, blobs, out, f, numbered, keep); err != nil {
			return fmt.Errorf("read a staged file: %w", err)
		}
	}
	return out.Flush()
}

// spot is a column of a staged file.
type spot struct {
	place
	name string
	typ  layout.Type
	sent int    // the column of its spellings, -1 without
	buf  []byte // its value as text, used again
}

func (l *lines) file(ctx context.Context, blobs blob.Store, out *bufio.Writer, staged warehouse.Staged, numbered bool, keep func(seq int64) bool) error {
	f, err := blobs.Open(ctx, staged.Ref)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	r := parquet.NewReader(f)
	defer func() { _ = r.Close() }() // it was only read
	spots, seqAt := l.spots(r.Schema().Columns(), staged.Columns)
	rows := make([]parquet.Row, 64)
	values := make([][]byte, len(l.columns))
	for {
		n, err := r.ReadRows(rows)
		for _, row := range rows[:n] {
			seq := row[seqAt].Int64()
			if !keep(seq) {
				continue
			}
			if numbered {
				_, _ = out.Write(strconv.AppendInt(out.AvailableBuffer(), seq, 10))
				_ = out.WriteByte('\t')
			}
			l.line(out, row, spots, values)
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
func (l *lines) spots(names [][]string, columns []warehouse.StagedColumn) (spots []spot, seqAt int) {
	at := map[string]int{}
	for i, n := range names {
		at[n[0]] = i
	}
	spots, seqAt = make([]spot, len(names)), at[warehouse.SeqColumn]
	for _, c := range columns {
		s := spot{place: l.places[c.Name], name: c.Name, typ: c.Type, sent: -1}
		if c.Spelled {
			s.sent = at[c.Spelling()]
		}
		spots[at[c.Name]] = s
	}
	return spots, seqAt
}

// line writes one row; a failed write shows at Flush.
func (l *lines) line(out *bufio.Writer, row parquet.Row, spots []spot, values [][]byte) {
	clear(values)
	var more map[string]string
	for _, v := range row {
		s := &spots[v.Column()]
		if s.name == "" || v.IsNull() { // a number or a spelling, or nothing
			continue
		}
		b := s.text(v)
		if s.sent >= 0 && s.typ == layout.Float && (s.over != "" || s.texts) { // a number's own digits
			if sent := row[s.sent]; !sent.IsNull() {
				b = sent.ByteArray()
			}
		}
		switch {
		case s.over != "":
			if more == nil {
				more = map[string]string{}
			}
			more[s.over] = strings.ReplaceAll(string(b), "\x00", "\uFFFD")
		case s.raw < 0:
			values[s.at] = b
		default:
			s.guarded(row, b, values)
		}
	}
	if len(l.physical) > 0 {
		more = l.fit(values, more)
	}
	if more != nil {
		values[l.more], _ = json.Marshal(more) // texts always encode
	}
	for i, v := range values {
		if i > 0 {
			_ = out.WriteByte('\t')
		}
		if v == nil {
			_, _ = out.WriteString(`\N`)
			continue
		}
		escape(out, v)
	}
	_ = out.WriteByte('\n')
}

// guarded puts the value of a row whose text is b where it fits: into its column, or
// as the event spelled it into the sibling.
func (s *spot) guarded(row parquet.Row, b []byte, values [][]byte) {
	if fit, ok := s.guard.fit(string(b)); ok {
		values[s.at] = []byte(fit)
		return
	}
	if values[s.raw] != nil {
		return
	}
	values[s.raw] = b
	if s.sent >= 0 && !row[s.sent].IsNull() {
		values[s.raw] = row[s.sent].ByteArray()
	}
}

// text writes a staged value as layouts do; it is good until the next one.
func (s *spot) text(v parquet.Value) []byte {
	switch s.typ {
	case layout.Int:
		s.buf = strconv.AppendInt(s.buf[:0], v.Int64(), 10)
	case layout.Float:
		f, format := v.Double(), byte('g')
		if size := math.Abs(f); size >= 1e-4 && size < 1e15 { // plain, as events mostly have it
			format = 'f'
		}
		s.buf = strconv.AppendFloat(s.buf[:0], f, format, -1, 64)
	case layout.Boolean:
		s.buf = strconv.AppendBool(s.buf[:0], v.Boolean())
	case layout.Datetime:
		s.buf = timestamp.Append(s.buf[:0], v.Int64())
	default:
		return v.ByteArray()
	}
	return s.buf
}

// escape writes a text as COPY reads it; NUL, which it cannot hold, as U+FFFD.
func escape(out *bufio.Writer, v []byte) {
	start := 0
	for i, c := range v {
		if c > '\\' || c >= ' ' && c != '\\' {
			continue
		}
		var by string
		switch c {
		case '\\':
			by = `\\`
		case '\n':
			by = `\n`
		case '\r':
			by = `\r`
		case '\t':
			by = `\t`
		case 0:
			by = "\uFFFD"
		default:
			continue
		}
		_, _ = out.Write(v[start:i])
		_, _ = out.WriteString(by)
		start = i + 1
	}
	_, _ = out.Write(v[start:])
}

func joined(names []string, format string) string {
	parts := make([]string, len(names))
	for i, n := range names {
		parts[i] = strings.ReplaceAll(format, "?", quote(n))
	}
	return strings.Join(parts, ",")
}
