package destinationtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destination/cases"
	"weir/dataplane/event"
	"weir/shared/id"
)

// sinkTimeout is how long one call of a sink may take, by the clock on the wall.
const sinkTimeout = time.Minute

// Sink is a sink before a fake of its other side, for CheckSink.
type Sink struct {
	Opened destination.Opened
	Deps   destination.Deps
	// Taken returns the messages that the other side has, in the order in which they came.
	Taken func() []id.Event
	// Break makes the other side refuse all, or take again.
	Break func(broken bool)
}

// CheckSink holds a sink to the contract with generated batches: each item gets one
// verdict with a declared code; what is said to be delivered is there, in the order of
// its batch, and nothing else is, also after a context that ended; nothing is delivered
// to a side that is broken, and the same batch is taken later; no event is changed; and
// writes may go side by side.
func CheckSink(t *testing.T, s Sink) {
	t.Helper()
	for _, problem := range s.problems(t.Context()) {
		t.Error(problem)
	}
}

// problems returns what is wrong with the sink.
func (s Sink) problems(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, sinkTimeout)
	defer cancel()
	if l := s.Opened.Limits; l.Concurrency < 1 || l.Timeout <= 0 || l.BatchSize < 1 || s.Opened.HTTP != nil || s.Opened.Sink == nil {
		return []string{fmt.Sprintf("limits are not complete, or it is no sink: %+v", s.Opened)}
	}
	sink, err := s.Opened.Sink(ctx, s.Deps)
	if err != nil {
		return []string{fmt.Sprintf("it does not open: %v", err)}
	}
	c := &sinkCheck{Sink: s, sink: sink}
	ended, end := context.WithCancel(ctx)
	end()
	for seed := range uint64(20) {
		events := generate(seed, s.Opened.Limits.BatchSize)
		for first := range slices.Chunk(events, s.Opened.Limits.BatchSize) {
			s.Break(true)
			c.write(ctx, fmt.Sprintf("seed %d, a broken side", seed), first, refused)
			s.Break(false)
			c.write(ended, fmt.Sprintf("seed %d, a context that ended", seed), first, either)
			c.write(ctx, fmt.Sprintf("seed %d", seed), first, answered)
		}
	}
	c.together(ctx)
	if err := sink.Close(); err != nil {
		c.add("Close: %v", err)
	}
	return c.found
}

// sinkCheck is the check of one open sink.
type sinkCheck struct {
	Sink
	mistakes
	sink destination.Sink
}

// expectation is what a write may come to.
type expectation uint8

const (
	answered expectation = iota // every item ends, or is to be tried again
	refused                     // nothing is delivered
	either                      // any of the two
)

// write writes one batch alone and compares what is there afterwards.
func (c *sinkCheck) write(ctx context.Context, name string, events []event.Event, want expectation) {
	before := len(c.Taken())
	delivered, err := c.verdicts(ctx, name, events)
	if err != nil && want == answered {
		c.add("%s: Write: %v", name, err)
	}
	if len(delivered) > 0 && want == refused {
		c.add("%s: %d of %d are delivered", name, len(delivered), len(events))
	}
	if came := c.Taken()[before:]; err == nil && !slices.Equal(came, delivered) {
		c.add("%s: %q came, and %q were said to be delivered", name, came, delivered)
	}
}

// nameOf is a name that equal batches have.
func nameOf(events []event.Event) string {
	sum := sha256.New()
	for _, e := range events {
		fmt.Fprintf(sum, "%d %s", len(e.JSON), e.JSON)
	}
	return fmt.Sprintf("kit-%x", sum.Sum(nil)[:8])
}

// verdicts writes a batch and returns the messages that are delivered.
func (c *sinkCheck) verdicts(ctx context.Context, name string, events []event.Event) ([]id.Event, error) {
	given := make([]event.Event, len(events))
	for i, e := range events {
		e.JSON = slices.Clone(e.JSON)
		given[i] = e
	}
	b := cases.Batch(given)
	b.Name = nameOf(given)
	verdicts, err := c.sink.Write(ctx, b)
	for i := range given {
		if string(given[i].JSON) != string(events[i].JSON) {
			c.add("%s: the sink changed event %d", name, i)
		}
	}
	if err != nil {
		return nil, err
	}
	fate := make([]destination.Outcome, len(events))
	for _, v := range verdicts {
		if v.Item < 0 || v.Item >= len(fate) || fate[v.Item] != 0 {
			c.add("%s: item %d of %d has a second verdict, or is none", name, v.Item, len(events))
			return nil, errors.New("the verdicts are no use")
		}
		fate[v.Item] = v.Outcome
		if why := badVerdict(v); why != "" {
			c.once(why, "%s: %s", name, why)
		}
	}
	var delivered []id.Event
	for i, f := range fate {
		switch f {
		case 0:
			c.add("%s: item %d of %d has no verdict", name, i, len(events))
		case destination.Delivered:
			delivered = append(delivered, events[i].MessageID)
		}
	}
	return delivered, nil
}

// together writes several batches at once: each delivery arrives once.
func (c *sinkCheck) together(ctx context.Context) {
	before := len(c.Taken())
	var all []id.Event
	var mu sync.Mutex
	var writes sync.WaitGroup
	for seed := range uint64(4) {
		events := generate(100+seed, c.Opened.Limits.BatchSize)
		for part := range slices.Chunk(events, c.Opened.Limits.BatchSize) {
			writes.Go(func() {
				delivered, err := c.verdicts(ctx, "beside others", part)
				if err != nil {
					c.add("beside others: Write: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, delivered...)
			})
		}
	}
	writes.Wait()
	came := slices.Sorted(slices.Values(c.Taken()[before:]))
	slices.Sort(all)
	if !slices.Equal(came, all) {
		c.add("beside others: %d came, and %d were said to be delivered", len(came), len(all))
	}
}
