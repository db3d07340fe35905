package lake

import (
	"fmt"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"

	"weir/dataplane/layout"
	"weir/dataplane/layout/timestamp"
	"weir/dataplane/warehouse/rows"
)

// kept is the type that a column has for values of a type.
func kept(t layout.Type) layout.Type {
	switch t {
	case layout.Int, layout.Float, layout.Boolean, layout.Datetime:
		return t
	}
	return layout.String
}

// native is a type as the SQL of most engines has it.
func native(t layout.Type) string {
	switch t {
	case layout.Int:
		return "bigint"
	case layout.Float:
		return "double"
	case layout.Boolean:
		return "boolean"
	case layout.Datetime:
		return "timestamp"
	}
	return "string"
}

var ofRows = rows.Kind{Guard: guard}

const whole = 64 // bits of a whole number, and of a float

func guard(native string) rows.Guard {
	switch native {
	case "bigint":
		return rows.Whole(whole)
	case "double":
		return rows.Float(whole)
	case "boolean":
		return rows.Boolean
	case "timestamp":
		return rows.Instant(time.Millisecond)
	case "string", "":
		return rows.Bytes(-1)
	}
	return nil // a type of somebody else's
}

// foreign says of a native type that files have no values of it.
func foreign(native string) bool { return guard(native) == nil }

// typeOf is the type of a column's values in files.
func typeOf(c rows.Column) layout.Type {
	switch c.Native {
	case "bigint":
		return layout.Int
	case "double":
		return layout.Float
	case "boolean":
		return layout.Boolean
	case "timestamp":
		return layout.Datetime
	}
	return layout.String
}

// node is the Parquet type of a column.
func node(t layout.Type) parquet.Node {
	switch t {
	case layout.Int:
		return parquet.Optional(parquet.Leaf(parquet.Int64Type))
	case layout.Float:
		return parquet.Optional(parquet.Leaf(parquet.DoubleType))
	case layout.Boolean:
		return parquet.Optional(parquet.Leaf(parquet.BooleanType))
	case layout.Datetime:
		return parquet.Optional(parquet.Timestamp(parquet.Millisecond))
	}
	return parquet.Optional(parquet.String())
}

// typed makes of a guarded value, which is a text that fits, one of its column's type.
func typed(t layout.Type, v parquet.Value) (parquet.Value, error) {
	if v.IsNull() || v.Kind() != parquet.ByteArray || t == layout.String {
		return v, nil
	}
	text := string(v.ByteArray())
	switch t {
	case layout.Int:
		n, err := strconv.ParseInt(text, 10, 64)
		return parquet.Int64Value(n), err
	case layout.Float:
		f, err := strconv.ParseFloat(text, 64)
		return parquet.DoubleValue(f), err
	case layout.Boolean:
		b, err := strconv.ParseBool(text)
		return parquet.BooleanValue(b), err
	}
	ms, ok := timestamp.Parse(text)
	if !ok {
		return v, fmt.Errorf("a text of %d bytes is no time", len(text))
	}
	return parquet.Int64Value(ms), nil
}
