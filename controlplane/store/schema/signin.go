package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// Authenticator is what makes a user's one-time codes; its id is the user's.
type Authenticator struct{ ent.Schema }

// Fields of Authenticator. The secret is encrypted by a key of the control plane. Until
// a code confirms it, confirmed_at is empty and no sign-in asks for codes. Last_step is
// the time step of the newest code that was used: none up to it is good.
func (Authenticator) Fields() []ent.Field {
	return []ent.Field{
		key(), field.Bytes("secret").Sensitive(), field.Time("confirmed_at").SchemaType(asTimestamptz).Optional().Nillable(),
		field.Int64("last_step").Default(0), field.Time("created_at").SchemaType(asTimestamptz),
	}
}

// RecoveryCode stands in for one one-time code, once; its id is the hash of user and
// code, in hex.
type RecoveryCode struct{ ent.Schema }

// Fields of RecoveryCode.
func (RecoveryCode) Fields() []ent.Field {
	return []ent.Field{key(), fixed("user_id"), at("created_at")}
}

// Edges of RecoveryCode.
func (RecoveryCode) Edges() []ent.Edge { return []ent.Edge{belongs("user", User.Type, "user_id")} }

// Indexes of RecoveryCode.
func (RecoveryCode) Indexes() []ent.Index { return []ent.Index{index.Fields("user_id")} }

// LoginCode is what a program exchanges for a token once after a person let it in; its
// id is the hash of the code, in hex.
type LoginCode struct{ ent.Schema }

// Fields of LoginCode. The challenge is the SHA-256 of what the program alone knows, and
// name is that of the token.
func (LoginCode) Fields() []ent.Field {
	return []ent.Field{
		key(), fixed("user_id"), fixed("challenge"), fixed("name"), proof(), at("created_at"), at("expires_at"),
	}
}

// Edges of LoginCode.
func (LoginCode) Edges() []ent.Edge { return []ent.Edge{belongs("user", User.Type, "user_id")} }

// Indexes of LoginCode.
func (LoginCode) Indexes() []ent.Index {
	return []ent.Index{index.Fields("expires_at"), index.Fields("user_id")}
}

// IdentityProvider is the OpenID Connect provider of an organization, whose id is its.
type IdentityProvider struct{ ent.Schema }

// Fields of IdentityProvider. The client's secret is encrypted by a key of the control
// plane. Domains of e-mail addresses are separated by spaces. Role is what somebody gets
// who signs in for the first time and was not invited, empty for nothing.
func (IdentityProvider) Fields() []ent.Field {
	return []ent.Field{
		key(), text("issuer"), text("client_id"), field.Bytes("client_secret").Sensitive(), text("domains"), text("role"),
		field.Bool("required").Default(false), field.Time("updated_at").SchemaType(asTimestamptz),
	}
}

// Annotations of IdentityProvider.
func (IdentityProvider) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Checks(map[string]string{"identity_providers_issuer": "issuer <> ''"})}
}

// Identity is how an organization's provider names a user.
type Identity struct{ ent.Schema }

// Fields of Identity.
func (Identity) Fields() []ent.Field {
	return []ent.Field{fixed("organization_id"), fixed("issuer"), fixed("subject"), fixed("user_id"), at("created_at")}
}

// Edges of Identity.
func (Identity) Edges() []ent.Edge { return []ent.Edge{belongs("user", User.Type, "user_id")} }

// Indexes of Identity.
func (Identity) Indexes() []ent.Index {
	return []ent.Index{index.Fields("organization_id", "issuer", "subject").Unique(), index.Fields("user_id")}
}
