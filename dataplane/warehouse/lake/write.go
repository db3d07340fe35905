package lake

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"
	"golang.org/x/sync/errgroup"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/rows"
)

// Bounds of a merge.
const (
	fileBytes = 128 << 20 // of values, before they are compressed, that open files hold together
	openFiles = 24        // folders whose files are open; each has a buffer for every column
	puts      = 4         // files that are written at once
)

// Merge implements warehouse.Warehouse: it writes the rows into files.
func (l *lake) Merge(ctx context.Context, into warehouse.Table, files []warehouse.Staged) (warehouse.Merged, error) {
	if into.Load == "" {
		return warehouse.Merged{}, warehouse.Fail(warehouse.CodeFailed, fmt.Errorf("the load has no name"))
	}
	var t *table
	if l.Tables == nil {
		if err := l.settle(ctx, &into); err != nil {
			return warehouse.Merged{}, err
		}
	} else {
		var committed bool
		var err error
		if t, committed, err = l.settleTable(ctx, &into, nameOf(&into)); err != nil || committed {
			return warehouse.Merged{}, err
		}
	}
	shape := rows.Of(into, ofRows)
	m := newMerge(l, &into, shape, t)
	err := shape.Write(ctx, l.Blobs, files, rows.Sink{
		Former: func(context.Context, []string) (map[string]string, error) { return nil, nil }, // what files hold stays as it is
		Batch:  m.take,
	})
	if err == nil {
		err = m.put(ctx, slices.Sorted(maps.Keys(m.open)))
	}
	if t == nil {
		return warehouse.Merged{Rows: m.rows}, err
	}
	if err != nil {
		m.forget(ctx)
		return warehouse.Merged{}, err
	}
	if len(m.done) > 0 { // after an error it may have been done all the same: the files stay
		err = l.Tables.Commit(ctx, folderOf(into.Name), m.name, m.done)
	}
	return warehouse.Merged{Rows: m.rows}, err
}

// nameOf is the name of a merge, of which a load has one for each table.
func nameOf(into *warehouse.Table) string {
	if into.From > 0 {
		return fmt.Sprintf("%s-from%d", into.Load, into.From)
	}
	return into.Load
}

// forgetTime is how long files that nobody will read may take to be removed.
const forgetTime = 10 * time.Second

// forget removes files that were written and will not be committed, as far as it can.
func (m *merge) forget(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetTime)
	defer cancel()
	for _, f := range m.done {
		if m.lake.Store.Delete(ctx, f.Key) != nil {
			return
		}
	}
}

// merge is the files of one merge.
type merge struct {
	lake    *lake
	prefix  string // of keys: the table's folder
	name    string // of files
	load    string // the value of LoadColumn
	keep    bool
	schema  *parquet.Schema
	types   []layout.Type // by column of rows
	place   []int         // in the file, by column of rows
	loadAt  int           // the place of LoadColumn
	timeAt  int           // the column of rows with the time by which they are divided; -1 without
	open    map[string]*file
	written map[string]int // files of each folder
	held    int            // bytes of all open files
	parts   int
	rows    int64

	table *table            // of a format; nil without
	ids   map[string]int    // of its columns
	times map[string]*int64 // of its folders: File.Part
	token string            // in names of its files, which no other attempt has
	mu    sync.Mutex
	done  []File
}

// file is a file that is being written.
type file struct {
	buf     bytes.Buffer
	out     io.Closer // of columns
	columns []*parquet.ColumnWriter
	bytes   int
	rows    int64
}

func newMerge(l *lake, into *warehouse.Table, shape *rows.Table, of *table) *merge {
	m := &merge{lake: l, prefix: l.Prefix + folderOf(into.Name) + "/", name: nameOf(into), load: into.Load, keep: into.Keep, timeAt: -1, open: map[string]*file{}, written: map[string]int{}}
	if of != nil {
		m.table, m.prefix, m.token = of, of.known.Folder+"data/", "-"+strings.ToLower(rand.Text()[:12])
		m.ids, m.times = map[string]int{}, map[string]*int64{}
		for _, f := range of.known.Columns {
			m.ids[f.Name] = f.ID
		}
	}
	group := parquet.Group{LoadColumn: m.field(LoadColumn, parquet.Encoded(parquet.Optional(parquet.String()), &parquet.RLEDictionary))}
	for i, c := range shape.Columns {
		t := typeOf(c)
		m.types = append(m.types, t)
		if foreign(c.Native) {
			continue
		}
		n := node(t)
		if of != nil && t == layout.Datetime {
			n = parquet.Optional(parquet.Timestamp(parquet.Microsecond)) // source: https://iceberg.apache.org/spec/#parquet
		}
		group[c.Name] = m.field(c.Name, n)
		if c.Name == "received_at" && t == layout.Datetime && (of == nil || of.known.By != "") {
			m.timeAt = i
		}
	}
	m.schema = parquet.NewSchema(into.Name, group)
	at := map[string]int{}
	for i, path := range m.schema.Columns() {
		at[path[0]] = i
	}
	for _, c := range shape.Columns {
		place := -1 // in no file
		if !foreign(c.Native) {
			place = at[c.Name]
		}
		m.place = append(m.place, place)
	}
	m.loadAt = at[LoadColumn]
	return m
}

// field gives a column of a format's table its number.
func (m *merge) field(name string, n parquet.Node) parquet.Node {
	if m.table == nil {
		return n
	}
	return parquet.FieldID(n, m.ids[name])
}

// none is the folder of rows without a time, as Hive names it.
const none = "__HIVE_DEFAULT_PARTITION__"

// folder is where rows of a time are.
func (m *merge) folder(v parquet.Value) string {
	if m.table != nil {
		return m.part(v)
	}
	day, hour := none, none
	if !v.IsNull() {
		at := time.UnixMilli(v.Int64()).UTC()
		day, hour = at.Format("2006-01-02"), at.Format("15")
	}
	if !m.lake.Hours {
		return DayColumn + "=" + day + "/"
	}
	return DayColumn + "=" + day + "/" + HourColumn + "=" + hour + "/"
}

// part is the folder of a format's table, and keeps which part of the table that is.
func (m *merge) part(v parquet.Value) string {
	by := m.table.known.By
	if by == "" {
		m.times[""] = nil
		return ""
	}
	name, length, form := "received_at_"+by+"=", int64(24*time.Hour/time.Millisecond), "2006-01-02"
	if by == "hour" {
		length, form = int64(time.Hour/time.Millisecond), "2006-01-02-15"
	}
	if v.IsNull() {
		m.times[name+"null/"] = nil
		return name + "null/"
	}
	ms := v.Int64()
	n := ms / length
	if ms%length < 0 {
		n--
	}
	name += time.UnixMilli(ms).UTC().Format(form) + "/"
	m.times[name] = &n
	return name
}

// take writes rows into the files of their folders, column by column. Which files are put
// before the end depends on the rows alone, so that a repetition puts the same ones.
func (m *merge) take(ctx context.Context, b rows.Batch) error {
	if m.parts++; m.keep && m.parts > 1 { // a later part may say more of the same user
		m.load = fmt.Sprintf("%s~%06d", m.name, m.parts)
	}
	of, folders, err := m.divide(b)
	if err != nil {
		return err
	}
	for from := 0; from < len(folders); from += openFiles {
		some := folders[from:min(len(folders), from+openFiles)]
		files, err := m.files(ctx, some)
		if err != nil {
			return err
		}
		if err := m.write(b, of, from, files); err != nil {
			return err
		}
		for m.held >= fileBytes {
			if err := m.put(ctx, []string{m.largest()}); err != nil {
				return err
			}
		}
	}
	m.rows += int64(b.Len())
	return nil
}

// divide says of each row which of the folders it goes into.
func (m *merge) divide(b rows.Batch) (of []int, folders []string, err error) {
	of = make([]int, 0, b.Len())
	if m.timeAt < 0 {
		return of[:b.Len()], []string{m.folder(parquet.Value{})}, nil
	}
	const hour = int64(time.Hour / time.Millisecond)
	at := map[string]int{}
	last, lastHour := -1, int64(0) // of the row before, when it has a time
	err = b.Column(m.timeAt, func(values []parquet.Value) error {
		for _, v := range values {
			v, err := m.typed(m.timeAt, v)
			if err != nil {
				return err
			}
			ms := int64(-1)
			if !v.IsNull() {
				ms = v.Int64()
			}
			if last >= 0 && ms >= 0 && ms/hour == lastHour {
				of = append(of, last)
				continue
			}
			name := m.folder(v)
			i, known := at[name]
			if !known {
				i = len(folders)
				folders, at[name] = append(folders, name), i
			}
			of = append(of, i)
			if last = -1; ms >= 0 {
				last, lastHour = i, ms/hour
			}
		}
		return nil
	})
	return of, folders, err
}

// files opens the files of folders; others are put where there would be too many.
func (m *merge) files(ctx context.Context, folders []string) ([]*file, error) {
	more := 0
	for _, name := range folders {
		if m.open[name] == nil {
			more++
		}
	}
	for len(m.open)+more > openFiles {
		if err := m.put(ctx, []string{m.largest(folders...)}); err != nil {
			return nil, err
		}
	}
	all := make([]*file, len(folders))
	for i, name := range folders {
		f := m.open[name]
		if f == nil {
			f = &file{}
			out := parquet.NewWriter(&f.buf, m.schema, parquet.Compression(&snappy.Codec{}))
			f.out, f.columns = out, out.ColumnWriters()
			m.open[name] = f
		}
		all[i] = f
	}
	return all, nil
}

// write writes those rows that go into files: of says of each row, counted from the number
// from, into which.
func (m *merge) write(b rows.Batch, of []int, from int, files []*file) error {
	counts := make([]int, len(files))
	for _, i := range of {
		if i -= from; i >= 0 && i < len(files) {
			counts[i]++
		}
	}
	parts := make([][]parquet.Value, len(files))
	for c, place := range m.place {
		if place < 0 {
			continue
		}
		row := 0
		err := b.Column(c, func(values []parquet.Value) error {
			for i := range parts {
				parts[i] = parts[i][:0]
			}
			alone := len(files) == 1 && counts[0] == len(of)
			for n, v := range values {
				v, err := m.typed(c, v)
				if err != nil {
					return err
				}
				size := 0
				if m.table != nil && m.types[c] == layout.Datetime && !v.IsNull() {
					v = parquet.Int64Value(v.Int64() * microseconds)
				}
				if v.IsNull() {
					v = parquet.NullValue().Level(0, 0, place)
				} else if v = v.Level(0, 1, place); v.Kind() == parquet.ByteArray {
					size = len(v.ByteArray())
				} else {
					size = 8
				}
				if alone {
					values[n] = v
					files[0].bytes += size
					m.held += size
					continue
				}
				if i := of[row+n] - from; i >= 0 && i < len(files) {
					parts[i] = append(parts[i], v)
					files[i].bytes += size
					m.held += size
				}
			}
			row += len(values)
			if alone {
				return put(files[0].columns[place], values)
			}
			for i, part := range parts {
				if err := put(files[i].columns[place], part); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	load := parquet.ValueOf(m.load).Level(0, 1, m.loadAt)
	for i, f := range files {
		if err := put(f.columns[m.loadAt], slices.Repeat([]parquet.Value{load}, counts[i])); err != nil {
			return err
		}
		f.rows += int64(counts[i])
		f.bytes += len(m.load) * counts[i]
		m.held += len(m.load) * counts[i]
	}
	return nil
}

// microseconds are those of a millisecond, which values of times are.
const microseconds = 1000

// typed is the value of a column as its files have it.
func (m *merge) typed(column int, v parquet.Value) (parquet.Value, error) {
	t := m.types[column]
	if t == layout.String || v.Kind() != parquet.ByteArray {
		return v, nil
	}
	v, err := typed(t, v)
	if err != nil {
		return v, warehouse.Fail(warehouse.CodeFailed, fmt.Errorf("a value that fits its column cannot be read: %w", err))
	}
	return v, nil
}

func put(w *parquet.ColumnWriter, values []parquet.Value) error {
	if len(values) == 0 {
		return nil
	}
	if _, err := w.WriteRowValues(values); err != nil {
		return warehouse.Fail(warehouse.CodeFailed, fmt.Errorf("write a file of rows: %w", err))
	}
	return nil
}

// largest is the folder whose file holds most, of those that are not among others.
func (m *merge) largest(others ...string) (folder string) {
	for _, name := range slices.Sorted(maps.Keys(m.open)) {
		if slices.Contains(others, name) {
			continue
		}
		if folder == "" || m.open[name].bytes > m.open[folder].bytes {
			folder = name
		}
	}
	return folder
}

// put ends the files of folders and writes them into the store.
func (m *merge) put(ctx context.Context, folders []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(puts)
	for _, folder := range folders {
		f := m.open[folder]
		delete(m.open, folder)
		m.held -= f.bytes
		key := fmt.Sprintf("%s%s%s%s-%d.parquet", m.prefix, folder, m.name, m.token, m.written[folder])
		m.written[folder]++
		group.Go(func() error {
			if err := f.out.Close(); err != nil {
				return warehouse.Fail(warehouse.CodeFailed, fmt.Errorf("write a file of rows: %w", err))
			}
			if m.table != nil {
				if err := m.account(key, m.times[folder], f); err != nil {
					return err
				}
			}
			return m.lake.Store.Put(ctx, key, f.buf.Bytes())
		})
	}
	return group.Wait()
}

// account notes what a finished file of a format's table has, before it is written.
func (m *merge) account(key string, part *int64, f *file) error {
	columns, err := stats(f.buf.Bytes(), m.ids)
	if err != nil {
		return warehouse.Fail(warehouse.CodeFailed, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done = append(m.done, File{Key: key, Size: int64(f.buf.Len()), Rows: f.rows, Part: part, Columns: columns})
	return nil
}
