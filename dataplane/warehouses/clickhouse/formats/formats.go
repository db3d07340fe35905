// Package formats writes rows in the formats in which a ClickHouse server takes them: RowBinary
// row by row, and Native column by column.
package formats

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouse/rows"
	"weir/dataplane/warehouse/texts"
)

// Column is a column of the table that the server fills.
type Column struct {
	Name string
	Type string // Int64, Float64, UInt8 or String; the table's column is Nullable of it
	Key  bool   // it is not Nullable
	Of   string // the column that is named in errors
}

func (c *Column) refused() error {
	return warehouse.Fail(warehouse.CodeFailed, refusal.Wrap(refusal.Rows, fmt.Errorf("a staged value of column %s is no %s", c.Of, c.Type)))
}

// Line writes a row as RowBinary: the texts of its values, nil for null. Errors are those of
// out, or refusal.Rows for a text that is no value of its column.
// Source: https://clickhouse.com/docs/en/interfaces/formats
func Line(out *bufio.Writer, columns []Column, values [][]byte) error {
	var b [binary.MaxVarintLen64]byte
	for i, v := range values {
		c := &columns[i]
		if !c.Key {
			if v == nil {
				_ = out.WriteByte(1)
				continue
			}
			_ = out.WriteByte(0)
		}
		if c.Type == "String" {
			v = bytes.ReplaceAll(v, []byte{0}, []byte("\uFFFD"))
			_, _ = out.Write(binary.AppendUvarint(b[:0], uint64(len(v))))
			_, _ = out.Write(v)
			continue
		}
		value, ok := c.read(b[:0], v)
		if !ok {
			return c.refused()
		}
		_, _ = out.Write(value)
	}
	_, err := out.Write(nil) // shows an error of before
	return err
}

// read appends the value that a text is, of a type but String.
func (c *Column) read(to, text []byte) ([]byte, bool) {
	switch c.Type {
	case "Int64":
		n, err := strconv.ParseInt(string(text), 10, 64)
		return binary.LittleEndian.AppendUint64(to, uint64(n)), err == nil
	case "Float64":
		f, err := strconv.ParseFloat(string(text), 64)
		return binary.LittleEndian.AppendUint64(to, math.Float64bits(f)), err == nil
	}
	b, err := strconv.ParseBool(string(text))
	return append(to, bit(b)), err == nil
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// Native writes batches of rows, each as a block: the numbers of columns and rows, and of each
// column its name, its type, which values are null, and the values.
// Source: https://clickhouse.com/docs/en/interfaces/formats#native
type Native struct {
	Out     *bufio.Writer
	Columns []Column
	From    []rows.Column // the columns of the batches, in the order of Columns

	nulls  []byte
	values []byte
	text   []byte
}

// Write writes a batch. Errors are those of Out and of the batch, or refusal.Rows for a value
// that its column does not take.
func (w *Native) Write(b rows.Batch) error {
	w.size(len(w.Columns))
	w.size(b.Len())
	for i := range w.Columns {
		c := &w.Columns[i]
		w.string(c.Name)
		if c.Key {
			w.string(c.Type)
		} else {
			w.string("Nullable(" + c.Type + ")")
		}
		w.nulls, w.values = w.nulls[:0], w.values[:0]
		err := b.Column(i, func(values []parquet.Value) error {
			for _, v := range values {
				if !w.add(c, w.From[i].File, v) {
					return c.refused()
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if !c.Key {
			_, _ = w.Out.Write(w.nulls)
		}
		if _, err := w.Out.Write(w.values); err != nil { // shows errors of before
			return err
		}
	}
	return nil
}

func (w *Native) size(n int) {
	var b [binary.MaxVarintLen64]byte
	_, _ = w.Out.Write(b[:binary.PutUvarint(b[:], uint64(n))])
}

func (w *Native) string(s string) {
	w.size(len(s))
	_, _ = w.Out.WriteString(s)
}

// add takes a value of a batch into the column; false for one that is none of its type.
func (w *Native) add(c *Column, of layout.Type, v parquet.Value) bool {
	if v.IsNull() {
		w.nulls = append(w.nulls, 1)
		if c.Type == "Int64" || c.Type == "Float64" {
			w.values = append(w.values, 0, 0, 0, 0, 0, 0, 0, 0)
		} else { // an empty text, or false
			w.values = append(w.values, 0)
		}
		return !c.Key
	}
	w.nulls = append(w.nulls, 0)
	switch {
	case c.Type == "Int64" && of == layout.Int:
		w.values = binary.LittleEndian.AppendUint64(w.values, uint64(v.Int64()))
		return true
	case c.Type == "Float64" && of == layout.Float:
		w.values = binary.LittleEndian.AppendUint64(w.values, math.Float64bits(v.Double()))
		return true
	case c.Type == "UInt8" && of == layout.Boolean:
		w.values = append(w.values, bit(v.Boolean()))
		return true
	}
	text := w.textOf(of, v)
	if c.Type == "String" {
		w.values = append(binary.AppendUvarint(w.values, uint64(len(text))), text...)
		return true
	}
	var ok bool
	w.values, ok = c.read(w.values, text)
	return ok
}

// textOf is a value as layouts write it; it is good until the next one.
func (w *Native) textOf(from layout.Type, v parquet.Value) []byte {
	if v.Kind() == parquet.ByteArray {
		return v.ByteArray()
	}
	w.text = texts.Append(w.text[:0], from, v)
	return w.text
}
