package mysql

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/pull/tables"
)

// numbers are the types whose values are numbers, integers those of whole ones.
var (
	numbers  = map[string]bool{"tinyint": true, "smallint": true, "mediumint": true, "int": true, "bigint": true, "year": true, "decimal": true, "float": true, "double": true}
	integers = map[string]bool{"tinyint": true, "smallint": true, "mediumint": true, "int": true, "bigint": true, "year": true}
	texts    = map[string]bool{"char": true, "varchar": true, "tinytext": true, "text": true, "mediumtext": true, "longtext": true, "enum": true, "set": true, "time": true, "uuid": true, "inet4": true, "inet6": true}
)

func columnOf(name, typ string, null bool) tables.Column {
	c := tables.Column{Name: name, Type: typ, Null: null, Integer: integers[typ]}
	switch typ {
	case "datetime", "timestamp", "date":
		c.Time = true
	case "enum", "set", "json", "float":
		c.Apart = true
	default:
		c.Binary = !numbers[typ] && !texts[typ]
	}
	return c
}

// Append implements tables.Session.
func (x *session) Append(dst []byte, c tables.Column, v []byte) []byte {
	switch {
	case numbers[c.Type]:
		return appendNumber(dst, v)
	case c.Time:
		return appendTime(dst, c, v)
	case c.Type == "json":
		return append(dst, v...) // the server keeps no other
	case c.Type == "bit":
		n := uint64(0)
		for _, b := range v {
			n = n<<8 | uint64(b)
		}
		return strconv.AppendUint(dst, n, 10)
	case c.Binary:
		dst = append(dst, '"')
		return append(base64.StdEncoding.AppendEncode(dst, v), '"')
	}
	return tables.AppendText(dst, v)
}

// appendNumber appends a number without the zeros that zerofill puts before it.
func appendNumber(dst, v []byte) []byte {
	if !number(v) {
		return tables.AppendText(dst, v)
	}
	if v[0] == '-' {
		dst, v = append(dst, '-'), v[1:]
	}
	for len(v) > 1 && v[0] == '0' && v[1] >= '0' && v[1] <= '9' {
		v = v[1:]
	}
	return append(dst, v...)
}

// number reports whether a text is digits, with a sign, a fraction and an exponent or not.
func number(v []byte) bool {
	v = bytes.TrimPrefix(v, []byte("-"))
	n := digits(v)
	if n == 0 {
		return false
	}
	if v = v[n:]; len(v) > 0 && v[0] == '.' {
		if n = digits(v[1:]); n == 0 {
			return false
		}
		v = v[1+n:]
	}
	if len(v) > 0 && (v[0] == 'e' || v[0] == 'E') {
		v = v[1:]
		if len(v) > 0 && (v[0] == '-' || v[0] == '+') {
			v = v[1:]
		}
		n = digits(v)
		return n > 0 && n == len(v)
	}
	return len(v) == 0
}

func digits(v []byte) int {
	n := 0
	for n < len(v) && v[n] >= '0' && v[n] <= '9' {
		n++
	}
	return n
}

// appendTime appends a day, or a time in UTC; null for zero dates, which are none.
func appendTime(dst []byte, c tables.Column, v []byte) []byte {
	if len(v) < len("2006-01-02") || string(v[:4]) == "0000" || string(v[5:7]) == "00" || string(v[8:10]) == "00" {
		return append(dst, "null"...)
	}
	dst = append(append(dst, '"'), v[:10]...)
	if c.Type != "date" && len(v) > 11 {
		dst = append(append(append(dst, 'T'), v[11:]...), 'Z')
	}
	return append(dst, '"')
}

// written is how the server writes times.
const written = "2006-01-02 15:04:05.999999"

// moment reads a time.
func moment(text string) (time.Time, bool) {
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
	if c.Type == "date" {
		text, _, _ = strings.Cut(text, " ")
	}
	return text
}
