package store

import (
	"cmp"

	"weir/controlplane/store/accounts"
	"weir/controlplane/store/idempotency"
	"weir/controlplane/store/tenancy"
)

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

	SignIn string         // of a person: names the sessions of this sign-in
	Proof  accounts.Proof // by what the person signed in who calls or made the token
	// Missing are the organizations in which what is granted does not count, since the
	// sign-in was not as they ask for: the Rule is what is missing.
	Missing map[OrganizationID]accounts.Rule
}

// By is a as rooms of the store take it.
func (a Actor) By() accounts.By { return accounts.By{ID: a.ID, Name: a.String()} }

// KeyOwner is whose idempotency keys are told apart: names of tokens are not unique.
func (a Actor) KeyOwner() idempotency.Owner {
	return idempotency.Owner{ID: string(a.Kind) + ":" + cmp.Or(a.ID, a.Name), Name: a.String()}
}

func (a Actor) String() string { return string(a.Kind) + ":" + a.Name }
