package store

import "weir/shared/id"

// Role is what a user or an API token may do; policy gives it a meaning.
type Role string

// The roles.
const (
	RoleAdmin  Role = "admin"  // everything, accounts and planes too
	RoleEditor Role = "editor" // workspaces
	RoleViewer Role = "viewer" // reads
)

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
	Role Role   // empty for planes and the system

	// Workspace is the only one in which the Role counts, empty for all.
	Workspace id.Workspace
}

func (a Actor) String() string { return string(a.Kind) + ":" + a.Name }
