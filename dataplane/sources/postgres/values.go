package postgres

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"weir/dataplane/pull/tables"
)

// column is a column whose type has a base type in a category.
// Source: https://www.postgresql.org/docs/current/catalog-pg-type.html
func (x *session) column(name, typ, base, category string, notNull bool) tables.Column {
	c := tables.Column{Name: name, Type: typ, Null: !notNull}
	switch base {
	case "int2", "int4", "int8":
		c.Integer = true
	case "timestamptz", "timestamp", "date":
		c.Time = true
	}
	if c.Apart = category == "A" || category == "C" || base == "json"; c.Apart {
		base = "jsonb" // as which it is read
	}
	x.bases[typ] = base
	return c
}

// Append implements tables.Session.
func (x *session) Append(dst []byte, c tables.Column, v []byte) []byte {
	switch x.bases[c.Type] {
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

// iso is a time of a year with four digits without its zone, which is UTC; others, and
// infinity, are none.
func iso(v []byte) ([]byte, bool) {
	v = bytes.TrimSuffix(v, []byte("+00"))
	ok := len(v) >= len("2006-01-02 15:04:05") && v[4] == '-' && v[10] == ' ' && v[len(v)-1] <= '9'
	return v, ok
}

// written is how the server writes times.
const written = "2006-01-02 15:04:05.999999"

// moment reads a time, or a day.
func moment(text string) (time.Time, bool) {
	text = strings.TrimSuffix(text, "+00")
	if len(text) == len(time.DateOnly) {
		text += " 00:00:00"
	}
	at, err := time.Parse(written, text)
	return at, err == nil
}

// Moment implements tables.Session.
func (x *session) Moment(_ tables.Column, position string) (time.Time, bool) { return moment(position) }

// Position implements tables.Session.
func (x *session) Position(c tables.Column, at time.Time) string {
	text := at.UTC().Format(written)
	switch x.bases[c.Type] {
	case "date":
		text, _, _ = strings.Cut(text, " ")
	case "timestamptz":
		text += "+00"
	}
	return text
}
