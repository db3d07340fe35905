package texts

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"

	"github.com/parquet-go/parquet-go"

	"weir/dataplane/blob"
	"weir/dataplane/warehouse"
)

// Newest is the last row of each id in staged files. It knows ids by a part of
// their SHA-256, so that its memory does not depend on them.
type Newest struct {
	last  map[[16]byte]int64
	stale map[int64]bool // rows that are not the last of their id
}

// Keep says whether the row of a number is the last of its id.
func (n *Newest) Keep(seq int64) bool { return len(n.stale) == 0 || !n.stale[seq] }

// IDs is how many ids there are.
func (n *Newest) IDs() int { return len(n.last) }

// NewestOf finds the newest row of each id among those rows of files that t has, and
// gives each id once. Errors of files are warehouse.CodeStage.
func NewestOf(ctx context.Context, blobs blob.Store, t warehouse.Table, files []warehouse.Staged, each func(id string) error) (*Newest, error) {
	n := &Newest{last: map[[16]byte]int64{}, stale: map[int64]bool{}}
	for _, f := range files {
		err := eachID(ctx, blobs, f.Ref, func(id string, seq int64) error {
			if !t.Has(seq) {
				return nil
			}
			sum := sha256.Sum256([]byte(id))
			key := [16]byte(sum[:16])
			if before, ok := n.last[key]; ok {
				n.stale[min(before, seq)] = true
				n.last[key] = max(before, seq)
				return nil
			}
			n.last[key] = seq
			return each(id)
		})
		if err != nil {
			return nil, err
		}
	}
	return n, nil
}

// eachID gives the id and the number of every row of a staged file.
func eachID(ctx context.Context, blobs blob.Store, ref blob.Ref, do func(id string, seq int64) error) error {
	f, err := blobs.Open(ctx, ref)
	if err != nil {
		return warehouse.Fail(warehouse.CodeStage, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	p, err := parquet.OpenFile(f, f.Size())
	if err != nil {
		return warehouse.Fail(warehouse.CodeStage, err)
	}
	idAt, seqAt := -1, -1
	for i, c := range p.Schema().Columns() {
		switch c[0] {
		case "id":
			idAt = i
		case warehouse.SeqColumn:
			seqAt = i
		}
	}
	if idAt < 0 || seqAt < 0 {
		return warehouse.Fail(warehouse.CodeStage, errors.New("a staged file has no ids"))
	}
	for _, g := range p.RowGroups() {
		chunks := g.ColumnChunks()
		seqs := make([]int64, 0, g.NumRows())
		if err := eachValue(chunks[seqAt], func(v parquet.Value) error { seqs = append(seqs, v.Int64()); return nil }); err != nil {
			return err
		}
		row := 0
		err := eachValue(chunks[idAt], func(v parquet.Value) error {
			row++
			if v.IsNull() {
				return warehouse.Fail(warehouse.CodeStage, errors.New("a staged row has no id"))
			}
			return do(string(v.ByteArray()), seqs[row-1])
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func eachValue(c parquet.ColumnChunk, do func(parquet.Value) error) error {
	pages := c.Pages()
	defer func() { _ = pages.Close() }() // it was only read
	values := make([]parquet.Value, 256)
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return warehouse.Fail(warehouse.CodeStage, err)
		}
		for r := page.Values(); ; {
			n, err := r.ReadValues(values)
			for _, v := range values[:n] {
				if err := do(v); err != nil {
					return err
				}
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return warehouse.Fail(warehouse.CodeStage, err)
			}
		}
		parquet.Release(page)
	}
}
