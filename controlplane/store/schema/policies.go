package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// OrganizationPolicy is what an organization decided about configurations: a module of Rego, or rules
// as a document. One that is not enabled is kept and not asked.
type OrganizationPolicy struct{ ent.Schema }

// Fields of OrganizationPolicy.
func (OrganizationPolicy) Fields() []ent.Field {
	return []ent.Field{
		fixed("organization_id"), field.String("name").SchemaType(asText).NotEmpty().Immutable(), text("language"), text("text"), field.Bool("enabled"),
		field.Time("updated_at").SchemaType(asTimestamptz), text("updated_by"),
	}
}

// Edges of OrganizationPolicy.
func (OrganizationPolicy) Edges() []ent.Edge {
	return []ent.Edge{belongs("organization", Organization.Type, "organization_id")}
}

// Indexes of OrganizationPolicy.
func (OrganizationPolicy) Indexes() []ent.Index {
	return []ent.Index{index.Fields("organization_id", "name").Unique()}
}

// Annotations of OrganizationPolicy.
func (OrganizationPolicy) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Checks(map[string]string{"organization_policies_language": "language in ('rego', 'rules')"})}
}

// ChangeRequest is a commit that waits for another person, numbered in its organization.
// Body is the canonical encoding of the configuration; base is the workspace's number that
// it was made on, 0 for a new workspace. Body and secrets are empty once it is decided. Secrets, changes, before, after and needs are
// JSON. Revision is the number that it became.
type ChangeRequest struct{ ent.Schema }

// Fields of ChangeRequest. Persons are empty where no person is known behind a token.
func (ChangeRequest) Fields() []ent.Field {
	return []ent.Field{
		fixed("organization_id"), field.Uint64("number").Immutable(), fixed("workspace_id"), fixed("workspace_name"),
		field.Uint64("base").Immutable(), fixed("digest"), field.Bytes("body"), text("secrets"), fixed("changes"), fixed("before"), fixed("after"),
		fixed("needs"), fixed("reason"), field.Bool("discard_parked").Immutable(),
		fixed("author"), fixed("author_id"), fixed("author_person"), at("created_at"),
		text("state"), text("decided_by"), text("note"), field.Time("decided_at").SchemaType(asTimestamptz).Optional().Nillable(),
		field.Uint64("revision"),
	}
}

// Edges of ChangeRequest.
func (ChangeRequest) Edges() []ent.Edge {
	return []ent.Edge{belongs("organization", Organization.Type, "organization_id")}
}

// Indexes of ChangeRequest.
func (ChangeRequest) Indexes() []ent.Index {
	return []ent.Index{index.Fields("organization_id", "number").Unique(), index.Fields("workspace_id", "state")}
}

// Annotations of ChangeRequest.
func (ChangeRequest) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Checks(map[string]string{
		"change_requests_number": "number > 0",
		"change_requests_state":  "state in ('waiting', 'approved', 'rejected', 'withdrawn')",
	})}
}
