package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

const roles = "role in ('admin', 'editor', 'viewer')"

// User is a person who may sign in.
type User struct{ ent.Schema }

// Fields of User. The e-mail is kept in lower case. What a user may do stands in grants;
// role is what a release without them reads.
func (User) Fields() []ent.Field {
	return []ent.Field{
		key(),
		field.String("email").SchemaType(asText).NotEmpty().Unique(),
		field.String("password_hash").SchemaType(asText).Sensitive(),
		text("role"),
		at("created_at"),
	}
}

// Annotations of User.
func (User) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Checks(map[string]string{"users_role": roles})}
}

// Session is one sign-in; its id is the hash of its token, in hex.
type Session struct{ ent.Schema }

// Fields of Session. A session that was renewed and the one that came of it share
// sign_in; it is empty in those from before it was kept. Proof is by what the person
// signed in, empty for a password alone. Started_at is when that was, empty in those from
// before it was kept.
func (Session) Fields() []ent.Field {
	return []ent.Field{
		key(), fixed("user_id"), at("created_at"), at("expires_at"),
		field.String("sign_in").SchemaType(asText).Default("").Immutable(),
		field.String("address").SchemaType(asText).Default("").Immutable(),
		field.String("agent").SchemaType(asText).Default("").Immutable(),
		proof(),
		field.Time("last_seen_at").SchemaType(asTimestamptz).Optional().Nillable(),
		field.Time("started_at").SchemaType(asTimestamptz).Optional().Nillable().Immutable(),
	}
}

// proof is by what somebody signed in.
func proof() ent.Field { return field.String("proof").SchemaType(asText).Default("").Immutable() }

// Edges of Session.
func (Session) Edges() []ent.Edge { return []ent.Edge{belongs("user", User.Type, "user_id")} }

// Indexes of Session.
func (Session) Indexes() []ent.Index {
	return []ent.Index{index.Fields("user_id"), index.Fields("expires_at"), index.Fields("sign_in")}
}

// APIToken is a machine's permission to call the API.
type APIToken struct{ ent.Schema }

// Fields of APIToken. The hash is in hex. A token with an owner, a user or a service
// account, may what its owner may, and one without has grants of its own. It has no
// organization when its owner is a user. Scopes are the
// actions that it is limited to, separated by spaces; none is no limit. Proof is that of
// the sign-in by which a person made it. Role and workspace_id are what a release without
// grants reads.
func (APIToken) Fields() []ent.Field {
	return []ent.Field{
		key(),
		field.String("name").SchemaType(asText).NotEmpty().Immutable(),
		field.String("organization_id").SchemaType(asText).Default(FirstOrganization).Immutable(),
		field.String("owner_id").SchemaType(asText).Default("").Immutable(),
		field.String("scopes").SchemaType(asText).Default("").Immutable(),
		field.Time("expires_at").SchemaType(asTimestamptz).Optional().Nillable().Immutable(),
		field.Time("last_used_at").SchemaType(asTimestamptz).Optional().Nillable(),
		fixed("role"),
		field.String("workspace_id").SchemaType(asText).Default("").Immutable(),
		field.String("hash").SchemaType(asText).Unique().Immutable().Sensitive(),
		at("created_at"),
		fixed("created_by"),
		proof(),
	}
}

// Indexes of APIToken.
func (APIToken) Indexes() []ent.Index {
	return []ent.Index{index.Fields("organization_id", "owner_id", "name").Unique(), index.Fields("owner_id")}
}

// Annotations of APIToken.
func (APIToken) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Checks(map[string]string{"api_tokens_role": roles})}
}

// IdempotencyKey remembers the answer to one request of one actor. A status of
// 0 is a claim: the request is being worked on.
type IdempotencyKey struct{ ent.Schema }

// Fields of IdempotencyKey. The hash of the request is in hex.
func (IdempotencyKey) Fields() []ent.Field {
	return []ent.Field{
		fixed("actor"),
		fixed("key"),
		fixed("request"),
		field.Int("status").Default(0),
		field.String("etag").SchemaType(asText).Default(""),
		field.Bytes("body").Optional(),
		at("created_at"),
	}
}

// Indexes of IdempotencyKey.
func (IdempotencyKey) Indexes() []ent.Index {
	return []ent.Index{index.Fields("actor", "key").Unique(), index.Fields("created_at")}
}

// Setting is one value of the installation, set once.
type Setting struct{ ent.Schema }

// Fields of Setting.
func (Setting) Fields() []ent.Field {
	return []ent.Field{key(), field.Bytes("value").Immutable().Sensitive()}
}
