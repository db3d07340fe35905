// Package text reads values as Postgres writes them, with datestyle ISO, intervalstyle
// iso_8601, bytea_output hex and the time zone UTC.
package text

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"weir/dataplane/pull/tables"
)

// Base names the type as which values of a column are read, by its base type, the category
// of that and the type of its elements: of arrays it is [] and that of elements. apart: its
// values are put in another order than they are compared. plain: they are read as they are;
// else arrays and composite values as JSON of the server's.
// Source: https://www.postgresql.org/docs/current/catalog-pg-type.html
func Base(base, category, element string, plain bool) (name string, apart bool) {
	switch apart = category == "A" || category == "C" || base == "json"; {
	case plain && category == "A":
		return "[]" + element, apart
	case base == "json", apart && !plain:
		return "jsonb", apart
	}
	return base, apart
}

// Append appends a value of a type, as Base names it, as JSON.
func Append(dst []byte, base string, v []byte) []byte {
	if element, ok := strings.CutPrefix(base, "[]"); ok {
		if b, ok := appendArray(dst, element, v); ok {
			return b
		}
		return tables.AppendText(dst, v)
	}
	switch base {
	case "bool":
		if string(v) == "t" {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case "int2", "int4", "int8", "oid", "float4", "float8", "numeric":
		if last := v[len(v)-1]; last >= '0' && last <= '9' { // else NaN or Infinity
			return append(dst, v...)
		}
	case "jsonb":
		return append(dst, v...)
	case "timestamptz", "timestamp":
		if at, ok := iso(v); ok {
			return append(append(append(append(append(dst, '"'), at[:10]...), 'T'), at[11:]...), 'Z', '"')
		}
	case "bytea":
		b := make([]byte, hex.DecodedLen(len(v)-min(len(v), 2)))
		if n, err := hex.Decode(b, bytes.TrimPrefix(v, []byte(`\x`))); err == nil {
			return append(base64.StdEncoding.AppendEncode(append(dst, '"'), b[:n]), '"')
		}
	}
	return tables.AppendText(dst, v)
}

// appendArray appends an array as JSON; ok is false where v is none.
// Source: https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
func appendArray(dst []byte, element string, v []byte) (out []byte, ok bool) {
	if len(v) > 0 && v[0] == '[' { // its bounds stand before it
		_, v, ok = bytes.Cut(v, []byte("]="))
		if !ok {
			return dst, false
		}
	}
	delimiter := byte(',')
	if element == "box" {
		delimiter = ';'
	}
	depth, item := 0, []byte(nil)
	for i := 0; i < len(v); {
		switch c := v[i]; {
		case c == '{':
			dst, depth, i = append(dst, '['), depth+1, i+1
		case c == '}':
			if depth--; depth < 0 {
				return dst, false
			}
			dst, i = append(dst, ']'), i+1
			if depth == 0 {
				return dst, i == len(v)
			}
		case depth == 0:
			return dst, false
		case c == delimiter:
			dst, i = append(dst, ','), i+1
		case c == '"':
			item = item[:0]
			for i++; i < len(v) && v[i] != '"'; i++ {
				if v[i] == '\\' && i+1 < len(v) {
					i++
				}
				item = append(item, v[i])
			}
			if i == len(v) {
				return dst, false
			}
			dst, i = Append(dst, element, item), i+1
		default:
			end := i
			for end < len(v) && v[end] != delimiter && v[end] != '}' {
				end++
			}
			if word := v[i:end]; string(word) == "NULL" {
				dst = append(dst, "null"...)
			} else {
				dst = Append(dst, element, word)
			}
			i = end
		}
	}
	return dst, false
}

// iso is a time of a year with four digits without its zone, which is UTC; others, and
// infinity, are none.
func iso(v []byte) ([]byte, bool) {
	v = bytes.TrimSuffix(v, []byte("+00"))
	ok := len(v) >= len("2006-01-02 15:04:05") && v[4] == '-' && v[10] == ' ' && v[len(v)-1] <= '9'
	return v, ok
}

// written is how the server writes times.
const written = "2006-01-02 15:04:05.999999"

// Moment reads a time, or a day; ok is false where text is none.
func Moment(text string) (at time.Time, ok bool) {
	text = strings.TrimSuffix(text, "+00")
	if len(text) == len(time.DateOnly) {
		text += " 00:00:00"
	}
	at, err := time.Parse(written, text)
	return at, err == nil
}

// Position writes a time as one of a type.
func Position(base string, at time.Time) string {
	text := at.UTC().Format(written)
	switch base {
	case "date":
		text, _, _ = strings.Cut(text, " ")
	case "timestamptz":
		text += "+00"
	}
	return text
}

// Quote is a name as statements have it.
func Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
