package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
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

// LoginCode is what a program exchanges for a token once after a person allowed it; its
// id is the hash of the code, in hex.
type LoginCode struct{ ent.Schema }

// Fields of LoginCode. Challenge is a keyed hash of what the person types, name where
// the program says that it runs, and address and agent where its request came from. Who
// decided is empty while it waits. Seconds is how long the program waits between two
// questions at least, the last of which was at polled_at.
func (LoginCode) Fields() []ent.Field {
	return []ent.Field{
		key(), fixed("challenge"), fixed("name"), fixed("address"), fixed("agent"),
		field.String("state").SchemaType(asText).Default("waiting"),
		field.String("user_id").SchemaType(asText).Optional().Nillable(), field.String("proof").SchemaType(asText).Default(""),
		field.Int("seconds"), field.Time("polled_at").SchemaType(asTimestamptz).Optional().Nillable(), at("created_at"), at("expires_at"),
	}
}

// Edges of LoginCode.
func (LoginCode) Edges() []ent.Edge {
	return []ent.Edge{edge.To("user", User.Type).Field("user_id").Unique().Annotations(entsql.OnDelete(entsql.Cascade))}
}

// Indexes of LoginCode.
func (LoginCode) Indexes() []ent.Index {
	return []ent.Index{index.Fields("challenge").Unique(), index.Fields("expires_at"), index.Fields("user_id")}
}

// Annotations of LoginCode.
func (LoginCode) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Checks(map[string]string{"login_codes_state": "state in ('waiting', 'allowed', 'refused')"})}
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
