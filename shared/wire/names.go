package wire

import (
	"strconv"
	"strings"

	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/workspace"
)

// Buckets of an account. They are KV buckets to NATS tools; each entry's key
// begins with the plane it belongs to, so that grants can part them.
const (
	bucketPointers = "POINTERS" // <plane>.<workspace>: signed Pointer, by the control plane
	bucketBodies   = "BODIES"   // <plane>.<digest>: configuration, sealed to the plane
	bucketSecrets  = "SECRETS"  // <plane>.<workspace>.<family>.<object>.<field>.<version>: sealed, signed by the control plane
	bucketAcks     = "ACKS"     // <plane>.<workspace>: signed Ack, by the plane
	bucketBeats    = "BEATS"    // <plane>: signed Beat, by the plane
)

// heartbeat is the key, under a plane's prefix in POINTERS, that the control
// end bumps. It has two tokens: no workspace can be called so.
const heartbeat = "hub.beat"

// Sizes, in bytes.
const (
	maxPayload = 8 << 20                              // of one message: a sealed configuration fits
	maxBody    = workspace.MaxBytes + secret.Overhead // of one sealed configuration
	maxSmall   = 256 << 10                            // of a pointer, a secret, an ack
	maxBeat    = 4 << 20                              // of a beat; 10,000 books have some 3 MiB
)

// bucket is how one bucket is kept.
type bucket struct {
	name     string
	maxValue int32
	maxBytes int64 // of the whole bucket, -1 for no limit
}

// buckets lists the buckets of an account. Those that planes write are bounded:
// a plane that floods them does not fill the hub's disk.
func buckets(a Account) []bucket {
	planes := int64(8) // an organization has a few
	if a.Organization == "" {
		planes = 64
	}
	return []bucket{
		{bucketPointers, maxSmall, -1},
		{bucketBodies, maxBody, -1},
		{bucketSecrets, maxSmall, -1},
		{bucketAcks, maxSmall, planes << 20},
		{bucketBeats, maxBeat, planes * maxBeat},
	}
}

// stream is the stream behind a bucket, as NATS names it.
func stream(bucket string) string { return "KV_" + bucket }

// subject is the subject of an entry.
func subject(bucket, key string) string { return "$KV." + bucket + "." + key }

func pointerKey(p id.Plane, ws id.Workspace) string { return string(p) + "." + string(ws) }

func bodyKey(p id.Plane, d workspace.Digest) string { return string(p) + "." + string(d) }

func secretKey(p id.Plane, n secret.Name) string {
	return strings.Join([]string{string(p), string(n.Workspace), string(n.Family), n.Object, n.Field, strconv.FormatUint(n.Version, 10)}, ".")
}

// inbox is the prefix of the subjects on which a plane gets its answers. All
// planes of a region share an account; with the usual prefix each could read
// the others' answers.
func inbox(p id.Plane) string { return "_INBOX_" + string(p) }

// keyOf returns the key of a message of a bucket, split at its dots.
func keyOf(bucket, subj string) []string {
	return strings.Split(strings.TrimPrefix(subj, "$KV."+bucket+"."), ".")
}
