package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

const planeKinds = "kind in ('regional', 'private')"

// Plane is one data plane.
type Plane struct{ ent.Schema }

// Fields of Plane. Kinds, alarms and conditions are JSON lists; no conditions are an empty text.
func (Plane) Fields() []ent.Field {
	return []ent.Field{
		key(),
		field.String("name").SchemaType(asText).NotEmpty().Unique(),
		fixed("region"),
		fixed("kind"),
		fixed("organization"),
		field.Bytes("identity_key").Unique().Immutable(),
		field.Bytes("sealing_key").Unique().Immutable(),
		field.Bytes("sealing_key_signature").Immutable(),
		field.String("nats_key").SchemaType(asText).Unique().Immutable(),
		text("gateway_url"),
		text("view_url"),
		text("version"),
		text("kinds"),
		at("joined_at"),
		field.Time("last_beat").SchemaType(asTimestamptz).Optional().Nillable(),
		field.Bool("healthy").Default(false),
		text("alarms"),
		field.String("conditions").SchemaType(asText).Default(""),
	}
}

// Annotations of Plane.
func (Plane) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Checks(map[string]string{
		"planes_kind":   planeKinds,
		"planes_region": "region <> ''",
	})}
}

// Indexes of Plane.
func (Plane) Indexes() []ent.Index { return []ent.Index{index.Fields("region")} }

// Invitation lets one plane join; its id is the hash of its token, in hex.
type Invitation struct{ ent.Schema }

// Fields of Invitation. While it is good, used_by is empty.
func (Invitation) Fields() []ent.Field {
	return []ent.Field{
		key(), fixed("region"), fixed("kind"), fixed("organization"), at("created_at"), at("expires_at"), text("used_by"),
	}
}

// Annotations of Invitation.
func (Invitation) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Checks(map[string]string{"invitations_kind": planeKinds})}
}

// Indexes of Invitation.
func (Invitation) Indexes() []ent.Index { return []ent.Index{index.Fields("expires_at")} }

// Ack is a plane's newest word on one workspace. Highest is the highest number
// it ever acknowledged. Problems is a JSON list.
type Ack struct{ ent.Schema }

// Fields of Ack.
func (Ack) Fields() []ent.Field {
	return []ent.Field{
		fixed("plane_id"),
		fixed("workspace_id"),
		field.Uint64("number"),
		field.Uint64("running"),
		field.Uint64("highest"),
		text("digest"),
		text("state"),
		text("problems"),
		field.Time("acked_at").SchemaType(asTimestamptz),
	}
}

// Edges of Ack.
func (Ack) Edges() []ent.Edge {
	return []ent.Edge{
		belongs("plane", Plane.Type, "plane_id"),
		belongs("workspace", Workspace.Type, "workspace_id"),
	}
}

// Indexes of Ack.
func (Ack) Indexes() []ent.Index {
	return []ent.Index{index.Fields("plane_id", "workspace_id").Unique(), index.Fields("workspace_id")}
}

// Annotations of Ack.
func (Ack) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Checks(map[string]string{
		"acks_state":   "state in ('applied', 'rejected')",
		"acks_highest": "highest >= number and highest >= running",
	})}
}

// Tally is a row of counts (ent keeps the name Count for itself): the newest book of one source and destination on a plane, as JSON.
// The destination is empty in the row of a source.
type Tally struct{ ent.Schema }

// Fields of Tally.
func (Tally) Fields() []ent.Field {
	return []ent.Field{
		fixed("plane_id"), fixed("workspace_id"), fixed("source_id"), fixed("destination_id"), text("book"),
	}
}

// Edges of Tally.
func (Tally) Edges() []ent.Edge {
	return []ent.Edge{
		belongs("plane", Plane.Type, "plane_id"),
		belongs("workspace", Workspace.Type, "workspace_id"),
	}
}

// Indexes of Tally.
func (Tally) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("plane_id", "workspace_id", "source_id", "destination_id").Unique(),
		index.Fields("workspace_id"),
	}
}

// Annotations of Tally.
func (Tally) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Annotation{Table: "counts"}}
}
