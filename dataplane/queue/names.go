package queue

import (
	"fmt"

	"weir/shared/fault"
)

// Kind is what a log is for. Every partition has one log of each kind.
type Kind uint8

// The kinds. The word in brackets says what the key of a record is.
const (
	Events     Kind = iota // frames of accepted events [no key]
	Journal                // what became of them [no key]
	Parked                 // deliveries that wait for their destination [destination]
	Dead                   // deliveries that failed for good [destination]
	Quarantine             // events that broke a rule [source]
	Bad                    // frames that nobody could read [no key]
	Stage                  // frames of events that a warehouse is to load [destination]
	kinds                  // how many there are
)

func (k Kind) String() string {
	names := [kinds]string{"EVENTS", "JOURNAL", "PARKED", "DEAD", "QUARANTINE", "BAD", "STAGE"}
	if k < kinds {
		return names[k]
	}
	return fmt.Sprintf("KIND%d", uint8(k))
}

// subject is the first token of the kind's subjects.
func (k Kind) subject() string {
	names := [kinds]string{"events", "journal", "parked", "dead", "quarantine", "bad", "stage"}
	return names[k]
}

// streamName is the JetStream stream of kind k in partition p.
func streamName(k Kind, p int) string { return fmt.Sprintf("%s_%d", k, p) }

// noKey is the subject token of records without a key; it is no possible key.
const noKey = "~"

// subjectOf is the subject of records with key in the log of kind k of partition
// p; "*" stands for every key and for none.
func subjectOf(k Kind, p int, key string) string {
	if key == "" {
		key = noKey
	}
	return fmt.Sprintf("%s.%d.%s", k.subject(), p, key)
}

// maxKey is the longest key, in bytes.
const maxKey = 128

// checkKey refuses what would not be one subject token of its own.
func checkKey(key string) error {
	if len(key) > maxKey {
		return fault.New(fault.Invalid, "The key of a record has %d bytes, at most %d are possible.", len(key), maxKey)
	}
	for i := range len(key) {
		switch b := key[i]; {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '-', b == '_':
		default:
			return fault.New(fault.Invalid, "The key of a record may hold only letters, digits, '-' and '_'.")
		}
	}
	return nil
}

// metaBucket is the KV bucket of what a plane's logs have in common.
const metaBucket = "META"

// slotsKey is the key of the slot table in META.
const slotsKey = "slots"

// leaseKey is the key of partition p's lease in META.
func leaseKey(p int) string { return fmt.Sprintf("lease.%d", p) }
