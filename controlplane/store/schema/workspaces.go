package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// Workspace is one workspace, the newest number and digest of its revisions,
// or of its tombstone when deleted_at is set. Seen is the highest number that
// publish met at the hub beyond the store's own.
type Workspace struct{ ent.Schema }

// Fields of Workspace.
func (Workspace) Fields() []ent.Field {
	return []ent.Field{
		key(),
		fixed("name"),
		field.String("organization_id").SchemaType(asText).Default(FirstOrganization).Immutable(),
		fixed("region"),
		fixed("plane_id"),
		field.Uint64("number"),
		field.Uint64("seen").Default(0),
		text("digest"),
		at("created_at"),
		field.Time("deleted_at").SchemaType(asTimestamptz).Optional().Nillable(),
	}
}

// Edges of Workspace. A plane or an organization that has workspaces cannot
// be removed.
func (Workspace) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("plane", Plane.Type).Field("plane_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Restrict)),
		edge.To("organization", Organization.Type).Field("organization_id").Unique().Required().Immutable().
			Annotations(entsql.OnDelete(entsql.Restrict)),
	}
}

// Indexes of Workspace.
func (Workspace) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("organization_id", "name").Unique().Annotations(entsql.IndexWhere("deleted_at IS NULL")),
		index.Fields("plane_id"),
	}
}

// Annotations of Workspace.
func (Workspace) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Checks(map[string]string{
		"workspaces_name":   "name <> ''",
		"workspaces_number": "number > 0",
	})}
}

// Revision is an immutable state of a workspace.
type Revision struct{ ent.Schema }

// Fields of Revision. Body is the canonical encoding. Reason is what its author said, and
// changes a JSON list of what differs from the former one, empty where it was not kept.
// Approved_by is the second person of a commit that needed one.
func (Revision) Fields() []ent.Field {
	return []ent.Field{
		fixed("workspace_id"),
		field.Uint64("number").Immutable(),
		fixed("digest"),
		field.Bytes("body").Immutable(),
		at("created_at"),
		fixed("created_by"),
		lately("reason"),
		lately("changes"),
		lately("approved_by"),
	}
}

// Edges of Revision.
func (Revision) Edges() []ent.Edge {
	return []ent.Edge{belongs("workspace", Workspace.Type, "workspace_id")}
}

// Indexes of Revision.
func (Revision) Indexes() []ent.Index {
	return []ent.Index{index.Fields("workspace_id", "number").Unique()}
}

// Annotations of Revision.
func (Revision) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Checks(map[string]string{
		"revisions_number": "number > 0",
		"revisions_digest": "length(digest) = 64",
	})}
}

// WriteKey is a source's write key; its id is the key.
type WriteKey struct{ ent.Schema }

// Fields of WriteKey.
func (WriteKey) Fields() []ent.Field {
	return []ent.Field{key(), fixed("workspace_id")}
}

// Edges of WriteKey.
func (WriteKey) Edges() []ent.Edge {
	return []ent.Edge{belongs("workspace", Workspace.Type, "workspace_id")}
}

// Indexes of WriteKey.
func (WriteKey) Indexes() []ent.Index { return []ent.Index{index.Fields("workspace_id")} }

// Object is the id of a source, destination or transformation, taken for ever
// by the workspace that used it first.
type Object struct{ ent.Schema }

// Fields of Object.
func (Object) Fields() []ent.Field {
	return []ent.Field{key(), fixed("kind"), fixed("workspace_id")}
}

// Edges of Object.
func (Object) Edges() []ent.Edge {
	return []ent.Edge{belongs("workspace", Workspace.Type, "workspace_id")}
}

// Indexes of Object.
func (Object) Indexes() []ent.Index { return []ent.Index{index.Fields("workspace_id")} }

// Annotations of Object.
func (Object) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Checks(map[string]string{
		"objects_kind": "kind in ('source', 'destination', 'transformation')",
	})}
}

// Secret is one version of a secret field. Sealed is a JSON object of base64
// envelopes by plane.
type Secret struct{ ent.Schema }

// Fields of Secret.
func (Secret) Fields() []ent.Field {
	return []ent.Field{
		fixed("workspace_id"),
		fixed("family"),
		fixed("object_id"),
		fixed("field"),
		field.Uint64("version").Immutable(),
		fixed("fingerprint"),
		text("sealed"),
		at("created_at"),
	}
}

// Edges of Secret.
func (Secret) Edges() []ent.Edge {
	return []ent.Edge{belongs("workspace", Workspace.Type, "workspace_id")}
}

// Indexes of Secret.
func (Secret) Indexes() []ent.Index {
	return []ent.Index{index.Fields("workspace_id", "family", "object_id", "field", "version").Unique()}
}

// Annotations of Secret.
func (Secret) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Checks(map[string]string{"secrets_version": "version > 0", "secrets_family": "family in ('source', 'destination')"})}
}
