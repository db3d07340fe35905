// Package schema declares the tables of the store; ent turns it into ent/, and
// the program in ../migrate turns changes of it into numbered SQL files.
//
// Every string is text and every time is timestamptz on Postgres, where ent
// would take shorter types. Checks stand on the entity, since ent ignores those
// on a field. A composite key is an id and a unique index.
package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
)

var (
	asText        = map[string]string{dialect.Postgres: "text", dialect.SQLite: "text"}
	asTimestamptz = map[string]string{dialect.Postgres: "timestamptz"}
)

// key is a text primary key.
func key() ent.Field {
	return field.String("id").SchemaType(asText).NotEmpty().Immutable()
}

// fixed is a text that never changes.
func fixed(name string) ent.Field {
	return field.String(name).SchemaType(asText).Immutable()
}

// text is a text that may change.
func text(name string) ent.Field { return field.String(name).SchemaType(asText) }

// at is a time that never changes.
func at(name string) ent.Field {
	return field.Time(name).SchemaType(asTimestamptz).Immutable()
}

// belongs makes column refer to one row of target, and removes this row with it.
func belongs(name string, target any, column string) ent.Edge {
	return edge.To(name, target).Field(column).Unique().Required().Immutable().
		Annotations(entsql.OnDelete(entsql.Cascade))
}
