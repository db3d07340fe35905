package warehouse

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// RowJSON writes a row of a query as one JSON object in the order of its columns.
// Times are ISO 8601 in UTC, infinite floats texts.
func RowJSON(names []string, values []any) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, name := range names {
		if i > 0 {
			b.WriteByte(',')
		}
		v := values[i]
		switch x := v.(type) {
		case time.Time:
			v = x.UTC().Format("2006-01-02T15:04:05.000Z07:00")
		case []byte:
			v = string(x)
		case [16]byte:
			v = fmt.Sprintf("%x-%x-%x-%x-%x", x[:4], x[4:6], x[6:8], x[8:10], x[10:])
		case float64:
			if math.IsNaN(x) || math.IsInf(x, 0) {
				v = fmt.Sprint(x)
			}
		}
		for j, part := range []any{name, v} {
			var p bytes.Buffer
			enc := json.NewEncoder(&p)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(part); err != nil {
				p.Reset()
				if err := enc.Encode(fmt.Sprint(part)); err != nil {
					return nil, fmt.Errorf("write a row as JSON: %w", err)
				}
			}
			if j == 1 {
				b.WriteByte(':')
			}
			b.Write(bytes.TrimSpace(p.Bytes()))
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
