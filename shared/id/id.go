// Package id gives every identified thing a type of its own, so that the
// compiler refuses a source where a destination is meant.
package id

import (
	"crypto/rand"
	"encoding/base32"
	"strings"
)

// Identifiers of configuration objects. They hold lower-case ASCII letters,
// digits, '_' and '-', so each is one NATS subject token and one file name.
type (
	// Organization is the owner of workspaces and private planes.
	Organization string
	// Workspace is the unit of configuration; it is pinned to a region.
	Workspace string
	// Plane is one data plane.
	Plane string
	// Source is one origin of events in a workspace.
	Source string
	// Destination is one receiver of events in a workspace.
	Destination string
	// Transformation is one piece of customers' code in a workspace.
	Transformation string
	// Model is rows of a warehouse that syncs send.
	Model string
	// Sync is what keeps the rows of a model in a destination.
	Sync string
	// Event is the messageId of an event, as its sender chose it.
	Event string
)

// kind is any identifier that this installation makes itself.
type kind interface {
	Organization | Workspace | Plane | Source | Destination | Transformation | Model | Sync
}

// maxLength is the longest accepted identifier, in bytes.
const maxLength = 64

var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// New returns an identifier with 80 random bits behind a prefix that tells its
// kind to a reader: org_, ws_, pl_, src_, dst_, tf_, mdl_ or sync_.
func New[T kind]() T {
	var t T
	made, _ := NewLike(t)
	return T(made)
}

// NewLike is New of the type that like has; ok is false when that is no identifier.
func NewLike(like any) (made string, ok bool) {
	prefix := ""
	switch like.(type) {
	case Organization:
		prefix = "org_"
	case Workspace:
		prefix = "ws_"
	case Plane:
		prefix = "pl_"
	case Source:
		prefix = "src_"
	case Destination:
		prefix = "dst_"
	case Transformation:
		prefix = "tf_"
	case Model:
		prefix = "mdl_"
	case Sync:
		prefix = "sync_"
	}
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return prefix + encoding.EncodeToString(b[:]), prefix != ""
}

// Valid reports whether s may be an identifier: 1 to 64 of a-z, 0-9, '_', '-'.
func Valid[T kind](s T) bool {
	return s != "" && len(s) <= maxLength &&
		strings.Trim(string(s), "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}
