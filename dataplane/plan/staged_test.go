package plan_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"weir/dataplane/destination"
	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/event"
	"weir/dataplane/plan"
	"weir/shared/id"
)

// log is a STAGE log in memory.
type log struct {
	mu     sync.Mutex
	broken bool
	taken  []id.Event
}

func (l *log) stage(ctx context.Context, _ id.Destination, events []event.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken {
		return errors.New("the disk is full")
	}
	for _, e := range events {
		l.taken = append(l.taken, e.MessageID)
	}
	return ctx.Err()
}

func TestWarehousesTakeEventsAsSinksDo(t *testing.T) {
	t.Parallel()
	l := &log{}
	refuses := func(e event.Event) string {
		if e.Type == "odd" || e.Type == "" {
			return "unsupported_event"
		}
		return ""
	}
	destinationtest.CheckSink(t, destinationtest.Sink{
		Opened: plan.Staged("dst_warehouse", refuses), Deps: destination.Deps{Stage: l.stage},
		Taken: func() []id.Event { l.mu.Lock(); defer l.mu.Unlock(); return l.taken },
		Break: func(broken bool) { l.mu.Lock(); defer l.mu.Unlock(); l.broken = broken },
	})
}
