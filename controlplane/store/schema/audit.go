package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// Audit is one act of one actor. Its id grows with time. An act that concerns no
// organization in particular has none.
type Audit struct{ ent.Schema }

// Fields of Audit. Before and after are JSON objects, or empty. Number is the place in the
// chain of the organization and digest that of the chain up to it, in hex; 0 and empty in
// rows that are not in the chain yet, which a release without chains wrote.
func (Audit) Fields() []ent.Field {
	return []ent.Field{
		field.Uint64("id").Immutable(), at("at"), fixed("actor"), fixed("action"), fixed("object"), fixed("detail"),
		field.String("organization_id").SchemaType(asText).Default("").Immutable(),
		lately("actor_id"), lately("workspace_id"), lately("address"), lately("request_id"), lately("before"), lately("after"),
		field.Uint64("number").Default(0),
		field.String("digest").SchemaType(asText).Default(""),
	}
}

// lately is a text that never changes, empty in rows from before the column.
func lately(name string) ent.Field {
	return field.String(name).SchemaType(asText).Default("").Immutable()
}

// Indexes of Audit.
func (Audit) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("organization_id", "id"),
		index.Fields("organization_id", "workspace_id", "id"),
		index.Fields("organization_id", "number").Unique().Annotations(entsql.IndexWhere("number > 0")),
		index.Fields("number").Annotations(entsql.IndexWhere("number = 0")),
	}
}

// Annotations of Audit.
func (Audit) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Annotation{Table: "audit"}}
}

// AuditChain is the newest place in the chain of one organization, or of the
// installation: what the next row of the audit log joins.
type AuditChain struct{ ent.Schema }

// Fields of AuditChain.
func (AuditChain) Fields() []ent.Field {
	return []ent.Field{key(), field.Uint64("number"), text("digest")}
}

// AuditHead is the newest place of a chain that a control plane signed.
type AuditHead struct{ ent.Schema }

// Fields of AuditHead.
func (AuditHead) Fields() []ent.Field {
	return []ent.Field{
		key(), field.Uint64("number"), text("digest"),
		field.Time("signed_at").SchemaType(asTimestamptz), field.Bytes("signature"),
	}
}
