// Package queue keeps a plane's durable logs. It alone knows JetStream.
//
// A log is read by position and never redelivers: who needs "settled" keeps
// that beside it (the pipeline's journal). Append returns after fsync. Open takes
// the data directory's lock, then starts the embedded event server or joins a
// cluster; Writer commits many requests' events in one frame; Lease says who
// owns a partition.
//
// It refuses a second process on one data directory, another number of partitions
// than the logs have, servers that take only small messages, and damaged frames.
// It guarantees that what Append returned a number for is there after any crash
// of this process, in order, until it is purged; that numbers are never used
// twice; and that a call whose answer was lost says so (fault.Unavailable). With
// an external cluster, fsync is that cluster's setting (sync_interval: always).
package queue

import (
	"context"
	"iter"
	"time"
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
// safe for concurrent use. Every method has a deadline of 5 s when ctx has none,
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

	// Delete removes one record. Removing a missing one is no error. fault.Denied:
	// the log is one from which single records are never removed (EVENTS, JOURNAL).
	Delete(ctx context.Context, seq uint64) error

	State(ctx context.Context) (State, error)

	// Keys returns how many records there are of each key that has any.
	Keys(ctx context.Context) (map[string]uint64, error)
}
