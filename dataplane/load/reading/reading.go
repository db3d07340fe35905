// Package reading reads from the STAGE logs what one load has of them, in the same
// order each time, and finds an event of it by its number.
package reading

import (
	"context"
	"fmt"
	"iter"
	"sort"

	"weir/dataplane/event"
	"weir/dataplane/queue"
)

// Log is one partition's STAGE.
type Log interface {
	ReadTo(ctx context.Context, from uint64, key string) iter.Seq2[queue.Record, error]
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
	for p, log := range l.Logs {
		if l.To[p] <= l.From[p] {
			continue
		}
		for r, err := range log.ReadTo(ctx, l.From[p], l.Key) {
			if err != nil {
				return fmt.Errorf("read STAGE: %w", err)
			}
			if r.Seq >= l.To[p] {
				break
			}
			var frame *queue.Frame
			if f, err := queue.DecodeFrame(r.Data); err == nil {
				frame = &f
			}
			if more, err := do(p, r, frame); err != nil {
				return err
			} else if !more {
				break
			}
		}
	}
	return nil
}

// Index is where the events of a Load lie.
type Index []record

// record has the events from the number first on.
type record struct {
	first int64
	p     int
	seq   uint64
}

// Index finds where the events lie; the first one has the number 1.
func (l *Load) Index(ctx context.Context) (all Index, err error) {
	first := int64(1)
	err = l.Each(ctx, func(p int, r queue.Record, frame *queue.Frame) (bool, error) {
		if frame != nil {
			all = append(all, record{first, p, r.Seq})
			first += int64(len(frame.Events))
		}
		return true, nil
	})
	return all, err
}

// Take reads, of events by their numbers in order, those that lie in one record with
// the first of them, and returns the numbers of the rest.
func (l *Load) Take(ctx context.Context, index Index, events []int64) (taken []event.Event, rest []int64, err error) {
	after := sort.Search(len(index), func(i int) bool { return index[i].first > events[0] })
	if after == 0 {
		return nil, nil, fmt.Errorf("event %d is not in STAGE", events[0])
	}
	at := index[after-1]
	for r, err := range l.Logs[at.p].ReadTo(ctx, at.seq, l.Key) {
		if err != nil {
			return nil, nil, fmt.Errorf("read STAGE: %w", err)
		}
		frame, err := queue.DecodeFrame(r.Data)
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
		return taken, events, nil
	}
	return nil, nil, fmt.Errorf("record %d of STAGE is not there any more", at.seq)
}
