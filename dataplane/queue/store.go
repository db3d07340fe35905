package queue

import (
	"context"
	"log/slog"

	"weir/shared/fault"
)

// Config says where a plane's logs are.
type Config struct {
	// Dir is the plane's data directory. A lock file in it keeps a second process
	// away. Required unless Address is set.
	Dir string
	// Address is a NATS cluster to use instead of the embedded server, as
	// nats://host:port, several divided by commas.
	Address string
	// Creds is the path of the credentials file for Address; empty: none.
	Creds string
	// Replicas is how many servers of the cluster keep each log; 0 means 1.
	Replicas int
	// Partitions is how many partitions a new plane gets; 0 means 2, and for
	// logs that exist already, what they have.
	Partitions int
	// MaxBytes is the most that all logs together may hold; 0 means 60 % of the
	// disk of Dir with the embedded server, and unlimited with Address.
	MaxBytes int64
	// Log is where what an operator should know is written; nil means nowhere.
	Log *slog.Logger
}

// Store is all logs of a plane and what they have in common.
type Store struct{}

// Open takes the lock, starts the embedded server or connects to the cluster, and
// makes what is missing.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	return nil, fault.New(fault.Unavailable, "not built")
}

// Log returns the log of kind k in partition p. It panics when there is no such partition.
func (s *Store) Log(k Kind, p int) Log { return nil }

// Partitions returns how many partitions there are.
func (s *Store) Partitions() int { return 0 }

// Slots returns which partition each slot belongs to.
func (s *Store) Slots() Slots { return Slots{} }

// Healthy returns nil when the logs can take records.
func (s *Store) Healthy() error { return nil }

// Close ends every reader and stops the server.
func (s *Store) Close() error { return nil }
