// Package batches writes what one load has of STAGE to a destination that takes events
// as they are, such as files of an object store.
//
// It guarantees that an attempt after a crash or an error makes the same batches, with the
// same names, so that a destination can replace what an attempt before wrote; and that its
// memory is that of one batch.
package batches

import (
	"context"
	"fmt"
	"slices"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/load/reading"
	"weir/dataplane/queue"
)

// Writer is a destination that takes batches.
type Writer interface {
	// MostBytes is how many bytes of events a batch has; one event may have more.
	MostBytes() int64
	// WriteBatch writes a batch and returns the events that it refuses, with Quarantine
	// and Detail set. The batch of a name is the same in each attempt. After an error
	// nothing is known of it. Events must not be kept.
	WriteBatch(ctx context.Context, name string, at time.Time, events []event.Event) (refused []event.Event, err error)
}

// Load is one load. All fields are required.
type Load struct {
	Reading *reading.Load
	Name    string    // of the load; names of batches begin with it
	At      time.Time // when it was made
	Most    int       // events of the load, about; a record is not divided
	Step    func(ctx context.Context, rows int64, do func(context.Context) error) error
	Damaged func(ctx context.Context, partition int, r queue.Record) // is told of a record that cannot be read
	Refused func(ctx context.Context, partition int, events []event.Event) error
	Note    func(next int64) error // batches before next are written
}

// Bound lets the load end where it has enough, which has to be kept before anything is
// written. full: there is more.
func (l *Load) Bound(ctx context.Context) (full bool, err error) {
	count := 0
	err = l.Reading.Each(ctx, func(p int, r queue.Record, frame *queue.Frame) (bool, error) {
		if count >= l.Most {
			full = true
			l.Reading.To[p] = r.Seq
			return false, nil
		}
		if frame != nil {
			count += len(frame.Events)
		}
		return true, nil
	})
	return full, err
}

// Result is what a load came to.
type Result struct {
	Events  int64          // that were written by any attempt
	Refused map[string]int // events that were not, by code
}

// DamagedRecord counts, among the refused, records of STAGE that cannot be read.
const DamagedRecord = "damaged_record"

// Write writes the batches from the number next on, which begin with 1.
func (l *Load) Write(ctx context.Context, w Writer, next int64) (Result, error) {
	c := cutting{Load: l, to: w, next: next, result: Result{Refused: map[string]int{}}}
	err := l.Reading.Each(ctx, func(p int, r queue.Record, frame *queue.Frame) (bool, error) {
		if frame == nil {
			l.Damaged(ctx, p, r)
			c.result.Refused[DamagedRecord]++
			return true, nil
		}
		for _, e := range frame.Events {
			if err := c.add(ctx, p, e); err != nil {
				return false, err
			}
		}
		return true, nil
	})
	if err == nil {
		err = c.flush(ctx)
	}
	return c.result, err
}

// cutting divides a load into batches.
type cutting struct {
	*Load
	to     Writer
	next   int64 // the first batch that is not written
	number int64 // of the last batch that was full
	events []event.Event
	of     []int // their partitions
	bytes  int64
	result Result
}

func (c *cutting) add(ctx context.Context, partition int, e event.Event) error {
	size := int64(len(e.JSON))
	if len(c.events) > 0 && c.bytes+size > c.to.MostBytes() {
		if err := c.flush(ctx); err != nil {
			return err
		}
	}
	c.events, c.of, c.bytes = append(c.events, e), append(c.of, partition), c.bytes+size
	return nil
}

// flush writes the batch, unless an attempt before did.
func (c *cutting) flush(ctx context.Context) error {
	events, of := c.events, c.of
	c.events, c.of, c.bytes = c.events[:0], c.of[:0], 0
	if len(events) == 0 {
		return nil
	}
	defer clear(events)
	c.number++
	c.result.Events += int64(len(events))
	if c.number < c.next {
		return nil
	}
	var refused []event.Event
	err := c.Step(ctx, int64(len(events)), func(ctx context.Context) (err error) {
		refused, err = c.to.WriteBatch(ctx, fmt.Sprintf("%s-%06d", c.Name, c.number), c.At, events)
		return err
	})
	if err != nil {
		return err
	}
	if err := c.refuse(ctx, events, of, refused); err != nil {
		return fmt.Errorf("keep refused events: %w", err)
	}
	return c.Note(c.number + 1)
}

// refuse counts what a destination refuses of events, and tells Refused of it by
// partition.
func (c *cutting) refuse(ctx context.Context, events []event.Event, of []int, refused []event.Event) error {
	parts := map[int][]event.Event{}
	for _, e := range refused {
		c.result.Refused[e.Quarantine]++
		c.result.Events--
		if i := slices.IndexFunc(events, func(x event.Event) bool {
			return x.Delivery == e.Delivery && x.MessageID == e.MessageID && x.User == e.User
		}); i >= 0 {
			parts[of[i]] = append(parts[of[i]], e)
		}
	}
	for p, some := range parts {
		if err := c.Refused(ctx, p, some); err != nil {
			return err
		}
	}
	return nil
}
