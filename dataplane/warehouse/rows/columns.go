package rows

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/parquet-go/parquet-go"

	"weir/dataplane/blob"
	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
)

// Batch is rows by column.
type Batch interface {
	// Len is how many rows there are.
	Len() int
	// Column gives the values of the nth of Columns in the order of the rows, some at a time,
	// with a null where a row has none. They are good until do returns, which may change
	// them. A column may be read again. Errors of files are Failures, others those of do.
	Column(n int, do func(values []parquet.Value) error) error
}

// batchValues is how many values of a column are read at once.
const batchValues = 1024

// held is rows in memory.
type held [][]parquet.Value

func (h held) Len() int { return len(h) }

func (h held) Column(n int, do func([]parquet.Value) error) error {
	values := make([]parquet.Value, 0, min(len(h), batchValues))
	for i, row := range h {
		if values = append(values, row[n]); len(values) == cap(values) || i == len(h)-1 {
			if err := do(values); err != nil {
				return err
			}
			values = values[:0]
		}
	}
	return nil
}

// group is those rows of a group of a staged file that are merged. Each value has a column
// of its own in the file.
type group struct {
	t      *Table
	ctx    context.Context // of one merge, in which the group lives
	chunks []parquet.ColumnChunk
	spots  []spot
	from   []int  // the column of the file for each of Columns, -1 without
	keep   []bool // the rows that are merged; nil for all
	rows   int
}

func (g *group) Len() int { return g.rows }

func (g *group) Column(n int, do func([]parquet.Value) error) error {
	if g.from[n] < 0 {
		return g.nulls(do)
	}
	s := &g.spots[g.from[n]]
	var sent []parquet.Value
	if s.sent >= 0 && s.texts && s.typ == layout.Float {
		if err := eachValue(g.ctx, g.chunks[s.sent], func(values []parquet.Value) error {
			for _, v := range values {
				sent = append(sent, v.Clone())
			}
			return nil
		}); err != nil {
			return err
		}
	}
	c := &g.t.Columns[n]
	same := c.File == s.typ && c.File != layout.String
	row := 0
	return eachValue(g.ctx, g.chunks[g.from[n]], func(values []parquet.Value) (err error) {
		kept := values[:0]
		for _, v := range values {
			at := row
			if row++; g.keep != nil && !g.keep[at] {
				continue
			}
			switch {
			case same || v.IsNull():
			case c.File == layout.String && s.typ == layout.String && g.t.whole(v.ByteArray()):
			case sent != nil && !sent[at].IsNull():
				v, err = g.t.value(s, v, sent[at].ByteArray())
			default:
				v, err = g.t.value(s, v, nil)
			}
			if err != nil {
				return err
			}
			kept = append(kept, v)
		}
		if len(kept) == 0 {
			return nil
		}
		return do(kept)
	})
}

func (g *group) nulls(do func([]parquet.Value) error) error {
	values := make([]parquet.Value, min(g.rows, batchValues))
	for left := g.rows; left > 0; {
		n := min(left, len(values))
		clear(values)
		if err := do(values[:n]); err != nil {
			return err
		}
		left -= n
	}
	return nil
}

// whole says whether a text goes into a file as it is.
func (t *Table) whole(text []byte) bool {
	return (t.kind.MaxText == 0 || len(text) <= t.kind.MaxText) && bytes.IndexByte(text, 0) < 0
}

// eachValue gives the values of a column of a group of rows.
func eachValue(ctx context.Context, c parquet.ColumnChunk, do func([]parquet.Value) error) error {
	pages := c.Pages()
	defer func() { _ = pages.Close() }() // it was only read
	values := make([]parquet.Value, batchValues)
	for {
		if err := ctx.Err(); err != nil {
			return warehouse.Fail(warehouse.CodeFailed, err)
		}
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return warehouse.Fail(warehouse.CodeStage, err)
		}
		err = eachOf(page.Values(), values, do)
		parquet.Release(page)
		if err != nil {
			return err
		}
	}
}

func eachOf(r parquet.ValueReader, values []parquet.Value, do func([]parquet.Value) error) error {
	for {
		n, err := r.ReadValues(values)
		if n > 0 {
			if err := do(values[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return warehouse.Fail(warehouse.CodeStage, err)
		}
	}
}

// newest is the last rows of their ids.
type newest struct {
	last  map[key]int64
	stale map[int64]bool // numbers of rows that are not the last of their id
}

func (n *newest) see(id []byte, seq int64) {
	k := keyOf(id)
	before, there := n.last[k]
	if there {
		n.stale[min(before, seq)] = true
	}
	n.last[k] = max(before, seq)
}

// newest finds the last row of each id.
func (t *Table) newest(ctx context.Context, blobs blob.Store, files []warehouse.Staged) (*newest, error) {
	n := &newest{last: map[key]int64{}, stale: map[int64]bool{}}
	for _, f := range files {
		plain, err := t.groups(ctx, blobs, f, []string{"id"}, func(g *group, seqs []int64) error {
			row := 0
			return g.Column(t.id, func(values []parquet.Value) error {
				for _, v := range values {
					if v.IsNull() {
						return warehouse.Fail(warehouse.CodeStage, errors.New("a staged row has no id"))
					}
					n.see(v.ByteArray(), seqs[row])
					row++
				}
				return nil
			})
		}, nil)
		if err == nil && !plain {
			err = t.read(ctx, blobs, f, []string{"id"}, func(seq int64, row []parquet.Value, _ map[string]string) error {
				n.see(row[t.id].ByteArray(), seq)
				return nil
			})
		}
		if err != nil {
			return nil, err
		}
	}
	return n, nil
}

// groups gives the groups of rows of a staged file with the numbers of the rows that are
// merged, where each value has a column of its own; else plain is false and nothing is given.
// only limits it to some columns, stale are rows that are left out.
func (t *Table) groups(ctx context.Context, blobs blob.Store, staged warehouse.Staged, only []string, do func(g *group, seqs []int64) error, stale map[int64]bool) (plain bool, err error) {
	for _, c := range staged.Columns {
		if p := t.places[c.Name]; (only == nil || c.Name == only[0]) && (p.raw >= 0 || p.over != "") {
			return false, nil
		}
	}
	f, err := blobs.Open(ctx, staged.Ref)
	if err != nil {
		return true, warehouse.Fail(warehouse.CodeStage, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	p, err := parquet.OpenFile(f, f.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(readBytes))
	if err != nil {
		return true, warehouse.Fail(warehouse.CodeStage, err)
	}
	spots, seqAt := t.spots(p.Schema(), staged, only)
	from := make([]int, len(t.Columns))
	for i := range from {
		from[i] = -1
	}
	for i, s := range spots {
		if s.name != "" {
			from[s.at] = i
		}
	}
	for _, rg := range p.RowGroups() {
		g := &group{t: t, ctx: ctx, chunks: rg.ColumnChunks(), spots: spots, from: from}
		var seqs []int64
		keep, every := make([]bool, 0, rg.NumRows()), true
		err := eachValue(ctx, g.chunks[seqAt], func(values []parquet.Value) error {
			for _, v := range values {
				seq := v.Int64()
				is := t.into.Has(seq) && !stale[seq]
				if keep, every = append(keep, is), every && is; is {
					seqs = append(seqs, seq)
				}
			}
			return nil
		})
		if err != nil {
			return true, err
		}
		if g.rows = len(seqs); !every {
			g.keep = keep
		}
		if g.rows == 0 {
			continue
		}
		if err := do(g, seqs); err != nil {
			return true, err
		}
	}
	return true, nil
}

// readBytes is how much of a staged file is read at once.
const readBytes = 64 << 10
