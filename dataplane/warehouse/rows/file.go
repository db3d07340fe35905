package rows

import (
	"bytes"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"

	"weir/dataplane/layout"
)

// leaf is the Parquet type of a column.
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

// encode writes rows as a Parquet file: each column optional and named by InFile.
func (t *Table) encode(w io.Writer, rows [][]parquet.Value) error {
	group := parquet.Group{}
	for i, c := range t.Columns {
		group[InFile(i)] = parquet.Optional(leaf(c.File))
	}
	out := parquet.NewWriter(w, parquet.NewSchema("rows", group), parquet.Compression(&snappy.Codec{}))
	many := max(1, min(256, 65536/len(t.Columns)))
	some := make([]parquet.Row, 0, many)
	for i, values := range rows {
		row := make(parquet.Row, len(values))
		for at, v := range values {
			if v.IsNull() {
				row[at] = parquet.NullValue().Level(0, 0, at)
			} else {
				row[at] = v.Level(0, 1, at)
			}
		}
		if some = append(some, row); len(some) == many || i == len(rows)-1 {
			if _, err := out.WriteRows(some); err != nil {
				return err
			}
			some = some[:0]
		}
	}
	return out.Close()
}

// Empty is a file without rows.
func (t *Table) Empty() ([]byte, error) {
	var b bytes.Buffer
	err := t.encode(&b, nil)
	return b.Bytes(), err
}
