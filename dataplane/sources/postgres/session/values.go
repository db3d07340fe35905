package session

import (
	"time"

	"weir/dataplane/pull/tables"
	"weir/dataplane/sources/postgres/text"
)

// Column is a column whose type has a base type in a category, with elements of a type.
func (x *Session) Column(name, typ, base, category, element string, notNull bool) tables.Column {
	c := tables.Column{Name: name, Type: typ, Null: !notNull}
	switch base {
	case "int2", "int4", "int8":
		c.Integer = true
	case "timestamptz", "timestamp", "date":
		c.Time = true
	}
	x.bases[typ], c.Apart = text.Base(base, category, element, x.Plain)
	return c
}

// Append implements tables.Session.
func (x *Session) Append(dst []byte, c tables.Column, v []byte) []byte {
	return text.Append(dst, x.bases[c.Type], v)
}

// Moment implements tables.Session.
func (x *Session) Moment(_ tables.Column, position string) (time.Time, bool) {
	return text.Moment(position)
}

// Position implements tables.Session.
func (x *Session) Position(c tables.Column, at time.Time) string {
	return text.Position(x.bases[c.Type], at)
}
