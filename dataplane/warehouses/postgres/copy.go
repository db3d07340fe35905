package postgres

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	at     int // in the line
	raw    int // of the sibling, -1 without
	native string
	over   string // the name in MoreColumn, when it goes there
}

// lines is the shape of COPY's lines for one table.
type lines struct {
	columns []string
	natives []string
	places  map[string]place
	more    int // index of MoreColumn, -1 without
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
			l.places[c.Name] = place{at: add(c.Name, c.Native), raw: -1, native: c.Native}
		}
	}
	for _, c := range t.Columns {
		if c.Guard {
			p := l.places[c.Name]
			p.raw = add(c.Raw, "text")
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
	typ layout.Type
	buf []byte // its value as text, used again
}

func (l *lines) file(ctx context.Context, blobs blob.Store, out *bufio.Writer, staged warehouse.Staged, numbered bool, keep func(seq int64) bool) error {
	f, err := blobs.Open(ctx, staged.Ref)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	r := parquet.NewReader(f)
	defer func() { _ = r.Close() }() // it was only read
	types := map[string]layout.Type{}
	for _, c := range staged.Columns {
		types[c.Name] = c.Type
	}
	names := r.Schema().Columns()
	spots := make([]spot, len(names))
	seqAt := -1
	for i, n := range names {
		spots[i] = spot{place: l.places[n[0]], typ: types[n[0]]}
		if n[0] == warehouse.SeqColumn {
			seqAt = i
		}
	}
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
			l.line(out, row, spots, seqAt, values)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// line writes one row; a failed write shows at Flush.
func (l *lines) line(out *bufio.Writer, row parquet.Row, spots []spot, seqAt int, values [][]byte) {
	clear(values)
	var more map[string]string
	for _, v := range row {
		i := v.Column()
		if i == seqAt || v.IsNull() {
			continue
		}
		s := &spots[i]
		b := s.text(v)
		switch {
		case s.over != "":
			if more == nil {
				more = map[string]string{}
			}
			more[s.over] = strings.ReplaceAll(string(b), "\x00", "\uFFFD")
		case s.raw < 0 || fits(s.native, string(b)):
			values[s.at] = b
		case values[s.raw] == nil:
			values[s.raw] = b
		}
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

// text writes a staged value as layouts do; it is good until the next one.
func (s *spot) text(v parquet.Value) []byte {
	switch s.typ {
	case layout.Int:
		s.buf = strconv.AppendInt(s.buf[:0], v.Int64(), 10)
	case layout.Float:
		s.buf = strconv.AppendFloat(s.buf[:0], v.Double(), 'g', -1, 64)
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
