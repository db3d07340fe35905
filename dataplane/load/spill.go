package load

import (
	"fmt"
	"maps"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"

	"weir/dataplane/blob"
	"weir/dataplane/layout"
)

// Sizes of staging.
const (
	spillBytes   = 32 << 20 // rows held in memory, of all tables together
	spillColumns = 1000     // of one file
	cellBytes    = 24       // what a value takes beside its text
)

// TableFiles is what was staged for one table.
type TableFiles struct {
	Name    string                 `json:"name"`
	Rows    int64                  `json:"rows"`
	Columns map[string]layout.Type `json:"columns"`
	Files   []FileRef              `json:"files"`
}

// FileRef is one staged file.
type FileRef struct {
	Ref     blob.Ref `json:"ref"`
	Columns []string `json:"columns"`
}

type cell struct {
	column   int
	from, to int // in text
}

// pending is the rows of one table that are in no file yet.
type pending struct {
	names []string
	at    map[string]int
	cells []cell
	ends  []int // of each row, in cells
	seqs  []int64
	text  []byte
}

func (p *pending) size() int { return len(p.text) + cellBytes*len(p.cells) + 16*len(p.seqs) }

// spill cuts rows into Parquet files whose values are exact texts.
type spill struct {
	blobs  *blob.Dir
	prefix string
	tables map[string]*TableFiles
	rows   map[string]*pending
	held   int
	files  int
	seq    int64
}

func newSpill(blobs *blob.Dir, prefix string) *spill {
	return &spill{blobs: blobs, prefix: prefix, tables: map[string]*TableFiles{}, rows: map[string]*pending{}}
}

// add takes a row; a full memory goes to a file first.
func (s *spill) add(r layout.Row) error {
	name := short(r.Table)
	t := s.tables[name]
	if t == nil {
		t = &TableFiles{Name: name, Columns: map[string]layout.Type{}}
		s.tables[name] = t
	}
	p := s.rows[name]
	if p != nil && len(p.names)+len(r.Columns) > spillColumns {
		if err := s.flush(name); err != nil {
			return err
		}
		p = nil
	}
	if p == nil {
		p = &pending{at: map[string]int{}}
		s.rows[name] = p
	}
	before := p.size()
	for _, c := range r.Columns {
		col := short(c.Name)
		i, ok := p.at[col]
		if !ok {
			i = len(p.names)
			p.at[col], p.names = i, append(p.names, col)
		}
		t.Columns[col] = Join(t.Columns[col], TypeOf(c))
		from := len(p.text)
		p.text = append(p.text, c.Raw...)
		p.cells = append(p.cells, cell{i, from, len(p.text)})
	}
	s.seq++
	p.ends, p.seqs = append(p.ends, len(p.cells)), append(p.seqs, s.seq)
	t.Rows++
	s.held += p.size() - before
	for s.held > spillBytes {
		largest := slices.MaxFunc(slices.Collect(maps.Keys(s.rows)), func(a, b string) int { return s.rows[a].size() - s.rows[b].size() })
		if err := s.flush(largest); err != nil {
			return err
		}
	}
	return nil
}

// finish writes what is left and returns the tables by name.
func (s *spill) finish() ([]TableFiles, error) {
	for _, name := range slices.Sorted(maps.Keys(s.rows)) {
		if err := s.flush(name); err != nil {
			return nil, err
		}
	}
	var out []TableFiles
	for _, name := range slices.Sorted(maps.Keys(s.tables)) {
		out = append(out, *s.tables[name])
	}
	return out, nil
}

// flush writes the pending rows of a table as one file.
func (s *spill) flush(name string) error {
	p := s.rows[name]
	delete(s.rows, name)
	s.held -= p.size()
	s.files++
	ref := blob.Ref(fmt.Sprintf("%s/%06d.parquet", s.prefix, s.files))
	w, err := s.blobs.Create(ref)
	if err != nil {
		return err
	}
	if err := p.write(w); err != nil {
		w.Abort()
		return fmt.Errorf("write a staged file: %w", err)
	}
	if err := w.Commit(); err != nil {
		return err
	}
	t := s.tables[name]
	t.Files = append(t.Files, FileRef{Ref: ref, Columns: slices.Sorted(slices.Values(p.names))})
	return nil
}

func (p *pending) write(w *blob.Writer) error {
	group := parquet.Group{SeqColumn: parquet.Leaf(parquet.Int64Type)}
	for _, n := range p.names {
		group[n] = parquet.Optional(parquet.String())
	}
	schema := parquet.NewSchema("staged", group)
	place := make([]int, len(p.names)) // of a name's index in the file
	seqAt := 0
	for i, path := range schema.Columns() {
		if path[0] == SeqColumn {
			seqAt = i
			continue
		}
		place[p.at[path[0]]] = i
	}
	width := len(p.names) + 1
	empty := make(parquet.Row, width)
	for i := range empty {
		empty[i] = parquet.NullValue().Level(0, 0, i)
	}
	out := parquet.NewWriter(w, schema, parquet.Compression(&snappy.Codec{}))
	many := max(1, min(256, 65536/width))
	rows := make([]parquet.Row, 0, many)
	store := make([]parquet.Value, many*width)
	start := 0
	for i, end := range p.ends {
		row := parquet.Row(store[len(rows)*width : (len(rows)+1)*width])
		copy(row, empty)
		for _, c := range p.cells[start:end] {
			row[place[c.column]] = parquet.ByteArrayValue(p.text[c.from:c.to]).Level(0, 1, place[c.column])
		}
		row[seqAt] = parquet.Int64Value(p.seqs[i]).Level(0, 0, seqAt)
		start = end
		if rows = append(rows, row); len(rows) == many || i == len(p.ends)-1 {
			if _, err := out.WriteRows(rows); err != nil {
				return err
			}
			rows = rows[:0]
		}
	}
	return out.Close()
}
