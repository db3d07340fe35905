package formats_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/parquet-go/parquet-go"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouse/rows"
	"weir/dataplane/warehouses/clickhouse/formats"
)

// batch is rows of one column.
type batch []parquet.Value

func (b batch) Len() int { return len(b) }

func (b batch) Column(_ int, do func([]parquet.Value) error) error { return do(b) }

// block is a block of Native of one column: after its name and type come the marks of nulls, and the values.
func block(name, typ string, nulls []byte, values ...byte) []byte {
	b := []byte{1, byte(len(nulls)), byte(len(name))}
	b = append(append(append(b, name...), byte(len(typ))), typ...)
	return append(append(b, nulls...), values...)
}

// TestTextsOfABlockAreThoseOfALine has values of each type in a column of texts: both formats spell them as layouts do.
func TestTextsOfABlockAreThoseOfALine(t *testing.T) {
	t.Parallel()
	for text, v := range map[string]struct {
		of    layout.Type
		value parquet.Value
	}{
		"-12":                      {layout.Int, parquet.Int64Value(-12)},
		"1000000":                  {layout.Float, parquet.DoubleValue(1e6)},
		"0.5":                      {layout.Float, parquet.DoubleValue(0.5)},
		"1e+20":                    {layout.Float, parquet.DoubleValue(1e20)},
		"true":                     {layout.Boolean, parquet.BooleanValue(true)},
		"2026-01-02T03:04:05.006Z": {layout.Datetime, parquet.Int64Value(1767323045006)},
		"a\nb":                     {layout.String, parquet.ByteArrayValue([]byte("a\nb"))},
	} {
		columns := []formats.Column{{Name: "c", Type: "String", Of: "c"}}
		var got, line bytes.Buffer
		out := bufio.NewWriter(&got)
		native := formats.Native{Out: out, Columns: columns, From: []rows.Column{{Name: "c", File: v.of}}}
		if err := errors.Join(native.Write(batch{v.value, parquet.NullValue()}), out.Flush()); err != nil {
			t.Fatal(err)
		}
		sized := append([]byte{byte(len(text))}, text...)
		if want := block("c", "Nullable(String)", []byte{0, 1}, append(sized, 0)...); !bytes.Equal(got.Bytes(), want) {
			t.Errorf("the block of %q is %q, want %q", text, got.Bytes(), want)
		}
		out = bufio.NewWriter(&line)
		if err := errors.Join(formats.Line(out, columns, [][]byte{[]byte(text)}), out.Flush()); err != nil {
			t.Fatal(err)
		}
		if want := append([]byte{0}, sized...); !bytes.Equal(line.Bytes(), want) {
			t.Errorf("the line of %q is %q, want %q", text, line.Bytes(), want)
		}
	}
}

// TestBlocksOfNumbers has numbers as such and as texts, and refuses what is none, and a key that is null.
func TestBlocksOfNumbers(t *testing.T) {
	t.Parallel()
	write := func(c formats.Column, of layout.Type, values ...parquet.Value) ([]byte, error) {
		var got bytes.Buffer
		out := bufio.NewWriter(&got)
		native := formats.Native{Out: out, Columns: []formats.Column{c}, From: []rows.Column{{Name: c.Name, File: of}}}
		err := errors.Join(native.Write(batch(values)), out.Flush())
		return got.Bytes(), err
	}
	seven := binary.LittleEndian.AppendUint64(nil, 7)
	key := formats.Column{Name: "k", Type: "Int64", Key: true, Of: "k"}
	for name, v := range map[string]struct {
		of    layout.Type
		value parquet.Value
	}{"a number": {layout.Int, parquet.Int64Value(7)}, "a text": {layout.String, parquet.ByteArrayValue([]byte("7"))}} {
		if got, err := write(key, v.of, v.value); err != nil || !bytes.Equal(got, append([]byte("\x01\x01\x01k\x05Int64"), seven...)) {
			t.Errorf("%s gives %q, %v", name, got, err)
		}
	}
	for name, v := range map[string]parquet.Value{"a text that is no number": parquet.ByteArrayValue([]byte("seven")), "null": parquet.NullValue()} {
		if _, err := write(key, layout.String, v); refusal.Of(err) != refusal.Rows {
			t.Errorf("%s gives %v, want refusal.Rows", name, err)
		}
	}
}
