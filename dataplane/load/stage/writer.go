package stage

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"

	"weir/dataplane/blob"
	"weir/dataplane/layout"
	"weir/dataplane/layout/timestamp"
	"weir/dataplane/warehouse"
)

// Sizes of staging.
const (
	heldBytes   = 24 << 20  // rows held in memory, of all tables together; as much again is being written
	groupBytes  = 8 << 20   // of rows, after which a file goes on with a further group of rows
	blockBytes  = 256 << 10 // of rows that go to the columns of a file at once
	fileColumns = 1000
	cellBytes   = 16 // what a value takes beside its text
	atOnce      = 4  // files being written
	keptBuffers = 2  // for further rows
)

// eventRows is how many numbers of rows an event has; no layout makes as many.
const eventRows = 64

// EventOf returns the number of the event that a row comes from, see Writer.Add.
func EventOf(seq int64) int64 { return seq / eventRows }

// Table is what was staged for one table.
type Table struct {
	Name string `json:"name"`
	// Shared and Event are those of layout.Row and the name of one of its events, for
	// tables that may have another name.
	Shared  string                 `json:"shared,omitempty"`
	Event   string                 `json:"event,omitempty"`
	Rows    int64                  `json:"rows"`
	Columns map[string]layout.Type `json:"columns"`
	Files   []File                 `json:"files"`
}

// File is one staged file.
type File struct {
	Ref     blob.Ref                 `json:"ref"`
	Columns []warehouse.StagedColumn `json:"columns"`
}

type cell struct {
	column   uint32
	from, to uint32 // in text
	end      uint32 // of its spelling in the event, which begins at to; to for none
}

// column is one column of pending rows.
type column struct {
	name   string
	last   layout.Type
	joined layout.Type // what holds its values
	file   layout.Type // what it is in a file: one type of all values, else String
	place  int         // in the file
	sent   int         // place of the spellings in the file, 0 for none
	spells bool        // some value's spelling is kept
}

// see counts in the type of a further value.
func (c *column) see(t layout.Type) {
	if t == c.last {
		return
	}
	f := t
	switch t {
	case Long:
		f = layout.Int
	case layout.Int, layout.Float, layout.Boolean, layout.Datetime:
	default:
		f = layout.String
	}
	if c.last != "" && f != c.file {
		f = layout.String
	}
	c.last, c.file, c.joined = t, f, Join(c.joined, t)
}

// pending is the rows of one table that are in no file yet.
type pending struct {
	columns []column
	at      map[string]int // by name
	guess   []int          // the columns of the row before
	cells   []cell
	ends    []int // of each row, in cells
	seqs    []int64
	text    []byte
}

func (p *pending) size() int { return len(p.text) + cellBytes*len(p.cells) + 16*len(p.seqs) }

// find returns the index of the nth column of a row: rows of a table are alike,
// so it is mostly that of the row before.
func (p *pending) find(n int, name string) int {
	if n < len(p.guess) && p.columns[p.guess[n]].name == name {
		return p.guess[n]
	}
	i, ok := p.at[name]
	if !ok {
		i = len(p.columns)
		p.columns, p.at[name] = append(p.columns, column{name: name}), i
	}
	if n < len(p.guess) {
		p.guess[n] = i
	} else {
		p.guess = append(p.guess, i)
	}
	return i
}

// Writer stages the rows of one load. It is safe for many callers. Files are written
// beside further rows.
type Writer struct {
	blobs  blob.Store
	prefix blob.Ref

	mu      sync.Mutex
	tables  map[string]*Table
	rows    map[string]*pending
	held    int
	files   int
	free    []*pending // buffers of rows that are written
	ended   sync.Cond  // a file is written, or is not
	writing int        // files
	size    int        // of what is being written
	err     error      // the first one of a file
}

// New returns a Writer whose objects have keys below prefix.
func New(blobs blob.Store, prefix blob.Ref) *Writer {
	w := &Writer{blobs: blobs, prefix: prefix, tables: map[string]*Table{}, rows: map[string]*pending{}}
	w.ended.L = &w.mu
	return w
}

// Add takes the rows of an event, by its number from 1; when the memory for rows is full
// the largest table goes to a file.
func (w *Writer) Add(ctx context.Context, event int64, rows []layout.Row) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range rows {
		if err := w.add(ctx, event*eventRows+int64(i), &rows[i]); err != nil {
			return err
		}
	}
	return w.err
}

// add takes a row. w.mu is held.
func (w *Writer) add(ctx context.Context, seq int64, r *layout.Row) error {
	p := w.rows[r.Table]
	if r.Shared != "" && w.tables[r.Table] == nil {
		w.tables[r.Table] = &Table{Name: r.Table, Columns: map[string]layout.Type{}, Shared: r.Shared, Event: eventOf(r)}
	}
	for p != nil && len(p.columns)+len(r.Columns) > fileColumns && p.grows(r) {
		w.flush(ctx, r.Table)
		p = w.rows[r.Table] // of another caller, meanwhile
	}
	if p == nil {
		p = w.buffer()
		w.rows[r.Table] = p
	}
	before := p.size()
	for n := range r.Columns {
		c := &r.Columns[n]
		i := p.find(n, c.Name)
		t := typeOf(c)
		p.columns[i].see(t)
		from := len(p.text)
		p.text = append(p.text, c.Raw...)
		to := len(p.text)
		if sent := spelling(c, t); sent != "" {
			p.text = append(p.text, sent...)
			p.columns[i].spells = true
		}
		p.cells = append(p.cells, cell{uint32(i), uint32(from), uint32(to), uint32(len(p.text))})
	}
	p.ends, p.seqs = append(p.ends, len(p.cells)), append(p.seqs, seq)
	w.held += p.size() - before
	for w.held > heldBytes {
		largest := slices.MaxFunc(slices.Collect(maps.Keys(w.rows)), func(a, b string) int { return w.rows[a].size() - w.rows[b].size() })
		w.flush(ctx, largest)
	}
	return w.err
}

// buffer is memory for rows of a table. w.mu is held.
func (w *Writer) buffer() *pending {
	p := &pending{at: map[string]int{}}
	if n := len(w.free); n > 0 {
		was := w.free[n-1]
		w.free = w.free[:n-1]
		p.cells, p.ends, p.seqs, p.text = was.cells[:0], was.ends[:0], was.seqs[:0], was.text[:0]
	}
	return p
}

// eventOf is the name of a row's event as it was sent.
func eventOf(r *layout.Row) (name string) {
	for _, c := range r.Columns {
		if c.Name == "event_text" || c.Name == "event" && name == "" {
			name = c.Raw
		}
	}
	return name
}

// grows says whether a row has a column that is not there yet.
func (p *pending) grows(r *layout.Row) bool {
	return slices.ContainsFunc(r.Columns, func(c layout.Column) bool { _, ok := p.at[c.Name]; return !ok })
}

// Finish writes what is left, waits until nothing is being written, and returns the
// tables in the order of their names. It has to be called, also after an error.
func (w *Writer) Finish(ctx context.Context) ([]Table, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(w.rows)) {
		if w.err == nil {
			w.flush(ctx, name)
		}
	}
	for w.writing > 0 {
		w.ended.Wait()
	}
	if w.err != nil {
		return nil, w.err
	}
	var out []Table
	for _, name := range slices.Sorted(maps.Keys(w.tables)) {
		out = append(out, *w.tables[name])
	}
	return out, nil
}

// flush lets the pending rows of a table be written as one file, once there is room
// beside others that are. w.mu is held, but not while it waits or writes.
func (w *Writer) flush(ctx context.Context, name string) {
	p := w.rows[name]
	delete(w.rows, name)
	size := p.size()
	w.held -= size
	for w.writing > 0 && (w.writing >= atOnce || w.size+size > heldBytes) {
		w.ended.Wait()
	}
	w.files++
	ref := blob.Ref(fmt.Sprintf("%s/%06d.parquet", w.prefix, w.files))
	t := w.tables[name]
	if t == nil {
		t = &Table{Name: name, Columns: map[string]layout.Type{}}
		w.tables[name] = t
	}
	f := File{Ref: ref}
	for _, c := range p.columns {
		t.Columns[c.name] = Join(t.Columns[c.name], c.joined)
		f.Columns = append(f.Columns, warehouse.StagedColumn{Name: c.name, Type: c.file, Spelled: c.spells})
	}
	slices.SortFunc(f.Columns, func(a, b warehouse.StagedColumn) int { return strings.Compare(a.Name, b.Name) })
	t.Rows += int64(len(p.seqs))
	t.Files = append(t.Files, f)
	w.writing, w.size = w.writing+1, w.size+size
	go w.write(ctx, ref, p, size)
}

// write writes one file.
func (w *Writer) write(ctx context.Context, ref blob.Ref, p *pending, size int) {
	err := w.blobs.Put(ctx, ref, p.write)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && w.err == nil {
		w.err = fmt.Errorf("write a staged file: %w", err)
	}
	w.writing, w.size = w.writing-1, w.size-size
	if len(w.free) < keptBuffers && size > groupBytes {
		w.free = append(w.free, p)
	}
	w.ended.Broadcast()
}

// leaf is the Parquet type of a staged column.
func leaf(t layout.Type) parquet.Node {
	switch t {
	case layout.Int:
		return parquet.Leaf(parquet.Int64Type)
	case layout.Float:
		return parquet.Leaf(parquet.DoubleType)
	case layout.Boolean:
		return parquet.Leaf(parquet.BooleanType)
	case layout.Datetime:
		return parquet.Timestamp(parquet.Millisecond)
	}
	return parquet.String()
}

// value reads a text as the file's type; what see saw always fits.
func (c *column) value(raw []byte) parquet.Value {
	s := unsafe.String(unsafe.SliceData(raw), len(raw)) // ends with this call
	switch c.file {
	case layout.Int:
		n, _ := strconv.ParseInt(s, 10, 64)
		return parquet.Int64Value(n)
	case layout.Float:
		f, _ := strconv.ParseFloat(s, 64)
		return parquet.DoubleValue(f)
	case layout.Boolean:
		return parquet.BooleanValue(s == "true")
	case layout.Datetime:
		n, _ := timestamp.Parse(s)
		return parquet.Int64Value(n)
	}
	return parquet.ByteArrayValue(raw)
}

func (p *pending) write(w io.Writer) error {
	group := parquet.Group{warehouse.SeqColumn: parquet.Leaf(parquet.Int64Type)}
	spelled := map[string]string{} // columns by that of their spellings
	for _, c := range p.columns {
		group[c.name] = parquet.Optional(leaf(c.file))
		if spelling := (warehouse.StagedColumn{Name: c.name}).Spelling(); c.spells {
			spelled[spelling] = c.name
			group[spelling] = parquet.Optional(parquet.String())
		}
	}
	schema := parquet.NewSchema("staged", group)
	seqAt := 0
	for i, path := range schema.Columns() {
		if path[0] == warehouse.SeqColumn {
			seqAt = i
			continue
		}
		if of, ok := spelled[path[0]]; ok {
			p.columns[p.at[of]].sent = i
			continue
		}
		p.columns[p.at[path[0]]].place = i
	}
	out := parquet.NewWriter(w, schema, parquet.Compression(&snappy.Codec{}))
	b := newBlock(out.ColumnWriters())
	start, bytes := 0, 0
	for i, end := range p.ends {
		for _, c := range p.cells[start:end] {
			col := &p.columns[c.column]
			b.set(col.place, col.value(p.text[c.from:c.to]).Level(0, 1, col.place))
			if c.end > c.to {
				b.set(col.sent, parquet.ByteArrayValue(p.text[c.to:c.end]).Level(0, 1, col.sent))
			}
		}
		b.set(seqAt, parquet.Int64Value(p.seqs[i]).Level(0, 0, seqAt))
		if end > start {
			size := int(p.cells[end-1].end-p.cells[start].from) + cellBytes*(end-start)
			bytes, b.bytes = bytes+size, b.bytes+size
		}
		start = end
		if b.rows++; b.rows < b.most && b.bytes < blockBytes && i < len(p.ends)-1 {
			continue
		}
		if err := b.write(); err != nil {
			return err
		}
		if bytes >= groupBytes && i < len(p.ends)-1 {
			if err := out.Flush(); err != nil {
				return err
			}
			bytes = 0
		}
	}
	return out.Close()
}

// block is some rows on their way to a file, column by column.
type block struct {
	out    []*parquet.ColumnWriter
	values []parquet.Value // most of each column
	filled []int           // of each column
	most   int             // rows
	rows   int
	bytes  int // about
}

func newBlock(out []*parquet.ColumnWriter) *block {
	most := max(1, min(256, 65536/len(out)))
	return &block{out: out, most: most, values: make([]parquet.Value, most*len(out)), filled: make([]int, len(out))}
}

// set gives the row that is being filled its value of a column.
func (b *block) set(column int, v parquet.Value) {
	b.fill(column)
	b.values[column*b.most+b.rows], b.filled[column] = v, b.rows+1
}

// fill makes a column null in the rows before, as far as they have no value.
func (b *block) fill(column int) {
	for n := b.filled[column]; n < b.rows; n++ {
		b.values[column*b.most+n] = parquet.NullValue().Level(0, 0, column)
	}
}

// write writes the rows and begins anew.
func (b *block) write() error {
	for i, column := range b.out {
		b.fill(i)
		if _, err := column.WriteRowValues(b.values[i*b.most : i*b.most+b.rows]); err != nil {
			return err
		}
		b.filled[i] = 0
	}
	b.rows, b.bytes = 0, 0
	return nil
}
