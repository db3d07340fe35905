package syncstest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"testing"

	"weir/dataplane/destination"
	"weir/dataplane/syncs"
	"weir/dataplane/syncs/books"
	"weir/shared/workspace/activation"
)

// sets is a destination that has all rows of a model as one set, and whose process may die
// before and after each call.
type sets struct {
	mu      sync.Mutex
	parts   map[string]map[string]string // fields by key, by the name of a batch
	now     map[string]string            // the set that counts
	name    string
	count   int // of sets that counted
	refuses map[string]bool
	step    func() error
}

// Write implements destination.Sink.
func (s *sets) Write(_ context.Context, b destination.Batch) ([]destination.Verdict, error) {
	if err := s.step(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	part, verdicts := map[string]string{}, []destination.Verdict(nil)
	for i, item := range b.Items {
		var in struct {
			Action, Mode, Key string
			Fields            json.RawMessage
		}
		v := destination.Verdict{Item: i, Outcome: destination.Delivered}
		if err := json.Unmarshal(item.Event.JSON, &in); err != nil || in.Action != "insert" || in.Mode != activation.Snapshot || s.refuses[in.Key] {
			v = destination.Verdict{Item: i, Outcome: destination.Dead, Code: "rejected_422"}
		} else {
			part[in.Key] = string(in.Fields)
		}
		verdicts = append(verdicts, v)
	}
	s.parts[b.Name] = part
	s.mu.Unlock()
	return verdicts, s.step()
}

// Complete puts a set in the place of the former one.
func (s *sets) Complete(_ context.Context, set string, parts map[string]int64) (destination.Verdict, error) {
	if err := s.step(); err != nil {
		return destination.Verdict{}, err
	}
	s.mu.Lock()
	now, rows := map[string]string{}, int64(0)
	for name, n := range parts {
		maps.Copy(now, s.parts[name])
		if rows += n; int(n) != len(s.parts[name]) {
			rows = -1 << 32
		}
	}
	if len(now) != int(rows) || set < s.name {
		s.mu.Unlock()
		return destination.Verdict{Outcome: destination.Dead, Code: "kind_fault"}, nil
	}
	s.now, s.name, s.count = now, set, s.count+1
	s.mu.Unlock()
	return destination.Verdict{Outcome: destination.Delivered}, s.step()
}

// Close implements destination.Sink.
func (s *sets) Close() error { return nil }

// has is the set that counts, and how many did.
func (s *sets) has() (map[string]string, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.now), s.count
}

// people of the model as a set has them.
func (w *World) wanted(but ...string) map[string]string {
	want := map[string]string{}
	for key, p := range w.people {
		want[key] = p.fields(w.task.Sync.Mapping)
	}
	for _, key := range but {
		delete(want, key)
	}
	return want
}

// Snapshots holds the mode snapshot to its promise: when any row differs, all rows are
// written as one set, which counts as a whole or not at all, whatever dies.
func Snapshots(t *testing.T, open Open, stride int) {
	w := NewWorld(t, open, func(s *activation.Sync) { s.Mode = activation.Snapshot })
	w.stop()
	w.sets = &sets{parts: map[string]map[string]string{}, refuses: map[string]bool{}}
	w.Start()
	wants := func(when string, count int, but ...string) {
		t.Helper()
		got, n := w.sets.has()
		if want := w.wanted(but...); !maps.Equal(got, want) || count > 0 && n != count {
			t.Fatalf("%s: the set, the %d. one, has %d rows %v, want the %d. with %v\n%s", when, n, len(got), got, count, want, w.Logs)
		}
	}
	w.Put(people(12))
	w.Exec("insert into people values (null, 'x@example.com', 'none', 'free', 1), ('p-two', 'a@example.com', 'a', 'b', 1), ('p-two', 'b@example.com', 'b', 'b', 1)")
	if r := w.Sync(); r.Accepted != 12 || r.Invalid != 3 {
		t.Fatalf("the first run is %+v\n%s", r, w.Logs)
	}
	wants("at first", 1)
	if r := w.Sync(); r.Planned != 0 || r.State != syncs.Completed {
		t.Fatalf("a run without changes is %+v", r)
	}
	w.Put(map[string]person{"p001": {"name of one", "pro", 1}})
	w.Remove("p002")
	if r := w.Sync(); r.Accepted != 11 || r.Planned != 11 {
		t.Fatalf("a run with a changed and a removed row is %+v", r)
	}
	wants("after changes", 2)

	w.sets.refuses["p003"] = true
	w.Put(map[string]person{"p003": {"name of three", "pro", 3}})
	if r := w.Sync(); r.Accepted != 10 || r.Rejected != 1 {
		t.Fatalf("a run with a row that is refused is %+v", r)
	}
	wants("with a row that is refused", 3, "p003")
	if r := w.Sync(); r.Planned != 0 || r.Waiting != 1 {
		t.Fatalf("a run before the refused row is due is %+v", r)
	}
	clear(w.sets.refuses)
	if r := w.again(false); r.Accepted != 11 {
		t.Fatalf("a retry is %+v", r)
	}
	wants("when nothing is refused", 4)
	if r := w.Sync(); r.Planned != 0 || r.Waiting != 0 {
		t.Fatalf("a run after the retry is %+v", r)
	}

	for key := range people(9) {
		w.Remove(key)
	}
	if r := w.Sync(); r.State != syncs.Held || r.Code != books.HeldRemovals {
		t.Fatalf("a run that removes most is %+v", r)
	}
	w.balanced(w.Await(func(ctx context.Context, t syncs.Task) error { return w.engine.Approve(ctx, t, "") }))
	wants("after somebody agreed", 5)
	for key := range w.wanted() {
		w.Remove(key)
	}
	w.Sync()
	if r := w.Await(func(ctx context.Context, t syncs.Task) error { return w.engine.Approve(ctx, t, "") }); r.State != syncs.Completed || r.Planned != 0 {
		t.Fatalf("a run without rows is %+v", r)
	}
	wants("without rows", 6)

	w.Put(people(12))
	w.balanced(w.Sync())
	wants("with rows again", 7)
	for at := 1; ; at += stride {
		former := w.wanted()
		w.Put(map[string]person{"p001": {fmt.Sprintf("name of %d", at), "free", 1}, fmt.Sprintf("q%d", at): {"name of new", "pro", at}})
		w.Remove(fmt.Sprintf("q%d", at-stride))
		w.deaths.Store(int64(at))
		if err := w.engine.Start(context.Background(), w.status().Task); err != nil {
			t.Fatal(err)
		}
		died := w.awaitDeath()
		if got, _ := w.sets.has(); !maps.Equal(got, former) && !maps.Equal(got, w.wanted()) {
			t.Fatalf("after a death at step %d the set is neither the former one nor the new one: %v", at, got)
		}
		w.Start()
		w.balanced(w.Sync())
		wants(fmt.Sprintf("after a death at step %d", at), 0)
		if r := w.Sync(); r.Planned != 0 {
			t.Fatalf("after a death at step %d and a run, another run is %+v", at, r)
		}
		if !died {
			break
		}
	}
	w.quiet()
}
