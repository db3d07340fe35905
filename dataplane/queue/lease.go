package queue

import "context"

// Lease is the right to own a partition, until it is lost.
type Lease struct {
	// Epoch is greater than that of every earlier owner of the partition.
	Epoch uint64
}

// Lease takes the lease of partition p; it waits while another owner has it.
func (s *Store) Lease(ctx context.Context, p int) (*Lease, error) { return nil, nil }

// Held reports whether the partition is still this owner's beyond doubt.
func (l *Lease) Held() bool { return false }

// Run renews the lease until ctx ends. fault.Conflict: another owner has it now.
func (l *Lease) Run(ctx context.Context) error { return nil }

// Release gives the lease up, so that the next owner need not wait.
func (l *Lease) Release(ctx context.Context) error { return nil }
