package store

import (
	"context"
	"time"

	"weir/shared/id"
	"weir/shared/wire"
)

// PlaneKind says who runs a plane.
type PlaneKind string

// The kinds of plane.
const (
	Regional PlaneKind = "regional" // shared, run by the operator of Weir
	Private  PlaneKind = "private"  // one organization's, in its own network
)

// Plane is one data plane as the control plane knows it.
type Plane struct {
	ID                  id.Plane
	Name                string // unique in the installation
	Region              string
	Kind                PlaneKind
	Organization        id.Organization // empty unless Private
	IdentityKey         []byte          // Ed25519 public key; signs acks, beats and the sealing key
	SealingKey          []byte          // X25519 public key, secrets and bodies are sealed to it
	SealingKeySignature []byte          // by IdentityKey
	NATSKey             string          // the user's public nkey on the hub
	GatewayURL          string
	ViewURL             string
	JoinedAt            time.Time

	// What the newest beat said. Before the first one LastBeat is zero.
	Version  string
	Kinds    []wire.Kind
	LastBeat time.Time // the plane's clock
	Healthy  bool
	Alarms   []wire.Alarm
}

// Invitation lets one plane join, once.
type Invitation struct {
	Token        Hash
	Region       string
	Kind         PlaneKind
	Organization id.Organization // empty unless Private
	CreatedAt    time.Time
	ExpiresAt    time.Time
	UsedBy       id.Plane // empty while it is good
}

// CreateInvitation records an invitation and drops those that expired more than
// a day ago.
func (s *Store) CreateInvitation(ctx context.Context, who Actor, inv Invitation) error {
	return errEmpty
}

// Invitation returns the invitation with that token hash, used or not, expired
// or not. fault.Missing: there is none.
func (s *Store) Invitation(ctx context.Context, token Hash) (Invitation, error) {
	return Invitation{}, errEmpty
}

// JoinPlane uses up the invitation and records p, in one step. The invitation's
// region, kind and organization replace those of p. A second call with the same
// token and the same three keys returns the plane of the first one, so that a
// plane whose answer was lost can ask again.
//
// fault.Denied: the token is unknown, expired or was used by another plane.
// fault.Conflict: the plane's name or one of its keys is taken.
func (s *Store) JoinPlane(ctx context.Context, who Actor, token Hash, p Plane) (Plane, error) {
	return Plane{}, errEmpty
}

// Plane returns one plane. fault.Missing: there is none.
func (s *Store) Plane(ctx context.Context, plane id.Plane) (Plane, error) {
	return Plane{}, errEmpty
}

// Planes returns the planes of a region, or all when region is empty, in the
// order in which they joined.
func (s *Store) Planes(ctx context.Context, region string) ([]Plane, error) { return nil, errEmpty }

// FoldBeat keeps the plane's newest word on itself and its counts. A beat that
// is not newer than the kept one changes nothing. Counts and alarms about
// workspaces that are not on this plane, and counts of unknown objects, are left
// out. fault.Missing: there is no such plane.
func (s *Store) FoldBeat(ctx context.Context, who Actor, b wire.Beat) error { return errEmpty }

// Counts returns the newest books of a plane, by workspace, source and
// destination.
func (s *Store) Counts(ctx context.Context, plane id.Plane) ([]wire.Count, error) {
	return nil, errEmpty
}
