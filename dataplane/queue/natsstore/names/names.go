// Package names names what a plane has on its event server.
package names

import (
	"fmt"
	"strings"

	"weir/dataplane/queue"
)

// Stream is the JetStream stream of kind k in partition p.
func Stream(k queue.Kind, p int) string { return fmt.Sprintf("%s_%d", k, p) }

// noKey is the subject token of records without a key; it is no possible key.
const noKey = "~"

// Subject is the subject of records with key in the log of kind k of partition
// p; "*" stands for every key and for none.
func Subject(k queue.Kind, p int, key string) string {
	if key == "" {
		key = noKey
	}
	return fmt.Sprintf("%s.%d.%s", strings.ToLower(k.String()), p, key)
}

// Key returns the key in a record's subject.
func Key(subject string) string {
	key := subject[strings.LastIndexByte(subject, '.')+1:]
	if key == noKey {
		return ""
	}
	return key
}

// Meta is the KV bucket of what a plane's logs have in common.
const Meta = "META"

// Slots is the key of the slot table in Meta.
const Slots = "slots"

// Lease is the key of partition p's lease in Meta.
func Lease(p int) string { return fmt.Sprintf("lease.%d", p) }
