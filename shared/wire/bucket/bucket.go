// Package bucket names what lies on the hub: buckets, their entries' keys, and the
// NATS streams and subjects behind them.
package bucket

import (
	"strconv"
	"strings"

	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/workspace"
)

// Bucket is a bucket of an account. Buckets are KV buckets to NATS tools; each entry's key
// begins with the plane it belongs to, so that grants can part them.
type Bucket string

// The buckets.
const (
	Pointers Bucket = "POINTERS" // <plane>.<workspace>: signed Pointer, by the control plane
	Bodies   Bucket = "BODIES"   // <plane>.<digest>: configuration, sealed to the plane
	Secrets  Bucket = "SECRETS"  // <plane>.<workspace>.<family>.<object>.<field>.<version>: sealed, signed by the control plane
	Acks     Bucket = "ACKS"     // <plane>.<workspace>: signed Ack, by the plane
	Beats    Bucket = "BEATS"    // <plane>: signed Beat, by the plane
)

// Heartbeat is the key, under a plane's prefix in POINTERS, that the control
// end bumps. It has two tokens: no workspace can be called so.
const Heartbeat = "hub.beat"

// MaxBeat is the most bytes of a signed beat; 10,000 books have some 3 MiB.
const MaxBeat = 4 << 20

// Stream is the stream behind b, as NATS names it.
func (b Bucket) Stream() string { return "KV_" + string(b) }

// Subject is the subject of the entry under key.
func (b Bucket) Subject(key string) string { return "$KV." + string(b) + "." + key }

// PointerKey is the key of an entry of POINTERS, and of ACKS.
func PointerKey(p id.Plane, ws id.Workspace) string { return string(p) + "." + string(ws) }

// BodyKey is the key of an entry of BODIES.
func BodyKey(p id.Plane, d workspace.Digest) string { return string(p) + "." + string(d) }

// SecretKey is the key of an entry of SECRETS.
func SecretKey(p id.Plane, n secret.Name) string {
	return strings.Join([]string{string(p), string(n.Workspace), string(n.Family), n.Object, n.Field, strconv.FormatUint(n.Version, 10)}, ".")
}

// Inbox is the prefix of the subjects on which a plane gets its answers. All
// planes of a region share an account; with the usual prefix each could read
// the others' answers.
func Inbox(p id.Plane) string { return "_INBOX_" + string(p) }

// Key returns the key in the subject of a message of b, split at its dots.
func (b Bucket) Key(subject string) []string {
	return strings.Split(strings.TrimPrefix(subject, b.Subject("")), ".")
}
