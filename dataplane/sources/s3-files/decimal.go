package s3files

import (
	"encoding/json"
	"math/big"
	"reflect"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// exactly is a schema whose decimals are read with all their digits, as json.Number; the
// library makes binary fractions of them.
func exactly(s *parquet.Schema) *parquet.Schema {
	fields, changed := exactFields(s.Fields())
	if !changed {
		return s
	}
	return parquet.NewSchema(s.Name(), exactRoot{s, fields})
}

// exactRoot is the group of all columns.
type exactRoot struct {
	parquet.Node
	fields []parquet.Field
}

// Fields implements parquet.Node.
func (r exactRoot) Fields() []parquet.Field { return r.fields }

// exactField is a column, or a group of columns, with decimals below it.
type exactField struct {
	parquet.Field
	fields []parquet.Field
	typ    parquet.Type
}

// Fields implements parquet.Node.
func (f exactField) Fields() []parquet.Field { return f.fields }

// Type implements parquet.Node.
func (f exactField) Type() parquet.Type { return f.typ }

func exactFields(of []parquet.Field) (fields []parquet.Field, changed bool) {
	for _, f := range of {
		if !f.Leaf() {
			below, more := exactFields(f.Fields())
			if more {
				f, changed = exactField{f, below, f.Type()}, true
			}
		} else if t := f.Type().LogicalType(); t != nil {
			if d, ok := t.Value.(*format.DecimalType); ok {
				f, changed = exactField{f, f.Fields(), exactType{f.Type(), int(d.Scale)}}, true
			}
		}
		fields = append(fields, f)
	}
	return fields, changed
}

// exactType is a decimal.
type exactType struct {
	parquet.Type
	scale int
}

// AssignValue implements parquet.Type.
func (t exactType) AssignValue(dst reflect.Value, src parquet.Value) error {
	if src.IsNull() {
		dst.SetZero()
		return nil
	}
	n := new(big.Int)
	switch src.Kind() {
	case parquet.Int32:
		n.SetInt64(int64(src.Int32()))
	case parquet.Int64:
		n.SetInt64(src.Int64())
	default: // two's complement, the greatest byte first
		b := src.ByteArray()
		if n.SetBytes(b); len(b) > 0 && b[0]&0x80 != 0 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
	}
	dst.Set(reflect.ValueOf(pointed(n, t.scale)))
	return nil
}

// pointed is a whole number with a point before the last digits.
func pointed(n *big.Int, scale int) json.Number {
	if scale <= 0 || scale > 1000 {
		return json.Number(n.String())
	}
	text, sign := new(big.Int).Abs(n).String(), ""
	if n.Sign() < 0 {
		sign = "-"
	}
	if len(text) <= scale {
		text = strings.Repeat("0", scale+1-len(text)) + text
	}
	return json.Number(sign + text[:len(text)-scale] + "." + text[len(text)-scale:])
}
