package natsstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"weir/dataplane/queue/natsstore/names"
	"weir/dataplane/queue/natsstore/refusal"
	"weir/shared/fault"
)

// How long others leave a lease alone that is not renewed. An owner holds it for
// half of that without a renewal, which with a cluster is longer than an election of
// META's leader takes: 4 to 9 s.
const (
	defaultLease = 10 * time.Second
	clusterLease = 20 * time.Second
)

// renewals is how often, at least, an owner renews within the lease's time; longest is
// the longest time between two renewals.
const (
	renewals = 5
	longest  = 2 * time.Second
)

// Lease is the right to own a partition, until it is lost. Its methods are safe
// for concurrent use.
type Lease struct {
	// Epoch is greater than that of every earlier owner of the partition.
	Epoch uint64

	store *Store
	part  int
	time  time.Duration // how long others leave it alone

	mu       sync.Mutex
	revision uint64    // of the lease's key when it was last ours
	count    uint64    // of renewals
	renewed  time.Time // when the last good renewal began; zero: lost or released
}

// leaseRecord is a lease as META keeps it. Owners' clocks are not in it: others
// wait until it has not changed for that time on their own clock.
type leaseRecord struct {
	Version int    `json:"version"` // 1
	Epoch   uint64 `json:"epoch"`
	Owner   string `json:"owner"` // "": released
	Count   uint64 `json:"count"` // renewals by this owner
}

// Lease takes the lease of partition p. While another process has it, it waits
// until that one released it or has not renewed it for its time. With the embedded
// server the lock on the data directory proves that any other owner is dead, so
// there is nothing to wait for.
//
// fault.Conflict: this Store has it already. fault.Unavailable: the log is away,
// or ctx ended.
func (s *Store) Lease(ctx context.Context, p int) (*Lease, error) {
	if p < 0 || p >= s.slots.Partitions {
		return nil, fault.New(fault.Missing, "There is no partition %d.", p)
	}
	l := &Lease{store: s, part: p, time: s.cfg.LeaseTime}
	if l.time <= 0 && s.embed != nil {
		l.time = defaultLease
	} else if l.time <= 0 {
		l.time = clusterLease
	}
	s.mu.Lock()
	taken := s.leases[p] != nil
	if !taken {
		s.leases[p] = l
	}
	s.mu.Unlock()
	if taken {
		return nil, fault.New(fault.Conflict, "Partition %d has its owner in this process already.", p)
	}
	if err := l.acquire(ctx); err != nil {
		l.Abandon()
		return nil, fmt.Errorf("take the lease of partition %d: %w", p, err)
	}
	return l, nil
}

// Abandon lets this process take the lease again, and others once its time is over.
func (l *Lease) Abandon() {
	l.mu.Lock()
	l.renewed = time.Time{}
	l.mu.Unlock()
	l.store.mu.Lock()
	if l.store.leases[l.part] == l {
		delete(l.store.leases, l.part)
	}
	l.store.mu.Unlock()
}

func (l *Lease) acquire(ctx context.Context) error {
	var seen uint64 // the revision that was there at since
	var since time.Time
	for {
		held, revision, err := l.read(ctx)
		if err != nil {
			return err
		}
		if revision > seen { // a server that lags behind may answer with an older one
			seen, since = revision, time.Now()
		}
		if held.Owner == "" || held.Owner == l.store.owner || l.store.embed != nil || time.Since(since) >= l.time {
			begun := time.Now()
			next := leaseRecord{Version: 1, Epoch: held.Epoch + 1, Owner: l.store.owner}
			err := l.write(ctx, next, revision)
			if err == nil {
				l.mu.Lock()
				l.Epoch, l.renewed = next.Epoch, begun // renewed counts from before the write: others' clocks begin later
				l.mu.Unlock()
				return nil
			}
			if fault.KindOf(err) != fault.Conflict {
				return err
			}
		} // else another process was faster: look who has it now
		select {
		case <-time.After(l.pace() / 4):
		case <-ctx.Done():
			return fault.New(fault.Unavailable, "Another process still owns the partition.")
		case <-l.store.open.Done():
			return errStoreClosed
		}
	}
}

// read returns the record of the lease and its revision, zero when there is none.
func (l *Lease) read(ctx context.Context) (leaseRecord, uint64, error) {
	ctx, cancel := l.store.call(ctx, l.store.open)
	defer cancel()
	var rec leaseRecord
	entry, err := l.store.meta.Get(ctx, names.Lease(l.part))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return rec, 0, nil
	}
	if err != nil {
		return rec, 0, refusal.Of(err)
	}
	if err := json.Unmarshal(entry.Value(), &rec); err != nil || rec.Version != 1 {
		return rec, 0, fault.New(fault.Internal, "The lease of partition %d is unreadable.", l.part)
	}
	return rec, entry.Revision(), nil
}

// write replaces the record at revision. fault.Conflict: it is another one now;
// a write of one's own whose answer was lost is told by its owner and count.
func (l *Lease) write(ctx context.Context, rec leaseRecord, revision uint64) error {
	value, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("encode a lease: %w", err)
	}
	ctx, cancel := l.store.call(ctx, l.store.writable())
	defer cancel()
	written, err := l.store.meta.Update(ctx, names.Lease(l.part), value, revision) // revision 0: only when there is none
	if err != nil {
		if errors.Is(err, jetstream.ErrKeyExists) {
			return fault.New(fault.Conflict, "The lease has changed.")
		}
		return refusal.Of(err)
	}
	l.mu.Lock()
	l.revision, l.count = written, rec.Count
	l.mu.Unlock()
	return nil
}

// Held reports whether the partition is still this owner's beyond doubt: until
// half of the lease's time since the last renewal, on the monotonic clock. It may
// turn true again when a late renewal proves that nobody came in between.
func (l *Lease) Held() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.renewed.IsZero() && time.Since(l.renewed) < l.time/2
}

// Run renews the lease until ctx ends; it does not release it then, because the
// owner may still have requests under way. fault.Conflict: another owner has it
// now. While the log is away it goes on trying, and Held turns false.
func (l *Lease) Run(ctx context.Context) error {
	tick := time.NewTicker(l.pace())
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.store.open.Done():
			return errStoreClosed
		case <-tick.C:
		}
		if err := l.renew(ctx); err != nil && ctx.Err() == nil {
			if fault.KindOf(err) == fault.Conflict {
				l.Abandon()
				return fmt.Errorf("renew the lease of partition %d: %w", l.part, err)
			}
			l.store.log.WarnContext(ctx, "lease not renewed", "partition", l.part, "error", err)
		}
	}
}

// pace is how long it is between two renewals, and how long one may take.
func (l *Lease) pace() time.Duration { return min(l.time/renewals, longest) }

func (l *Lease) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.pace())
	defer cancel()
	l.mu.Lock()
	revision, next := l.revision, leaseRecord{Version: 1, Epoch: l.Epoch, Owner: l.store.owner, Count: l.count + 1}
	released := l.renewed.IsZero()
	l.mu.Unlock()
	if released {
		return fault.New(fault.Conflict, "The lease was given up.")
	}
	begun := time.Now()
	err := l.write(ctx, next, revision)
	if err != nil && fault.KindOf(err) == fault.Conflict {
		// It may be one's own renewal, whose answer was lost.
		held, at, readErr := l.read(ctx)
		if readErr != nil {
			return readErr
		}
		if at < revision {
			return fault.New(fault.Unavailable, "The server that answered lags behind.")
		}
		if held.Owner != next.Owner || held.Epoch != next.Epoch {
			return fault.New(fault.Conflict, "Another process owns the partition now.")
		}
		next.Count = held.Count + 1
		begun = time.Now()
		if err = l.write(ctx, next, at); err != nil && fault.KindOf(err) == fault.Conflict {
			// What was read may be an older state; only another's name means lost.
			return fault.New(fault.Unavailable, "The lease changes while it is renewed.")
		}
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.renewed.IsZero() {
		l.renewed = begun
	}
	return nil
}

// Release gives the lease up, so that the next owner need not wait. Held is false
// from its begin. Call it after Run returned and nothing is under way any more.
func (l *Lease) Release(ctx context.Context) error {
	l.mu.Lock()
	revision, rec := l.revision, leaseRecord{Version: 1, Epoch: l.Epoch, Count: l.count}
	held := !l.renewed.IsZero()
	l.renewed = time.Time{}
	l.mu.Unlock()
	if !held {
		return nil
	}
	err := l.write(ctx, rec, revision)
	l.Abandon()
	if err != nil && fault.KindOf(err) != fault.Conflict { // Conflict: it is another's already
		return fmt.Errorf("release the lease of partition %d: %w", l.part, err)
	}
	return nil
}
