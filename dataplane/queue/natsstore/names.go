package natsstore

import (
	"fmt"
	"strings"

	"weir/dataplane/queue"
)

// streamName is the JetStream stream of kind k in partition p.
func streamName(k queue.Kind, p int) string { return fmt.Sprintf("%s_%d", k, p) }

// noKey is the subject token of records without a key; it is no possible key.
const noKey = "~"

// subjectOf is the subject of records with key in the log of kind k of partition
// p; "*" stands for every key and for none.
func subjectOf(k queue.Kind, p int, key string) string {
	if key == "" {
		key = noKey
	}
	return fmt.Sprintf("%s.%d.%s", strings.ToLower(k.String()), p, key)
}

// metaBucket is the KV bucket of what a plane's logs have in common.
const metaBucket = "META"

// slotsKey is the key of the slot table in META.
const slotsKey = "slots"

// leaseKey is the key of partition p's lease in META.
func leaseKey(p int) string { return fmt.Sprintf("lease.%d", p) }
