package load_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/event"
	"weir/dataplane/load"
	"weir/dataplane/queue"
	"weir/dataplane/queue/queuetest"
	"weir/dataplane/warehouse"
	"weir/shared/id"
)

// files takes batches as an object store does: by name.
type files struct {
	warehouse.Warehouse
	kept  map[string][]id.Event
	wrote []string // names, each time
	fail  func(name string) error
}

func (f *files) MostBytes() int64 { return 100 }

func (f *files) Close() error { return nil }

func (f *files) WriteBatch(_ context.Context, name string, _ time.Time, events []event.Event) (refused []event.Event, err error) {
	var ids []id.Event
	for _, e := range events {
		if e.Type == "odd" {
			e.Quarantine = "row_refused"
			refused = append(refused, e)
			continue
		}
		ids = append(ids, e.MessageID)
	}
	if had, again := f.kept[name]; again && !slices.Equal(had, ids) {
		return nil, fmt.Errorf("batch %s was %v and is %v", name, had, ids)
	}
	f.kept[name], f.wrote = ids, append(f.wrote, name)
	if f.fail != nil {
		if err := f.fail(name); err != nil {
			return nil, err
		}
	}
	return refused, nil
}

// TestBatchesAreTheSameInEachAttempt crashes at each step, and fails some writes whose
// batch was taken: each event is there once.
func TestBatchesAreTheSameInEachAttempt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	blobs, err := blob.Open(filepath.Join(dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	crash := errors.New("crash")
	to := &files{kept: map[string][]id.Event{}}
	logs := []*queuetest.Log{queuetest.NewLog(1, queuetest.Faults{}), queuetest.NewLog(2, queuetest.Faults{})}
	var reach func(load.Step) error
	refused := map[id.Event]bool{}
	engine := func() *load.Engine {
		job := load.Job{Workspace: "ws_a", Destination: "dst_a", Type: "files", Open: func(context.Context) (warehouse.Warehouse, error) { return to, nil }}
		e, err := load.New(load.Config{
			Dir: filepath.Join(dir, "loads"), Blobs: blobs, Stages: []load.Stage{logs[0], logs[1]}, Jobs: func() []load.Job { return []load.Job{job} }, MaxEvents: 40,
			Reach: func(s load.Step) error { return reach(s) },
			Refused: func(_ context.Context, _ int, events []event.Event) error {
				for _, e := range events {
					refused[e.MessageID] = true
				}
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	n := 0
	stage := func(p int) {
		var events []event.Event
		for range 7 {
			e := event.Event{Workspace: "ws_a", Source: "src_a", MessageID: id.Event(fmt.Sprint("m", n)), Type: "track", JSON: fmt.Appendf(nil, `{"messageId":"m%d","type":"track"}`, n)}
			if n%50 == 49 {
				e.Type = "odd"
			}
			events = append(events, e)
			n++
		}
		if _, err := logs[p].Append(t.Context(), "dst_a", queue.EncodeFrame(events)); err != nil {
			t.Fatal(err)
		}
	}
	for round, step := range append(load.Steps(), "") {
		for i := range 10 {
			stage(i % 2)
		}
		crashed := false
		reach = func(s load.Step) error {
			if s == step && !crashed {
				crashed = true
				return crash
			}
			return nil
		}
		to.fail = func(string) error {
			if round%2 == 1 && len(to.wrote)%5 == 0 {
				return errors.New("the answer was lost")
			}
			return nil
		}
		for attempt := 0; ; attempt++ {
			err := engine().LoadNow(t.Context(), "dst_a")
			if err == nil {
				break
			}
			if attempt > 100 {
				t.Fatalf("step %q: %v", step, err)
			}
			if attempt < 4 {
				stage(attempt % 2) // what comes between attempts is in later batches
			}
		}
	}
	seen := map[id.Event]int{}
	for _, ids := range to.kept {
		for _, m := range ids {
			seen[m]++
		}
	}
	for i := range n {
		m := id.Event(fmt.Sprint("m", i))
		if odd := i%50 == 49; odd && (!refused[m] || seen[m] > 0) || !odd && seen[m] != 1 {
			t.Errorf("event %s is there %d times, refused: %v", m, seen[m], refused[m])
		}
	}
	if len(to.wrote) == len(to.kept) {
		t.Error("no batch was written again")
	}
	for p, log := range logs {
		if st, err := log.State(t.Context()); err != nil || st.Records > 0 {
			t.Errorf("partition %d of STAGE has %d records left, %v", p, st.Records, err)
		}
	}
}
