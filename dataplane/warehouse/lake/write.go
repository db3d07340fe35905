package lake

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
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
	if err := l.settle(ctx, &into); err != nil {
		return warehouse.Merged{}, err
	}
	shape := rows.Of(into, ofRows)
	m := newMerge(l, &into, shape)
	err := shape.Write(ctx, l.Blobs, files, rows.Sink{
		Former: func(context.Context, []string) (map[string]string, error) { return nil, nil }, // what files hold stays as it is
		Take:   m.take,
	})
	if err == nil {
		err = m.put(ctx, slices.Sorted(maps.Keys(m.open)))
	}
	return warehouse.Merged{Rows: m.rows}, err
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
}

// rowWriter writes rows as Parquet.
type rowWriter interface {
	WriteRows(rows []parquet.Row) (int, error)
	Close() error
}

// file is a file that is being written.
type file struct {
	buf   bytes.Buffer
	out   rowWriter
	bytes int
}

func newMerge(l *lake, into *warehouse.Table, shape *rows.Table) *merge {
	m := &merge{lake: l, prefix: l.Prefix + folderOf(into.Name) + "/", name: into.Load, load: into.Load, keep: into.Keep, timeAt: -1, open: map[string]*file{}, written: map[string]int{}}
	if into.From > 0 {
		m.name += fmt.Sprintf("-from%d", into.From)
	}
	group := parquet.Group{LoadColumn: parquet.Encoded(parquet.Optional(parquet.String()), &parquet.RLEDictionary)}
	for i, c := range shape.Columns {
		t := typeOf(c)
		m.types = append(m.types, t)
		group[c.Name] = node(t)
		if c.Name == "received_at" && t == layout.Datetime {
			m.timeAt = i
		}
	}
	m.schema = parquet.NewSchema(into.Name, group)
	at := map[string]int{}
	for i, path := range m.schema.Columns() {
		at[path[0]] = i
	}
	for _, c := range shape.Columns {
		m.place = append(m.place, at[c.Name])
	}
	m.loadAt = at[LoadColumn]
	return m
}

// none is the folder of rows without a time, as Hive names it.
const none = "__HIVE_DEFAULT_PARTITION__"

// folder is where rows of a time are.
func (m *merge) folder(v parquet.Value) string {
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

// take writes a part of the rows into the files of their folders.
func (m *merge) take(ctx context.Context, part [][]parquet.Value) error {
	if m.parts++; m.keep && m.parts > 1 { // a later part may say more of the same user
		m.load = fmt.Sprintf("%s~%06d", m.name, m.parts)
	}
	for _, values := range part {
		row := make(parquet.Row, len(m.place)+1)
		size := len(m.load)
		var at parquet.Value
		for i, v := range values {
			v, err := typed(m.types[i], v)
			if err != nil {
				return warehouse.Fail(warehouse.CodeFailed, fmt.Errorf("a value that fits its column cannot be read: %w", err))
			}
			if i == m.timeAt {
				at = v
			}
			level := 1
			if v.IsNull() {
				v, level = parquet.NullValue(), 0
			} else if v.Kind() == parquet.ByteArray {
				size += len(v.ByteArray())
			} else {
				size += 8
			}
			row[m.place[i]] = v.Level(0, level, m.place[i])
		}
		row[m.loadAt] = parquet.ValueOf(m.load).Level(0, 1, m.loadAt)
		if err := m.add(ctx, m.folder(at), row, size); err != nil {
			return err
		}
	}
	m.rows += int64(len(part))
	return nil
}

// add writes a row. Which files are put before the end depends on the rows alone, so that a
// repetition puts the same ones.
func (m *merge) add(ctx context.Context, folder string, row parquet.Row, size int) error {
	f := m.open[folder]
	if f == nil {
		if len(m.open) >= openFiles {
			if err := m.put(ctx, []string{m.largest()}); err != nil {
				return err
			}
		}
		f = &file{}
		f.out = parquet.NewWriter(&f.buf, m.schema, parquet.Compression(&snappy.Codec{}))
		m.open[folder] = f
	}
	if _, err := f.out.WriteRows([]parquet.Row{row}); err != nil {
		return warehouse.Fail(warehouse.CodeFailed, fmt.Errorf("write a file of rows: %w", err))
	}
	f.bytes += size
	m.held += size
	if m.held < fileBytes {
		return nil
	}
	return m.put(ctx, []string{m.largest()})
}

// largest is the folder whose file holds most.
func (m *merge) largest() (folder string) {
	for _, name := range slices.Sorted(maps.Keys(m.open)) {
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
		key := fmt.Sprintf("%s%s%s-%d.parquet", m.prefix, folder, m.name, m.written[folder])
		m.written[folder]++
		group.Go(func() error {
			if err := f.out.Close(); err != nil {
				return warehouse.Fail(warehouse.CodeFailed, fmt.Errorf("write a file of rows: %w", err))
			}
			return m.lake.Store.Put(ctx, key, f.buf.Bytes())
		})
	}
	return group.Wait()
}
