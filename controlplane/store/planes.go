package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"weir/controlplane/store/beats"
	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/invitation"
	"weir/controlplane/store/ent/plane"
	"weir/controlplane/store/placement"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/wire"
	"weir/shared/wire/condition"
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
	LastBeat time.Time // when the hub took it
	Healthy  bool
	Alarms   []wire.Alarm
	// Conditions are of its processes; none of planes of older versions.
	Conditions []condition.Heard
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

// keepInvitation is how long after its end an invitation stays readable, so that
// a late plane hears that its token expired, not that it is unknown.
const keepInvitation = 24 * time.Hour

// CreateInvitation records an invitation and drops those that expired more than
// a day ago.
func (s *Store) CreateInvitation(ctx context.Context, who Actor, inv Invitation) error {
	err := s.write(ctx, who, func(ctx context.Context, tx *ent.Tx) (trail, error) {
		now := s.now()
		if _, err := tx.Invitation.Delete().Where(invitation.ExpiresAtLTE(now.Add(-keepInvitation))).Exec(ctx); err != nil {
			return trail{}, err
		}
		err := tx.Invitation.Create().SetID(inv.Token.column()).SetRegion(inv.Region).SetKind(string(inv.Kind)).
			SetOrganization(string(inv.Organization)).SetCreatedAt(now).SetExpiresAt(database.Stored(inv.ExpiresAt)).SetUsedBy("").Exec(ctx)
		return trail{Action: "plane.invite", Object: "region " + inv.Region, Detail: "kind " + string(inv.Kind),
			After: fields{"region": inv.Region, "kind": inv.Kind, "organization": inv.Organization, "expiresAt": inv.ExpiresAt}}, err
	})
	return wrap(err, "invite a plane")
}

// Invitation returns the invitation with that token hash, used or not, expired
// or not. fault.Missing: there is none.
func (s *Store) Invitation(ctx context.Context, token Hash) (Invitation, error) {
	return database.Read(ctx, func(ctx context.Context) (Invitation, error) {
		row, err := s.ent.Invitation.Get(ctx, token.column())
		if ent.IsNotFound(err) {
			return Invitation{}, fault.New(fault.Missing, "the invitation is unknown")
		}
		if err != nil {
			return Invitation{}, err
		}
		return Invitation{
			Token: token, Region: row.Region, Kind: PlaneKind(row.Kind), Organization: id.Organization(row.Organization),
			CreatedAt: row.CreatedAt.UTC(), ExpiresAt: row.ExpiresAt.UTC(), UsedBy: id.Plane(row.UsedBy),
		}, nil
	})
}

// JoinPlane uses up the invitation and records p, in one step. The invitation's
// region, kind and organization replace those of p. A second call with the same
// token and the same three keys returns the plane of the first one, so that a
// plane whose answer was lost can ask again until the invitation expires.
//
// fault.Denied: the token is unknown, expired or was used by another plane.
// fault.Conflict: the plane's name or one of its keys is taken.
func (s *Store) JoinPlane(ctx context.Context, who Actor, token Hash, p Plane) (Plane, error) {
	var out Plane
	err := s.write(ctx, who, func(ctx context.Context, tx *ent.Tx) (trail, error) {
		inv, err := tx.Invitation.Get(ctx, token.column())
		switch {
		case ent.IsNotFound(err):
			return trail{}, fault.New(fault.Denied, "the token is not one of an invitation")
		case err != nil:
			return trail{}, err
		case !s.now().Before(inv.ExpiresAt):
			return trail{}, fault.New(fault.Denied, "the invitation has expired: ask for a new one")
		case inv.UsedBy != "":
			out, err = s.joined(ctx, tx, inv.UsedBy, p)
			return trail{}, err
		}
		taken, err := tx.Plane.Query().Where(plane.Or(plane.ID(string(p.ID)), plane.Name(p.Name), plane.IdentityKey(p.IdentityKey),
			plane.SealingKey(p.SealingKey), plane.NatsKey(p.NATSKey))).Exist(ctx)
		if err != nil {
			return trail{}, err
		}
		if taken {
			return trail{}, fault.New(fault.Conflict, "a plane with this name or one of these keys has joined: choose another name, or make new keys")
		}
		kinds, err := json.Marshal(p.Kinds)
		if err != nil {
			return trail{}, fmt.Errorf("encode kinds: %w", err)
		}
		row, err := tx.Plane.Create().SetID(string(p.ID)).SetName(p.Name).SetRegion(inv.Region).SetKind(inv.Kind).
			SetOrganization(inv.Organization).SetIdentityKey(p.IdentityKey).SetSealingKey(p.SealingKey).
			SetSealingKeySignature(p.SealingKeySignature).SetNatsKey(p.NATSKey).SetGatewayURL(p.GatewayURL).
			SetViewURL(p.ViewURL).SetVersion(p.Version).SetKinds(string(kinds)).SetJoinedAt(s.now()).SetAlarms("[]").Save(ctx)
		if err != nil {
			return trail{}, err
		}
		if out, err = s.planeOf(row); err != nil {
			return trail{}, err
		}
		return trail{Action: "plane.join", Object: "plane " + row.ID, Detail: "region " + row.Region,
			After: fields{"name": row.Name, "region": row.Region, "kind": row.Kind, "gatewayUrl": row.GatewayURL, "viewUrl": row.ViewURL}}, tx.Invitation.UpdateOne(inv).SetUsedBy(row.ID).Exec(ctx)
	})
	if err != nil {
		return Plane{}, wrap(err, "join a plane")
	}
	return out, nil
}

// joined returns the plane that used the invitation if p has its keys.
func (s *Store) joined(ctx context.Context, tx *ent.Tx, by string, p Plane) (Plane, error) {
	row, err := tx.Plane.Get(ctx, by)
	if ent.IsNotFound(err) {
		return Plane{}, fault.New(fault.Denied, "the plane that the invitation let in was removed: ask for a new one")
	}
	if err != nil {
		return Plane{}, err
	}
	if !bytes.Equal(row.IdentityKey, p.IdentityKey) || !bytes.Equal(row.SealingKey, p.SealingKey) || row.NatsKey != p.NATSKey {
		return Plane{}, fault.New(fault.Denied, "the invitation was used by another plane: ask for a new one")
	}
	return s.planeOf(row)
}

// Plane returns one plane. fault.Missing: there is none.
func (s *Store) Plane(ctx context.Context, pl id.Plane) (Plane, error) {
	return database.Read(ctx, func(ctx context.Context) (Plane, error) {
		row, err := s.ent.Plane.Get(ctx, string(pl))
		if ent.IsNotFound(err) {
			return Plane{}, fault.New(fault.Missing, "there is no plane %s", pl)
		}
		if err != nil {
			return Plane{}, err
		}
		return s.planeOf(row)
	})
}

// Planes returns the planes of a region, or all when region is empty, in the
// order in which they joined.
func (s *Store) Planes(ctx context.Context, region string) ([]Plane, error) {
	return database.Read(ctx, func(ctx context.Context) ([]Plane, error) {
		q := s.ent.Plane.Query().Order(ent.Asc(plane.FieldJoinedAt, plane.FieldID))
		if region != "" {
			q = q.Where(plane.Region(region))
		}
		rows, err := q.All(ctx)
		if err != nil {
			return nil, err
		}
		out := make([]Plane, len(rows))
		for i, row := range rows {
			if out[i], err = s.planeOf(row); err != nil {
				return nil, err
			}
		}
		return out, nil
	})
}

// RemovedPlane is what is kept of a plane that was removed.
type RemovedPlane = placement.RemovedPlane

// RemovePlane removes the plane with that name or id; see placement.RemovePlane for what
// goes with it. Of one that was removed before it returns what was kept, and changes nothing.
// fault.Missing: there is and was none. fault.Conflict: workspaces are on it.
func (s *Store) RemovePlane(ctx context.Context, who Actor, named string) (RemovedPlane, error) {
	var out RemovedPlane
	err := s.write(ctx, who, func(ctx context.Context, tx *ent.Tx) (trail, error) {
		var again bool
		var err error
		out, again, err = placement.RemovePlane(ctx, tx, s.now(), named)
		if err != nil || again {
			return trail{}, err
		}
		return trail{Action: "plane.remove", Object: "plane " + string(out.ID), Detail: "name " + out.Name, Before: fields{"name": out.Name}}, nil
	})
	if err != nil {
		return RemovedPlane{}, wrap(err, "remove plane %s", named)
	}
	return out, nil
}

// RemovedPlanes returns the planes that were removed.
func (s *Store) RemovedPlanes(ctx context.Context) ([]RemovedPlane, error) {
	return database.Read(ctx, func(ctx context.Context) ([]RemovedPlane, error) { return placement.RemovedPlanes(ctx, s.ent) })
}

func (s *Store) planeOf(row *ent.Plane) (Plane, error) {
	p := Plane{
		ID: id.Plane(row.ID), Name: row.Name, Region: row.Region, Kind: PlaneKind(row.Kind),
		Organization: id.Organization(row.Organization), IdentityKey: row.IdentityKey, SealingKey: row.SealingKey,
		SealingKeySignature: row.SealingKeySignature, NATSKey: row.NatsKey, GatewayURL: row.GatewayURL, ViewURL: row.ViewURL,
		JoinedAt: row.JoinedAt.UTC(), Version: row.Version, Healthy: row.Healthy,
	}
	if row.LastBeat != nil {
		p.LastBeat = row.LastBeat.UTC()
	}
	var err error
	if p.Kinds, err = s.kinds.decode(row.Kinds); err != nil {
		return Plane{}, fmt.Errorf("decode the kinds of plane %s: %w", row.ID, err)
	}
	if err := json.Unmarshal([]byte(row.Alarms), &p.Alarms); err != nil {
		return Plane{}, fmt.Errorf("decode the alarms of plane %s: %w", row.ID, err)
	}
	p.Conditions, err = beats.Conditions(row)
	return p, err
}

// kindLists remembers lists of kinds by their text: each commit reads planes, and a list,
// which is long, changes with a plane's version alone.
type kindLists struct {
	mu sync.Mutex
	of map[string][]wire.Kind
}

// mostKindLists is how many are remembered: planes of one version have the same.
const mostKindLists = 100

// decode returns a list that is the caller's.
func (k *kindLists) decode(text string) ([]wire.Kind, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	list, known := k.of[text]
	if !known {
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			return nil, err
		}
		if len(k.of) >= mostKindLists || k.of == nil {
			k.of = map[string][]wire.Kind{}
		}
		k.of[text] = list
	}
	return slices.Clone(list), nil
}
