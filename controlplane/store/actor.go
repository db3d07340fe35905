package store

import "weir/controlplane/store/tenancy"

// OrganizationID identifies an organization: "org_" and random characters.
type OrganizationID = tenancy.OrganizationID

// DefaultOrganization is the organization that every installation has.
const DefaultOrganization = tenancy.Default

// Grant gives a role to somebody: see tenancy.Grant.
type Grant = tenancy.Grant

// ActorKind says what kind of thing an Actor is.
type ActorKind string

// The kinds of actor.
const (
	ByPerson ActorKind = "person" // a signed-in user
	ByToken  ActorKind = "token"  // a machine with an API token
	ByPlane  ActorKind = "plane"  // a data plane, by its signed word
	BySystem ActorKind = "system" // the control plane itself; Name is the room
)

// Actor is who makes a write. The audit log shows "kind:name".
type Actor struct {
	Kind ActorKind
	ID   string // the UserID, TokenID or id.Plane; empty for BySystem
	Name string // e-mail, token name, plane id or room

	Owner string // of a token: the user or service account that it acts for, empty for none

	// Grants are what it may do; none for planes and the system. Scopes are the actions
	// that its token is limited to, nil for no limit.
	Grants []Grant
	Scopes []string
}

func (a Actor) String() string { return string(a.Kind) + ":" + a.Name }
