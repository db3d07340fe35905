package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"

	"weir/dataplane/blob"
	"weir/dataplane/warehouse"
)

// Seqs returns the numbers of a table's rows, from one on, in order.
func (t *Table) Seqs(ctx context.Context, blobs blob.Store, from int64) ([]int64, error) {
	var all []int64
	for _, f := range t.Files {
		if err := eachSeq(ctx, blobs, f.Ref, func(seq int64) {
			if seq >= from {
				all = append(all, seq)
			}
		}); err != nil {
			return nil, fmt.Errorf("read the numbers of staged rows: %w", err)
		}
	}
	slices.Sort(all)
	return all, nil
}

func eachSeq(ctx context.Context, blobs blob.Store, ref blob.Ref, do func(seq int64)) error {
	f, err := blobs.Open(ctx, ref)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	p, err := parquet.OpenFile(f, f.Size())
	if err != nil {
		return err
	}
	at := slices.IndexFunc(p.Schema().Columns(), func(c []string) bool { return c[0] == warehouse.SeqColumn })
	if at < 0 {
		return errors.New("a staged file has no numbers of rows")
	}
	for _, g := range p.RowGroups() {
		if err := eachValue(g.ColumnChunks()[at], do); err != nil {
			return err
		}
	}
	return nil
}

func eachValue(c parquet.ColumnChunk, do func(seq int64)) error {
	pages := c.Pages()
	defer func() { _ = pages.Close() }() // it was only read
	values := make([]parquet.Value, 256)
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for r := page.Values(); ; {
			n, err := r.ReadValues(values)
			for _, v := range values[:n] {
				do(v.Int64())
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
		}
		parquet.Release(page)
	}
}
