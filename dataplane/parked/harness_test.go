package parked_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/overflow"
	"weir/dataplane/parked"
	"weir/dataplane/queue"
	"weir/dataplane/queue/queuetest"
	"weir/shared/id"
)

const (
	ws   id.Workspace   = "ws_test"
	hook id.Destination = "dst_hook"
)

// entry is a delivery that waits.
type entry parked.Item

func (e *entry) Item() parked.Item { return parked.Item(*e) }
func (e *entry) Size() int64       { return 1000 }

// harness is a store and the lane of hook, which sends nothing.
type harness struct {
	t            testing.TB
	parked, dead *queuetest.Log
	store        *parked.Store
	stop         func()
	wrap         func(*parked.Config) // changes it; nil: nothing does

	mu      sync.Mutex
	settled []delivery.Settled
	gone    map[parked.Entry]bool // settled while they wait
	floor   uint64
}

func newHarness(t testing.TB) *harness {
	return &harness{t: t, parked: queuetest.NewLog(1, queuetest.Faults{}), dead: queuetest.NewLog(2, queuetest.Faults{}), gone: map[parked.Entry]bool{}}
}

// whole is a log of which every key may have all.
func whole(t testing.TB, log queue.Log) *overflow.Log {
	t.Helper()
	o, err := overflow.New(t.Context(), overflow.Config{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// start recovers as if the journal had nothing, and runs.
func (h *harness) start() {
	h.t.Helper()
	cfg := parked.Config{
		Parked: whole(h.t, h.parked), Dead: whole(h.t, h.dead), Lane: func(id.Destination) parked.Lane { return h }, Backlog: 1 << 20, Log: slog.New(slog.DiscardHandler),
		Settle: func(all []delivery.Settled) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.settled = append(h.settled, all...)
		},
		Drained: func(id.Destination, uint64) {},
	}
	if h.wrap != nil {
		h.wrap(&cfg)
	}
	var err error
	if h.store, err = parked.New(cfg); err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if _, _, err := h.store.Recover(ctx, 0, 0); err != nil {
		h.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := h.store.Run(ctx); err != nil {
			h.t.Errorf("Run: %v", err)
		}
	}()
	h.stop = func() { h.store.Close(); cancel(); <-done }
}

func (h *harness) Destination() id.Destination { return hook }

func (h *harness) Claim(all []parked.Entry) (left []parked.Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range all {
		if !h.gone[e] {
			left = append(left, e)
		}
	}
	return left
}

func (h *harness) Parked(context.Context, []parked.Entry, uint64) {}
func (h *harness) Buried([]parked.Entry)                          {}

func (h *harness) Redrive(items []parked.Item) {
	for _, it := range items {
		h.store.Park(h, (*entry)(&it))
	}
}

func (h *harness) Drop([]delivery.Delivery, []delivery.Place, string) (int, int) { return 0, 0 }

func (h *harness) Settled() (uint64, map[delivery.Place]struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.floor, nil
}

// reports returns what was settled, and how.
func (h *harness) reports() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for _, s := range h.settled {
		all = append(all, fmt.Sprintf("%d: %d %v -> %d %v %s", s.Frame, s.Stage, s.From, s.End, s.To, s.Code))
	}
	return all
}

// wait waits until n settlements were reported.
func (h *harness) wait(n int) {
	h.t.Helper()
	for range 10_000 {
		if len(h.reports()) >= n {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	h.t.Fatalf("settled %v, want %d", h.reports(), n)
}

// made is a delivery of hook.
func made(frame uint64, text string) parked.Item {
	return parked.Item{Stage: delivery.Live, Delivery: delivery.Delivery{
		Ref: delivery.Ref{Frame: frame}, Destination: hook, Revision: 3,
		Event: event.Event{Workspace: ws, Source: "src_web", MessageID: id.Event(fmt.Sprint(frame)), Type: "track", User: "u", ReceivedAt: time.Unix(1700000000, 0).UTC(), JSON: []byte(text)},
	}}
}

// refused is made with a reason to be in DEAD.
func refused(frame uint64, text string) parked.Item {
	it := made(frame, text)
	it.Code, it.Status, it.Detail = "rejected_400", 400, "why"
	return it
}

// park parks items and waits until that is reported.
func (h *harness) park(items ...parked.Item) {
	h.t.Helper()
	n := len(h.reports())
	for _, it := range items {
		h.store.Park(h, (*entry)(&it))
	}
	h.wait(n + len(items))
}

// bury puts items into DEAD and waits until that is reported.
func (h *harness) bury(items ...parked.Item) {
	h.t.Helper()
	n := len(h.reports())
	all := make([]parked.Entry, len(items)) // at once, so that they are one record
	for i := range items {
		all[i] = (*entry)(&items[i])
	}
	h.store.Bury(h, all...)
	h.wait(n + len(items))
}
