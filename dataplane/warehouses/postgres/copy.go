package postgres

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/parquet-go/parquet-go"

	"weir/dataplane/load"
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

func shape(t load.Table) *lines {
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
		case c.Name == load.MoreColumn && t.More:
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
	if t.More {
		l.more = add(load.MoreColumn, "text")
	}
	return l
}

// write turns staged files into COPY's text format, the order of rows first.
func (l *lines) write(out *bufio.Writer, files []load.Staged) error {
	for _, f := range files {
		if err := l.file(out, f); err != nil {
			return fmt.Errorf("read a staged file: %w", err)
		}
	}
	return out.Flush()
}

func (l *lines) file(out *bufio.Writer, staged load.Staged) error {
	f, err := os.Open(staged.Path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	r := parquet.NewReader(f)
	defer func() { _ = r.Close() }() // it was only read
	names := r.Schema().Columns()
	places := make([]place, len(names))
	seqAt := -1
	for i, n := range names {
		places[i] = l.places[n[0]]
		if n[0] == load.SeqColumn {
			seqAt = i
		}
	}
	rows := make([]parquet.Row, 64)
	values := make([][]byte, len(l.columns))
	for {
		n, err := r.ReadRows(rows)
		for _, row := range rows[:n] {
			l.line(out, row, places, seqAt, values)
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
func (l *lines) line(out *bufio.Writer, row parquet.Row, places []place, seqAt int, values [][]byte) {
	clear(values)
	var more map[string]string
	seq := int64(0)
	for _, v := range row {
		i := v.Column()
		switch {
		case i == seqAt:
			seq = v.Int64()
		case v.IsNull():
		case places[i].over != "":
			if more == nil {
				more = map[string]string{}
			}
			more[places[i].over] = string(v.ByteArray())
		case places[i].raw < 0:
			values[places[i].at] = v.ByteArray()
		case fits(places[i].native, string(v.ByteArray())):
			values[places[i].at] = v.ByteArray()
		case values[places[i].raw] == nil:
			values[places[i].raw] = v.ByteArray()
		}
	}
	if more != nil {
		values[l.more], _ = json.Marshal(more) // texts always encode
	}
	fmt.Fprint(out, seq)
	for _, v := range values {
		_ = out.WriteByte('\t')
		if v == nil {
			_, _ = out.WriteString(`\N`)
			continue
		}
		escape(out, v)
	}
	_ = out.WriteByte('\n')
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
