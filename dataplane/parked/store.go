// Package parked keeps deliveries that cannot be made now (PARKED) and those that
// their destination will never take by itself (DEAD) in a partition's two logs:
// the format of the records, their only writer, what people do with dead letters,
// and when records may be removed.
//
// It guarantees that a settlement is true on disk before it is reported; that one
// delivery is in one place, also when the process dies while a dead letter is
// redriven or discarded; and that no record leaves a log before the journal has
// what it proves. What is written waits in bounded memory, gathered into few
// records. A record that cannot be read is kept aside and hinders no other.
//
// It does not send anything and does not know when a delivery is due: that is the
// part of the destination's Lane.
package parked

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"weir/dataplane/delivery"
	"weir/dataplane/parked/record"
	"weir/dataplane/queue"
	"weir/shared/fault"
	"weir/shared/id"
)

// Item is one delivery in a record.
type Item = record.Item

// Record is one record of PARKED or DEAD.
type Record = record.Record

// Entry is a delivery that waits to be written.
type Entry interface {
	// Item is called when its record is written.
	Item() Item
	// Size is what it costs in memory, in bytes; it does not change.
	Size() int64
}

// Lane is what the store asks of a destination's deliveries.
type Lane interface {
	Destination() id.Destination
	// Claim is called right before entries are written to PARKED and returns those
	// that still have to be, in their order: the others were settled meanwhile.
	Claim(entries []Entry) []Entry
	// Parked says that claimed entries are in PARKED, as the items of the record seq,
	// and were reported.
	Parked(ctx context.Context, entries []Entry, seq uint64)
	// Buried says that entries are in DEAD and were reported.
	Buried(entries []Entry)
	// Redrive takes dead letters, which it parks.
	Redrive(items []Item)
	// Drop settles parked deliveries, by their places, as dropped for a reason, and returns how
	// many, and how many it cannot because a request for them is under way.
	Drop(all []delivery.Delivery, at []delivery.Place, code string) (dropped, busy int)
	// Settled returns the number up to which every record of PARKED is settled, and
	// the places behind it that are.
	Settled() (floor uint64, places map[delivery.Place]struct{})
}

// Log is a log of which each destination has a share; *overflow.Log is one. What is
// appended is never refused because of shares.
type Log interface {
	queue.Log
	// Takes reports whether so many bytes of a destination are within its share.
	Takes(key string, bytes int64) bool
}

// Config is what a Store works with. All fields are required.
type Config struct {
	// Parked and Dead are the partition's logs. The store must be their only
	// writer; a write of anybody else ends Run with fault.Conflict.
	Parked, Dead Log
	// Lane returns the lane of a destination.
	Lane func(id.Destination) Lane
	// Settle and Drained report, see deliver.Config.
	Settle  func([]delivery.Settled)
	Drained func(d id.Destination, floor uint64)
	Backlog int64 // bytes that wait to be written, of each log, before Room waits
	Log     *slog.Logger
}

// Store is PARKED and DEAD of a partition. All methods are safe for concurrent use.
type Store struct {
	cfg          Config
	parked, dead *writer
	moving       *semaphore.Weighted // held while dead letters are moved or swept: one at a time
	asking       sync.Mutex          // held while a floor is reported again
	recovered    atomic.Bool
	ended        chan struct{} // closed when Run returned

	mu          sync.Mutex
	deadThrough uint64        // the journal has what DEAD proves up to here
	rose        chan struct{} // closed and replaced when deadThrough rises
	drained     map[id.Destination]*drained
	purges      map[id.Destination]struct{} // of PARKED, due
	sweeps      map[id.Destination]struct{} // of DEAD, due after the next confirmation
	purge       chan struct{}               // purges is not empty
	redriven    chan struct{}               // a token for each delivery of the redrive under way that is in PARKED
}

// New checks the configuration. Nothing is read or written before Recover and Run.
func New(cfg Config) (*Store, error) {
	var errs []error
	for name, missing := range map[string]bool{
		"Parked": cfg.Parked == nil, "Dead": cfg.Dead == nil, "Lane": cfg.Lane == nil, "Settle": cfg.Settle == nil, "Drained": cfg.Drained == nil,
		"Backlog": cfg.Backlog <= 0, "Log": cfg.Log == nil,
	} {
		if missing {
			errs = append(errs, fault.New(fault.Internal, "parked.Config.%s is required", name))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	s := &Store{
		cfg: cfg, moving: semaphore.NewWeighted(1), ended: make(chan struct{}), rose: make(chan struct{}), purge: make(chan struct{}, 1),
		drained: map[id.Destination]*drained{}, purges: map[id.Destination]struct{}{}, sweeps: map[id.Destination]struct{}{},
	}
	instance := rand.Uint64()
	s.parked = newWriter(record.Parked, "PARKED", cfg.Parked, cfg.Backlog, instance, cfg.Log)
	s.dead = newWriter(record.Dead, "DEAD", cfg.Dead, cfg.Backlog, instance, cfg.Log)
	s.parked.pace = parkPace
	s.parked.claim, s.parked.done = Lane.Claim, s.parkedDone
	s.dead.claim, s.dead.done = func(_ Lane, es []Entry) []Entry { return es }, s.deadDone
	return s, nil
}

// Recover takes over from an earlier owner, whose journal had what the two logs
// prove up to the given numbers: it ends redrives that were cut off. It returns
// the number of the newest record of PARKED, and the destinations of those behind
// parkedThrough. Call it once, after Missed and before anything else.
func (s *Store) Recover(ctx context.Context, parkedThrough, deadThrough uint64) (last uint64, found map[id.Destination]struct{}, err error) {
	s.mu.Lock()
	s.deadThrough = deadThrough
	s.mu.Unlock()
	parked, err := s.cfg.Parked.State(ctx)
	if err != nil {
		return 0, nil, fmt.Errorf("state of PARKED: %w", err)
	}
	dead, err := s.cfg.Dead.State(ctx)
	if err != nil {
		return 0, nil, fmt.Errorf("state of DEAD: %w", err)
	}
	s.parked.last, s.dead.last = parked.Last, dead.Last
	s.dead.reported.Store(dead.Last)
	found = map[id.Destination]struct{}{}
	for rec, err := range s.cfg.Parked.ReadTo(ctx, parkedThrough+1, "") {
		if err != nil {
			return 0, nil, fmt.Errorf("read PARKED from %d: %w", parkedThrough+1, err)
		}
		dest := id.Destination(rec.Key)
		found[dest] = struct{}{}
		r, err := record.Decode(rec)
		if err != nil {
			continue // whoever drains it keeps it and says so
		}
		if err := s.leftDead(ctx, dest, r.Items); err != nil {
			return 0, nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return 0, nil, err
	}
	s.recovered.Store(true)
	return parked.Last, found, nil
}

// leftDead writes to DEAD which of items left it for PARKED.
func (s *Store) leftDead(ctx context.Context, dest id.Destination, items []Item) error {
	r := record.Record{Kind: record.Gone}
	for i := range items {
		if items[i].Stage == delivery.FromDead {
			r.Items = append(r.Items, items[i].Left(items[i].From))
		}
	}
	if len(r.Items) == 0 {
		return nil
	}
	return s.dead.write(ctx, dest, &r, func(uint64) {})
}

// Run writes until ctx ends. fault.Conflict: another owner writes the logs.
func (s *Store) Run(ctx context.Context) error {
	defer close(s.ended)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.parked.run(ctx) })
	g.Go(func() error { return s.dead.run(ctx) })
	g.Go(func() error { s.purgeAll(ctx); return nil })
	return g.Wait()
}

// Close says that Run will soon be ended: nobody waits for room any more.
func (s *Store) Close() {
	s.parked.close()
	s.dead.close()
}

// Park has entries written to PARKED, in this order among those of the lane. It
// never blocks: callers ask Full or Room first where they can wait.
func (s *Store) Park(ln Lane, entries ...Entry) { s.parked.push(ln, entries...) }

// Bury is Park for DEAD; its callers ask RoomDead where they can wait.
func (s *Store) Bury(ln Lane, entries ...Entry) { s.dead.push(ln, entries...) }

// Full reports whether more should not be parked now: PARKED's writer does not keep up.
func (s *Store) Full() bool { return s.parked.full() }

// Room waits until more can be parked. The error is ctx's, or fault.Unavailable after Close.
func (s *Store) Room(ctx context.Context) error { return s.parked.room(ctx) }

// RoomDead is Room for Bury.
func (s *Store) RoomDead(ctx context.Context) error { return s.dead.room(ctx) }

// TakesDead reports whether DEAD should take so many bytes of a destination now. Lanes
// leave what it should not where it is.
func (s *Store) TakesDead(d id.Destination, bytes int64) bool {
	return s.cfg.Dead.Takes(string(d), s.dead.queued()+bytes)
}

// Queued returns how many bytes wait to be written, of the log with more of them.
func (s *Store) Queued() int64 { return max(s.parked.queued(), s.dead.queued()) }

// parkedDone reports entries that are in PARKED now.
func (s *Store) parkedDone(ctx context.Context, ln Lane, entries []Entry, items []Item, seq uint64) {
	if s.leftDead(ctx, ln.Destination(), items) != nil {
		return // Run ends; Recover does it again
	}
	settled, redriven := make([]delivery.Settled, len(items)), 0
	for i := range items {
		it := &items[i]
		settled[i] = it.Settled(delivery.EndParked, delivery.Place{Seq: seq, Item: uint32(i)})
		if it.Stage == delivery.FromDead {
			redriven++
		}
	}
	s.cfg.Settle(settled)
	ln.Parked(ctx, entries, seq)
	s.mu.Lock()
	done := s.redriven
	s.mu.Unlock()
	for range redriven {
		select {
		case done <- struct{}{}: // it has room for all of its redrive
		default: // no redrive waits
		}
	}
}

// deadDone reports entries that are in DEAD now.
func (s *Store) deadDone(_ context.Context, ln Lane, entries []Entry, items []Item, seq uint64) {
	settled := make([]delivery.Settled, len(items))
	for i := range items {
		settled[i] = items[i].Settled(delivery.EndDead, delivery.Place{Seq: seq, Item: uint32(i)})
	}
	s.cfg.Settle(settled)
	ln.Buried(entries)
}

// Read yields the records of PARKED of a destination from one number to another.
// One that cannot be read is copied to DEAD, where it is kept for a person, and
// yielded without items.
func (s *Store) Read(ctx context.Context, dest id.Destination, from, to uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for rec, err := range s.cfg.Parked.ReadTo(ctx, from, string(dest)) {
			if err != nil {
				yield(Record{}, fmt.Errorf("read parked deliveries of %s: %w", dest, err))
				return
			}
			if rec.Seq > to {
				return
			}
			r, err := record.Decode(rec)
			if err != nil {
				if err := s.keepDamaged(ctx, rec); err != nil {
					yield(Record{}, err)
					return
				}
			}
			if !yield(Record{Seq: rec.Seq, At: rec.At, Items: r.Items}, nil) {
				return
			}
		}
	}
}

// keepDamaged copies a record that cannot be read to DEAD and raises the alarm.
func (s *Store) keepDamaged(ctx context.Context, rec queue.Record) error {
	s.cfg.Log.ErrorContext(ctx, "parked record damaged; kept in DEAD", "destination", rec.Key, "seq", rec.Seq)
	return s.dead.write(ctx, id.Destination(rec.Key), &record.Record{Kind: record.Damaged, Damaged: rec.Data}, func(uint64) {})
}

// serving is fault.Unavailable before Recover and after Run.
func (s *Store) serving() error {
	select {
	case <-s.ended:
	default:
		if s.recovered.Load() {
			return nil
		}
	}
	return fault.New(fault.Unavailable, "The partition does not run here at the moment.")
}
