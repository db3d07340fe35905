package endpoint

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

// Row is a row as a JSON object, its columns in their order. A name that was
// there before gets a number.
func Row(columns []string, values []any) ([]byte, error) {
	if len(columns) != len(values) {
		return nil, fmt.Errorf("a row has %d values for %d columns", len(values), len(columns))
	}
	var b bytes.Buffer
	b.WriteByte('{')
	taken := make(map[string]bool, len(columns))
	for i, name := range columns {
		unique := name
		for n := 2; taken[unique]; n++ {
			unique = fmt.Sprintf("%s_%d", name, n)
		}
		taken[unique] = true
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(encoded(unique))
		b.WriteByte(':')
		b.Write(encoded(values[i]))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encoded is a value of a row as JSON. What JSON has no form for is a string.
func encoded(v any) []byte {
	switch x := v.(type) {
	case []byte:
		if utf8.Valid(x) {
			v = string(x)
		} else {
			v = base64.StdEncoding.EncodeToString(x)
		}
	case time.Time:
		v = x.UTC()
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			v = fmt.Sprint(x)
		}
	case float32:
		if f := float64(x); math.IsNaN(f) || math.IsInf(f, 0) {
			v = fmt.Sprint(f)
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		b.Reset()
		_ = enc.Encode(fmt.Sprint(v)) // a string always can
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
