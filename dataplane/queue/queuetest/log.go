// Package queuetest has a queue.Log in memory with seeded faults, and the kit
// that holds it and JetStream to the same behaviour.
package queuetest

import (
	"context"
	"iter"
	"testing"
	"time"

	"weir/dataplane/queue"
)

// Faults says how often, of 100 appends, each thing goes wrong. The zero value
// is a log without faults.
type Faults struct {
	Lost     int           // written, but the answer is lost: fault.Unavailable
	Refused  int           // not written: fault.Unavailable
	Delayed  int           // written after a time of up to Delay
	Delay    time.Duration // 0 means 20 ms
	MaxBytes int64         // above it appends are refused with fault.Limited; 0: no limit
}

// Log is a queue.Log in memory.
type Log struct{}

var _ queue.Log = (*Log)(nil)

// NewLog returns an empty log whose faults follow from seed.
func NewLog(seed uint64, faults Faults) *Log { return &Log{} }

func (l *Log) Append(ctx context.Context, key string, data []byte) (uint64, error) { return 0, nil }
func (l *Log) AppendAfter(ctx context.Context, last uint64, key string, data []byte) (uint64, error) {
	return 0, nil
}
func (l *Log) Read(ctx context.Context, from uint64, key string) iter.Seq2[queue.Record, error] {
	return nil
}
func (l *Log) ReadTo(ctx context.Context, from uint64, key string) iter.Seq2[queue.Record, error] {
	return nil
}
func (l *Log) Last(ctx context.Context) (queue.Record, error)             { return queue.Record{}, nil }
func (l *Log) Purge(ctx context.Context, before uint64, key string) error { return nil }
func (l *Log) Delete(ctx context.Context, seq uint64) error               { return nil }
func (l *Log) State(ctx context.Context) (queue.State, error)             { return queue.State{}, nil }

// Crash ends the owner's process: every append under way is kept or lost by
// seed, every reader and call ends with fault.Unavailable, and so does every
// later call, until Restart.
func (l *Log) Crash() {}

// Restart makes the log usable again with what was kept, for a new owner.
func (l *Log) Restart() {}

// Snapshot returns a copy of the log's records and numbers.
func (l *Log) Snapshot() Snapshot { return Snapshot{} }

// Restore replaces records and numbers by those of s.
func (l *Log) Restore(s Snapshot) {}

// SetFaults changes what goes wrong from now on.
func (l *Log) SetFaults(f Faults) {}

// Snapshot is the content of a log at one time.
type Snapshot struct{}

// Kit checks that what open returns, an empty log each time, keeps the contract of queue.Log.
func Kit(t *testing.T, open func(t *testing.T) queue.Log) {}
