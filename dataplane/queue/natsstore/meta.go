package natsstore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"weir/dataplane/queue"
	"weir/dataplane/queue/natsstore/names"
	"weir/dataplane/queue/natsstore/refusal"
	"weir/dataplane/queue/natsstore/relay"
	"weir/dataplane/queue/natsstore/table"
	"weir/shared/fault"
)

// defaultPartitions is for one node: each partition is a stream that syncs to the same disk.
const defaultPartitions = 2

// newOwner returns a name that no other Store has.
func newOwner() string { return rand.Text() }

// slotTable is Slots as META keeps it.
type slotTable struct {
	Version    int    `json:"version"` // 1
	Epoch      uint64 `json:"epoch"`
	Partitions int    `json:"partitions"`
	Slots      []int  `json:"slots"`
}

// openMeta makes the META bucket and the slot table where they are missing, and refuses a table that this configuration does not fit.
func (s *Store) openMeta(ctx context.Context) error {
	ctx, cancel := making(ctx)
	defer cancel()
	var err error
	ensure := s.js.CreateOrUpdateKeyValue
	if s.group != nil {
		ensure = s.group.EnsureBucket
	}
	s.meta, err = ensure(ctx, jetstream.KeyValueConfig{Bucket: names.Meta, Storage: jetstream.FileStorage, Replicas: 1})
	if err != nil {
		return fmt.Errorf("open bucket %s: %w", names.Meta, refusal.Of(err))
	}
	entry, err := s.meta.Get(ctx, names.Slots)
	for errors.Is(err, nats.ErrNoResponders) && ctx.Err() == nil && s.pause(50*time.Millisecond) { // servers elect who answers for it
		entry, err = s.meta.Get(ctx, names.Slots)
	}
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return s.makeSlots(ctx)
	}
	if err != nil {
		return fmt.Errorf("read the slot table: %w", refusal.Of(err))
	}
	return s.readSlots(entry.Value())
}

// Table returns the documents in META below prefix, one word that nothing else uses.
func (s *Store) Table(prefix string) *table.Table {
	return table.New(s.meta, prefix, func(ctx context.Context) (context.Context, context.CancelFunc) {
		return s.call(ctx, s.writable())
	})
}

// Relay returns the way to the process of the plane that answers for a subject, one word.
func (s *Store) Relay(subject string) *relay.Relay { return relay.New(s.nc, subject) }

func (s *Store) makeSlots(ctx context.Context) error {
	n := s.cfg.Partitions
	if n == 0 {
		n = defaultPartitions
	}
	slots, err := queue.EvenSlots(n)
	if err != nil {
		return err
	}
	table := slotTable{Version: 1, Epoch: slots.Epoch, Partitions: slots.Partitions}
	for _, p := range slots.Of {
		table.Slots = append(table.Slots, int(p))
	}
	value, err := json.Marshal(table)
	if err != nil {
		return fmt.Errorf("encode the slot table: %w", err)
	}
	_, err = s.meta.Create(ctx, names.Slots, value)
	if errors.Is(err, jetstream.ErrKeyExists) { // another process of the plane was faster
		entry, err := s.meta.Get(ctx, names.Slots)
		if err != nil {
			return fmt.Errorf("read the slot table: %w", refusal.Of(err))
		}
		return s.readSlots(entry.Value())
	}
	if err != nil {
		return fmt.Errorf("write the slot table: %w", refusal.Of(err))
	}
	s.slots = slots
	return nil
}

func (s *Store) readSlots(value []byte) error {
	var table slotTable
	if err := json.Unmarshal(value, &table); err != nil {
		return fault.New(fault.Internal, "The slot table is damaged: %v.", err)
	}
	if table.Version != 1 {
		return fault.New(fault.Invalid, "The event log was written by a newer release: its slot table has version %d.", table.Version)
	}
	if len(table.Slots) != len(s.slots.Of) || table.Partitions < 1 || table.Partitions > queue.MaxPartitions || table.Epoch == 0 {
		return fault.New(fault.Internal, "The slot table is damaged: its sizes are out of range.")
	}
	if want := s.cfg.Partitions; want != 0 && want != table.Partitions {
		return fault.New(fault.Invalid, "The event log has %d partitions and cannot be changed to %d: configure %d, or start on an empty data directory.", table.Partitions, want, table.Partitions)
	}
	s.slots = queue.Slots{Epoch: table.Epoch, Partitions: table.Partitions}
	for i, p := range table.Slots {
		if p < 0 || p >= table.Partitions {
			return fault.New(fault.Internal, "The slot table is damaged: slot %d has no partition.", i)
		}
		s.slots.Of[i] = uint8(p)
	}
	return nil
}
