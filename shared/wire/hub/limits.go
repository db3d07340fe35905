package hub

import (
	"weir/shared/secret"
	"weir/shared/wire/bucket"
	"weir/shared/workspace"
)

// Sizes, in bytes.
const (
	maxPayload = 8 << 20                              // of one message: a sealed configuration fits
	maxBody    = workspace.MaxBytes + secret.Overhead // of one sealed configuration
	maxSmall   = 256 << 10                            // of a pointer, a secret, an ack
)

// limit is how much a bucket keeps.
type limit struct {
	bucket   bucket.Bucket
	maxValue int32
	maxBytes int64 // of the whole bucket, -1 for no limit
}

// limits lists the buckets of an account. Those that planes write are bounded:
// a plane that floods them does not fill the hub's disk.
func limits(a Account) []limit {
	planes := int64(8) // an organization has a few
	if a.Organization == "" {
		planes = 64
	}
	return []limit{
		{bucket.Pointers, maxSmall, -1},
		{bucket.Bodies, maxBody, -1},
		{bucket.Secrets, maxSmall, -1},
		{bucket.Acks, maxSmall, planes << 20},
		{bucket.Beats, bucket.MaxBeat, planes * bucket.MaxBeat},
	}
}
