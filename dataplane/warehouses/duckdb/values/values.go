//go:build !noduckdb

// Package values is how rows of a session travel from the process that reads them.
package values

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"time"

	driver "github.com/duckdb/duckdb-go/v2"

	"weir/shared/worker"
)

// Tags of values between a session's two ends.
const (
	tagNull byte = iota
	tagFalse
	tagTrue
	tagInt   // a varint
	tagFloat // 8 bytes
	tagText  // its length as a uvarint, and its bytes
	tagTime  // microseconds since 1970 as a varint
)

// Plain is a value in one of the types of tables.Session.
func Plain(v any, native string) any {
	switch v := v.(type) {
	case nil, bool, int64, float64, string:
		return v
	case int8:
		return int64(v)
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case uint8:
		return int64(v)
	case uint16:
		return int64(v)
	case uint32:
		return int64(v)
	case uint64:
		return whole(strconv.FormatUint(v, 10))
	case *big.Int:
		return whole(v.String())
	case float32:
		return float64(v)
	case driver.Decimal:
		return whole(v.String())
	case time.Time:
		return v.UTC()
	case []byte:
		if native == "UUID" && len(v) == len(driver.UUID{}) {
			u := driver.UUID(v)
			return u.String()
		}
		return string(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// whole is the text of an exact number, or the number when it is a whole one that fits.
func whole(s string) any {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	return s
}

// Append appends a row of plain values.
func Append(b []byte, values []any) []byte {
	b = binary.AppendUvarint(b, uint64(len(values)))
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			b = append(b, tagNull)
		case bool:
			if v {
				b = append(b, tagTrue)
			} else {
				b = append(b, tagFalse)
			}
		case int64:
			b = binary.AppendVarint(append(b, tagInt), v)
		case float64:
			b = binary.BigEndian.AppendUint64(append(b, tagFloat), math.Float64bits(v))
		case string:
			b = append(binary.AppendUvarint(append(b, tagText), uint64(len(v))), v...)
		case time.Time:
			b = binary.AppendVarint(append(b, tagTime), v.UnixMicro())
		}
	}
	return b
}

// Each gives the rows of a frame. What cannot be read is worker.ErrFrame.
func Each(b []byte, row func([]any) error) error {
	var values []any
	for len(b) > 0 {
		n, used := binary.Uvarint(b)
		if used <= 0 || n > uint64(len(b)) {
			return worker.ErrFrame
		}
		b, values = b[used:], values[:0]
		for range n {
			v, rest, err := readValue(b)
			if err != nil {
				return err
			}
			b, values = rest, append(values, v)
		}
		if err := row(values); err != nil {
			return err
		}
	}
	return nil
}

// readValue reads one value, and returns what follows it.
func readValue(b []byte) (v any, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, worker.ErrFrame
	}
	tag, b := b[0], b[1:]
	switch tag {
	case tagNull:
		return nil, b, nil
	case tagFalse, tagTrue:
		return tag == tagTrue, b, nil
	case tagFloat:
		if len(b) < 8 {
			return nil, nil, worker.ErrFrame
		}
		return math.Float64frombits(binary.BigEndian.Uint64(b)), b[8:], nil
	case tagText:
		n, used := binary.Uvarint(b)
		if used <= 0 || n > uint64(len(b)-used) {
			return nil, nil, worker.ErrFrame
		}
		return string(b[used : used+int(n)]), b[used+int(n):], nil
	case tagInt, tagTime:
		n, used := binary.Varint(b)
		if used <= 0 {
			return nil, nil, worker.ErrFrame
		}
		if tag == tagTime {
			return time.UnixMicro(n).UTC(), b[used:], nil
		}
		return n, b[used:], nil
	}
	return nil, nil, worker.ErrFrame
}
