// Package reading reads from the STAGE logs what one load has of them, in the same
// order each time, and finds an event of it by its number.
package reading

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sort"

	"weir/dataplane/event"
	"weir/dataplane/queue"
	"weir/shared/id"
)

// Log is one partition's STAGE.
type Log interface {
	ReadTo(ctx context.Context, from uint64, key string) iter.Seq2[queue.Record, error]
	State(ctx context.Context) (queue.State, error)
}

// Ends returns, by partition, the first record that the logs have of a key from records on, 0
// for none, and where what they have ends now; first is nil when they have none at all.
func Ends(ctx context.Context, logs []Log, key string, from []uint64) (first, to []uint64, err error) {
	to = slices.Clone(from)
	for p, log := range logs {
		st, err := log.State(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("read the state of STAGE: %w", err)
		}
		if st.Last < from[p] || st.Records == 0 {
			continue
		}
		at, err := First(ctx, log, from[p], key)
		if err != nil {
			return nil, nil, err
		}
		if at > 0 {
			if first == nil {
				first = make([]uint64, len(logs))
			}
			first[p], to[p] = at, st.Last+1
		}
	}
	return first, to, nil
}

// First returns the first record of a key from a number on, 0 for none.
func First(ctx context.Context, log Log, from uint64, key string) (uint64, error) {
	for r, err := range log.ReadTo(ctx, from, key) {
		if err != nil {
			return 0, fmt.Errorf("read STAGE: %w", err)
		}
		return r.Seq, nil
	}
	return 0, nil
}

// Whole reports whether the logs have all that they had of a load when first, by partition,
// were its first records: what leaves them is always the oldest.
func (l *Load) Whole(ctx context.Context, first []uint64) (bool, error) {
	for p, at := range first {
		if at == 0 {
			continue
		}
		now, err := First(ctx, l.Logs[p], l.From[p], l.Key)
		if err != nil || now != at {
			return false, err
		}
	}
	return true, nil
}

// Load is what a load has of the logs: by partition, the records of Key from From up
// to To, without To. Each looks at To before each record.
type Load struct {
	Logs     []Log
	Key      string
	From, To []uint64
}

// Each reads the records in order; when do says that there is enough, it goes on with
// the next partition. Of a record that cannot be read frame is nil.
func (l *Load) Each(ctx context.Context, do func(p int, r queue.Record, frame *queue.Frame) (more bool, err error)) error {
	for p := range l.Logs {
		err := l.Partition(ctx, p, func(r queue.Record, frame *queue.Frame) (bool, error) { return do(p, r, frame) })
		if err != nil {
			return err
		}
	}
	return nil
}

// Partition is Each for one partition.
func (l *Load) Partition(ctx context.Context, p int, do func(r queue.Record, frame *queue.Frame) (more bool, err error)) error {
	if l.To[p] <= l.From[p] {
		return nil
	}
	for r, err := range l.Logs[p].ReadTo(ctx, l.From[p], l.Key) {
		if err != nil {
			return fmt.Errorf("read STAGE: %w", err)
		}
		if r.Seq >= l.To[p] {
			return nil
		}
		var frame *queue.Frame
		if f, err := decode(r); err == nil {
			frame = &f
		}
		if more, err := do(r, frame); err != nil || !more {
			return err
		}
	}
	return nil
}

// eventBits is how many events of one load a partition can have, as a power of two.
const eventBits = 32

// Number is the number in a load of the nth event of a partition, from 1: partitions are
// read beside each other.
func Number(p int, n int64) int64 { return int64(p)<<eventBits + n }

// Events reads the events in order, about most at a time, each time those of one
// partition. What cannot be read it leaves out.
func (l *Load) Events(ctx context.Context, most int, do func(p int, events []event.Event) error) error {
	of, some := 0, []event.Event(nil)
	flush := func() error {
		all := some
		if some = nil; len(all) == 0 {
			return nil
		}
		return do(of, all)
	}
	err := l.Each(ctx, func(p int, _ queue.Record, frame *queue.Frame) (bool, error) {
		if p != of || len(some) >= most {
			if err := flush(); err != nil {
				return false, err
			}
		}
		if of = p; frame != nil {
			some = append(some, frame.Events...)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// decode reads a record. Deliveries of which it has no name, as those that a version
// before staged, are named by their place.
func decode(r queue.Record) (queue.Frame, error) {
	f, err := queue.DecodeFrame(r.Data)
	for i := range f.Events {
		if e := &f.Events[i]; e.Delivery == "" {
			e.Delivery = fmt.Sprintf("-%d.%d", r.Seq, i)
		}
	}
	return f, err
}

// Index is where the events of a Load lie.
type Index []record

// record has the events from the number first on.
type record struct {
	first int64
	p     int
	seq   uint64
}

// Index finds where the events lie, by their Numbers.
func (l *Load) Index(ctx context.Context) (all Index, err error) {
	first := int64(1)
	err = l.Each(ctx, func(p int, r queue.Record, frame *queue.Frame) (bool, error) {
		first = max(first, Number(p, 1))
		if frame != nil {
			all = append(all, record{first, p, r.Seq})
			first += int64(len(frame.Events))
		}
		return true, nil
	})
	return all, err
}

// Take reads, of events by their numbers in order, those that lie in one record with
// the first of them, and returns their partition and the numbers of the rest.
func (l *Load) Take(ctx context.Context, index Index, events []int64) (p int, taken []event.Event, rest []int64, err error) {
	after := sort.Search(len(index), func(i int) bool { return index[i].first > events[0] })
	if after == 0 {
		return 0, nil, nil, fmt.Errorf("event %d is not in STAGE", events[0])
	}
	at := index[after-1]
	for r, err := range l.Logs[at.p].ReadTo(ctx, at.seq, l.Key) {
		if err != nil {
			return 0, nil, nil, fmt.Errorf("read STAGE: %w", err)
		}
		frame, err := decode(r)
		if err != nil || r.Seq != at.seq {
			break
		}
		end := at.first + int64(len(frame.Events))
		for len(events) > 0 && events[0] < end {
			taken, events = append(taken, frame.Events[events[0]-at.first]), events[1:]
		}
		if len(taken) == 0 {
			break
		}
		return at.p, taken, events, nil
	}
	return 0, nil, nil, fmt.Errorf("record %d of STAGE is not there any more", at.seq)
}

// Workspace returns whose the key is, by the first record that the logs have of it; empty
// when they have none.
func (l *Load) Workspace(ctx context.Context) (id.Workspace, error) {
	for _, s := range l.Logs {
		for r, err := range s.ReadTo(ctx, 0, l.Key) {
			if err != nil {
				return "", fmt.Errorf("read STAGE: %w", err)
			}
			if f, err := queue.DecodeFrame(r.Data); err == nil && len(f.Events) > 0 {
				return f.Events[0].Workspace, nil
			}
		}
	}
	return "", nil
}
