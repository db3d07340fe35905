package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// FirstOrganization is the id of the organization default, which every installation has.
const FirstOrganization = "org_default"

// Organization is one tenant: it has workspaces, members and tokens.
type Organization struct{ ent.Schema }

// Fields of Organization. Where require_code is set, what is granted to a person in it
// counts only after a sign-in with a one-time code.
func (Organization) Fields() []ent.Field {
	return []ent.Field{
		key(), field.String("name").SchemaType(asText).NotEmpty().Unique(), at("created_at"),
		field.Bool("require_code").Default(false),
	}
}

// ServiceAccount is a member of an organization that is a program.
type ServiceAccount struct{ ent.Schema }

// Fields of ServiceAccount.
func (ServiceAccount) Fields() []ent.Field {
	return []ent.Field{key(), fixed("organization_id"), field.String("name").SchemaType(asText).NotEmpty().Immutable(), at("created_at")}
}

// Edges of ServiceAccount.
func (ServiceAccount) Edges() []ent.Edge {
	return []ent.Edge{belongs("organization", Organization.Type, "organization_id")}
}

// Indexes of ServiceAccount.
func (ServiceAccount) Indexes() []ent.Index {
	return []ent.Index{index.Fields("organization_id", "name").Unique()}
}

// Grant gives a role to a user, a service account or a token: in the installation when
// it names no organization, else in an organization, in one workspace of it, or on one
// object of that.
type Grant struct{ ent.Schema }

// Fields of Grant.
func (Grant) Fields() []ent.Field {
	return []ent.Field{
		fixed("subject_id"), fixed("organization_id"), fixed("workspace_id"), fixed("object_id"), text("role"),
		at("created_at"), fixed("created_by"),
	}
}

// Indexes of Grant.
func (Grant) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("subject_id", "organization_id", "workspace_id", "object_id").Unique(),
		index.Fields("organization_id"),
	}
}

// Annotations of Grant.
func (Grant) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Checks(map[string]string{
		"grants_role":      "role <> ''",
		"grants_workspace": "workspace_id = '' or organization_id <> ''",
		"grants_object":    "object_id = '' or workspace_id <> ''",
	})}
}

// CustomRole is a role that an organization made; actions are separated by spaces.
type CustomRole struct{ ent.Schema }

// Fields of CustomRole.
func (CustomRole) Fields() []ent.Field {
	return []ent.Field{
		fixed("organization_id"), field.String("name").SchemaType(asText).NotEmpty().Immutable(), text("actions"), at("created_at"),
	}
}

// Edges of CustomRole.
func (CustomRole) Edges() []ent.Edge {
	return []ent.Edge{belongs("organization", Organization.Type, "organization_id")}
}

// Indexes of CustomRole.
func (CustomRole) Indexes() []ent.Index {
	return []ent.Index{index.Fields("organization_id", "name").Unique()}
}

// MemberLink lets whoever holds it do one thing once: become a member with a role, or
// choose a new password. Its id is the hash of its token, in hex.
type MemberLink struct{ ent.Schema }

// Fields of MemberLink. An invitation has an organization and a role and no user; a
// reset has a user alone. While it is good, used_by is empty.
func (MemberLink) Fields() []ent.Field {
	return []ent.Field{
		key(), fixed("organization_id"), fixed("workspace_id"), fixed("role"), fixed("user_id"), fixed("email"),
		at("created_at"), fixed("created_by"), at("expires_at"), text("used_by"),
	}
}

// Indexes of MemberLink.
func (MemberLink) Indexes() []ent.Index {
	return []ent.Index{index.Fields("organization_id"), index.Fields("expires_at")}
}
