// Package queue says what a plane's durable logs are and what they hold.
//
// Log is the contract: a log is read by position and never redelivers; who needs
// "settled" keeps that beside it (the pipeline's journal). natsstore keeps logs on
// NATS JetStream, queuetest in memory, and queuetest.Kit holds both to the contract.
// Kind lists the logs of a partition, Slots says which user's events go to which
// partition, and Writer commits many requests' events in one frame.
//
// A log guarantees that what Append returned a number for is there after any crash
// of this process, in order, until it is purged; that numbers are never used
// twice; and that a call whose answer was lost says so (fault.Unavailable). Damaged
// frames are refused.
package queue

import (
	"context"
	"iter"
	"time"

	"weir/shared/fault"
)

// Record is one entry of a log. Data must not be changed.
type Record struct {
	Seq  uint64 // from 1, increasing, with gaps where records were purged
	Key  string // what Purge and Read can select by; "" or one subject token
	Data []byte
	At   time.Time // when the log took it, the log's clock
}

// State is the extent of a log. First is Last+1 when it is empty; Last never
// goes down, so an emptied log continues its numbers.
type State struct {
	First, Last uint64
	Records     uint64
	Bytes       uint64
}

// Log is one durable, ordered, append-only sequence of records. Methods are
// safe for concurrent use. Every method has a deadline of CallTimeout when ctx has none,
// except Read and ReadTo. A key is made of letters, digits, '-' and '_';
// fault.Invalid for any other, and for more data than MaxPayload less 64 KiB.
//
// Errors: fault.Limited when the log's size limit is reached (nothing was
// written), fault.Unavailable when it is unknown whether the record was
// written (a lost answer) or the log is away, fault.Conflict from AppendAfter.
type Log interface {
	// Append adds data under key and returns its number once it is on disk with
	// fsync. Concurrent appends are ordered by the log. The log does not keep
	// data after it returned.
	Append(ctx context.Context, key string, data []byte) (uint64, error)

	// AppendAfter is Append that succeeds only when last is the number of the
	// log's newest record ever written. fault.Conflict: it is not; that can be
	// one's own write whose answer was lost, so read the last record.
	AppendAfter(ctx context.Context, last uint64, key string, data []byte) (uint64, error)

	// Read yields the records with Seq >= from in order, only those of key when
	// key is not "", and at the end waits for more until ctx ends (then it stops
	// without an error). It survives reconnects without gap or repetition. An
	// error ends it.
	Read(ctx context.Context, from uint64, key string) iter.Seq2[Record, error]

	// ReadTo is Read that ends after the newest record at the time of the call
	// instead of waiting. When ctx ends before, that is an error: fault.Unavailable.
	ReadTo(ctx context.Context, from uint64, key string) iter.Seq2[Record, error]

	// Last returns the newest record that is still there. fault.Missing: none.
	Last(ctx context.Context) (Record, error)

	// Purge removes every record with Seq < before, only those of key when key
	// is not "". Last stays, also when before is greater.
	Purge(ctx context.Context, before uint64, key string) error

	// Delete removes records. Removing a missing one is no error; after any other
	// error some of them may be left. fault.Denied: the log is one from which single
	// records are never removed (EVENTS, JOURNAL).
	Delete(ctx context.Context, seqs ...uint64) error

	State(ctx context.Context) (State, error)

	// Keys returns how many records there are of each key that has any.
	Keys(ctx context.Context) (map[string]uint64, error)
}

// CallTimeout is how long a call to a log may take when its caller set no deadline.
const CallTimeout = 5 * time.Second

// maxKey is the longest key, in bytes.
const maxKey = 128

// CheckRecord refuses, with fault.Invalid, what no log can hold: see Log.
func CheckRecord(key string, data []byte) error {
	if len(data) > maxRecord {
		return fault.New(fault.Invalid, "A record of %d bytes is larger than the log takes, %d.", len(data), maxRecord)
	}
	return checkKey(key)
}

// checkKey refuses, with fault.Invalid, what is no key of a record.
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
