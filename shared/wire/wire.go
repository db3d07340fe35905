// Package wire has the types that cross between the planes, and their checks. They
// travel over NATS in buckets (wire/bucket), signed or sealed (wire/envelope):
// wire/hub is the control plane's end, wire/edge the data plane's. There is no other
// road between the planes.
//
// NATS is an untrusted transport: pointers are signed by the control plane's
// key, acks and beats by the plane's identity key, bodies and secrets are
// sealed to the plane. Upward fields are enumerations, numbers and identifiers
// of configuration objects; no field is ever filled from data, user code or a
// vendor's text.
package wire

import (
	"strings"
	"time"

	"weir/shared/catalog"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire/condition"
	"weir/shared/workspace"
)

// Version is the wire's format. A reader refuses a newer one.
const Version = 1

// Pointer says which revision of a workspace a plane has to run. Tombstone
// removes the workspace; nothing else does, absence changes nothing.
type Pointer struct {
	Format    int              `json:"format"`
	Plane     id.Plane         `json:"plane"`
	Workspace id.Workspace     `json:"workspace"`
	Region    string           `json:"region"`
	Number    uint64           `json:"number"`
	Digest    workspace.Digest `json:"digest,omitempty"` // of the clear body; empty in a tombstone
	Tombstone bool             `json:"tombstone,omitempty"`
	IssuedAt  time.Time        `json:"issuedAt"`
}

// State is what a plane made of a pointer.
type State string

// The states.
const (
	Applied  State = "applied"
	Rejected State = "rejected"
)

// Code is a reason that may go up. The list is closed: Edge refuses to send,
// and Hub to fold, a code that is not declared in codes.go.
type Code string

// Problem is one reason of a rejection: a path in the configuration and a code.
type Problem struct {
	Path string `json:"path"`
	Code Code   `json:"code"`
}

// Ack is a plane's newest word on one workspace. Problems only with Rejected.
type Ack struct {
	Format    int              `json:"format"`
	Plane     id.Plane         `json:"plane"`
	Workspace id.Workspace     `json:"workspace"`
	Number    uint64           `json:"number"`  // the pointer this is about
	Running   uint64           `json:"running"` // the revision that runs now, 0 for none
	Digest    workspace.Digest `json:"digest"`
	State     State            `json:"state"`
	Problems  []Problem        `json:"problems,omitempty"`
	At        time.Time        `json:"at"` // the plane's clock; see hub.Hub.Acks
}

// Beat is a plane's newest word on itself.
type Beat struct {
	Format  int       `json:"format"`
	Plane   id.Plane  `json:"plane"`
	At      time.Time `json:"at"`
	Started time.Time `json:"started"`
	Version string    `json:"version"` // of the software, semantic
	Healthy bool      `json:"healthy"`
	Gateway string    `json:"gateway,omitempty"` // URL where the gateway is reached; empty: as told at joining
	View    string    `json:"view,omitempty"`    // URL of the view API; the same
	Alarms  []Alarm   `json:"alarms,omitempty"`
	Kinds   []Kind    `json:"kinds"`
	Counts  []Count   `json:"counts,omitempty"`
	// Partial: the Counts lack what the plane did not know at the moment, since it starts,
	// or other processes of it do.
	Partial bool `json:"partial,omitempty"`
	// Process tells the processes of a plane apart, in a partial beat whose Counts have all
	// of the Partitions that run in this one, rising, Of so many that the plane has. Empty:
	// that is not known, also from planes of older versions.
	Process    string `json:"process,omitempty"`
	Partitions []int  `json:"partitions,omitempty"`
	Of         int    `json:"of,omitempty"`
	// Asked is the newest ask that the plane had heard when it made the Counts; 0 for
	// none, in a beat that leaves its counts out, and from planes of older versions.
	Asked uint64 `json:"asked,omitempty"`
	// Condition is how the process does that says it; nil from planes of older versions.
	Condition *condition.Report `json:"condition,omitempty"`
}

// Heartbeat is what the control end writes under a plane's heartbeat key. Ask wants a
// beat at once, which names it; 0 wants none. It is not signed: whoever invents one gets
// a beat, which the plane signs.
type Heartbeat struct {
	Ask uint64 `json:"ask,omitempty"`
}

// Alarm is a reason of concern that a plane raises about itself.
type Alarm struct {
	Code      Code         `json:"code"`
	Workspace id.Workspace `json:"workspace,omitempty"`
	Count     uint64       `json:"count"`
	// Objects are ids of sources and destinations of Workspace that it is about, at
	// most MaxObjects; planes of older versions name none.
	Objects []string `json:"objects,omitempty"`
	// Servers are names of servers of the plane's event cluster that it is about, at
	// most MaxObjects; their operator chose them.
	Servers []string `json:"servers,omitempty"`
	// Reason is the code for which those it is about fail; empty when there is none, and
	// from planes of older versions.
	Reason Code `json:"reason,omitempty"`
}

// BoundSecrets is listed by planes that open secrets which are bound to where they
// are sent, by the digest of its name. It stands in a family that the checks of
// earlier releases know.
func BoundSecrets() Kind {
	return Kind{Family: "transformation", Name: "boundsecrets", Digest: catalog.Digest(catalog.Spec{Name: "boundsecrets"})}
}

// Kind is a source, destination or warehouse kind that a plane can run.
type Kind struct {
	Family string `json:"family"`
	Name   string `json:"name"`   // see Named
	Digest string `json:"digest"` // of its Spec
}

// Named returns k with the name of a kind as planes tell it: without hyphens and
// underscores, for which earlier releases refuse a whole beat.
func (k Kind) Named(name string) Kind {
	k.Name = strings.NewReplacer("-", "", "_", "").Replace(name)
	return k
}

// Count is the book of one source and destination since the plane's first day.
// Destination is empty in the row of a source.
type Count struct {
	Workspace   id.Workspace    `json:"workspace"`
	Source      id.Source       `json:"source"`
	Destination id.Destination  `json:"destination,omitempty"`
	Accepted    uint64          `json:"accepted,omitempty"`
	Replayed    uint64          `json:"replayed,omitempty"`
	Waiting     uint64          `json:"waiting,omitempty"` // accepted or replayed, and not read; older planes leave it out
	Duplicate   uint64          `json:"duplicate,omitempty"`
	Quarantined uint64          `json:"quarantined,omitempty"`
	Unrouted    uint64          `json:"unrouted,omitempty"`
	Dropped     map[Code]uint64 `json:"dropped,omitempty"`
	Routed      uint64          `json:"routed,omitempty"`
	Added       uint64          `json:"added,omitempty"`
	Delivered   uint64          `json:"delivered,omitempty"`
	Staged      uint64          `json:"staged,omitempty"` // delivered to a warehouse and not loaded; older planes count it as delivered
	Parked      uint64          `json:"parked,omitempty"`
	Dead        uint64          `json:"dead,omitempty"`
	InFlight    uint64          `json:"inFlight,omitempty"`
	Balanced    bool            `json:"balanced"`
}

// Credentials are what a NATS client connects with.
type Credentials struct {
	JWT  string
	Seed secret.String
}

// SealedSecret is the payload of an entry of SECRETS. The name stands in it so
// that a hub cannot put one value in another's place; HPKE alone does not say
// who sealed.
type SealedSecret struct {
	secret.Name
	Sealed secret.Sealed `json:"sealed"`
}
