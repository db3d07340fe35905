package syncstest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"weir/dataplane/syncs"
	"weir/dataplane/syncs/books"
	"weir/shared/workspace/activation"
)

// Run runs the kit on a warehouse, but for Modes; steps is how many random steps it does.
func Run(t *testing.T, open func(t *testing.T) Open, steps int) {
	t.Run("calm", func(t *testing.T) { t.Parallel(); calm(t, open(t)) })
	t.Run("held", func(t *testing.T) { t.Parallel(); held(t, open(t)) })
	t.Run("rejects", func(t *testing.T) { t.Parallel(); rejects(t, open(t)) })
	t.Run("random", func(t *testing.T) { t.Parallel(); random(t, open(t), steps) })
}

func people(n int) map[string]person {
	all := map[string]person{}
	for i := range n {
		all[fmt.Sprintf("p%03d", i)] = person{fmt.Sprintf("name of %d", i), "free", i}
	}
	return all
}

// calm: each changed row is sent once, and nothing else.
func calm(t *testing.T, open Open) {
	w := NewWorld(t, open, nil)
	w.Put(people(60))
	w.Exec("insert into people values (null, 'x@example.com', 'none', 'free', 1), ('p-two', 'a@example.com', 'a', 'b', 1), ('p-two', 'b@example.com', 'b', 'b', 1)")
	if r := w.Sync(); r.Accepted != 60 || r.Invalid != 3 {
		t.Fatalf("the first run is %+v", r)
	}
	w.Wants("at first")
	w.Tool.Writes()
	if r := w.Sync(); r.Planned != 0 || r.State != syncs.Completed {
		t.Fatalf("a run without changes is %+v", r)
	}
	w.Put(map[string]person{"p001": {"name of one", "pro", 1}, "p002": {"name of 2", "free", 900}})
	if r := w.Sync(); r.Planned != 1 {
		t.Fatalf("one row changed in a mapped column, one in another: the run is %+v", r)
	}
	if got := w.Tool.Writes(); len(got) != 1 || got["p001"] != 1 {
		t.Errorf("written were %v, want p001 once", got)
	}
	w.Remove("p003")
	w.balanced(w.Sync())
	w.Wants("after a removal")
	w.Exec("insert into people values ('p004', 'p004@example.com', 'somebody else', 'free', 4)")
	if r := w.Sync(); r.Planned != 0 || r.Invalid < 4 { // some servers delete the row without a key with others
		t.Fatalf("a run in which a key that was sent stands twice is %+v", r)
	}
	w.Put(map[string]person{"p004": {"name of four", "free", 4}})
	if r := w.Sync(); r.Planned != 1 || r.Invalid > 3 {
		t.Fatalf("a run in which it stands once again is %+v", r)
	}
	w.Wants("after a key stood twice")
	w.quiet()
}

// held: many removals and a changed mapping wait for a person.
func held(t *testing.T, open Open) {
	w := NewWorld(t, open, nil)
	w.Put(people(20))
	w.balanced(w.Sync())
	w.Remove("p000", "p001", "p002", "p003", "p004")
	if r := w.Sync(); r.State != syncs.Held || r.Code != books.HeldRemovals || r.Removed != 5 {
		t.Fatalf("a run that removes a quarter is %+v", r)
	}
	if len(w.Tool.Records()) != 20 {
		t.Fatal("a run that is held removed something")
	}
	w.balanced(w.Await(func(ctx context.Context, t syncs.Task) error { return w.engine.Approve(ctx, t, "") }))
	w.Wants("after somebody agreed")

	w.stop()
	w.task.Sync.Mapping = map[string]string{"name": "name", "points": "score"}
	w.task.Revision++
	w.Start()
	if r := w.Sync(); r.State != syncs.Held || r.Code != books.HeldMapping {
		t.Fatalf("a run with another mapping is %+v", r)
	}
	if err := w.engine.Approve(context.Background(), w.task, ""); err == nil {
		t.Fatal("somebody agreed to a mapping without saying what becomes of the rows")
	}
	w.balanced(w.Await(func(ctx context.Context, t syncs.Task) error { return w.engine.Approve(ctx, t, books.Resend) }))
	w.Wants("after another mapping")
}

// rejects: rows that the tool refuses are kept with a code, and tried again.
func rejects(t *testing.T, open Open) {
	w := NewWorld(t, open, nil)
	w.Put(people(30))
	w.Tool.Set(func(t *Tool) { t.refuses["p004"], t.refuses["p005"] = true, true })
	if r := w.Sync(); r.Accepted != 28 || r.Rejected != 2 || w.status().State != "warning" {
		t.Fatalf("a run with rejects is %+v, the sync %s", r, w.status().State)
	}
	all, err := w.engine.Rejects(context.Background(), w.status().Task, 10)
	if err != nil || len(all) != 2 || all[0].Code != "rejected_422" || all[0].Tries != 1 || all[0].Identifiers["email"] == "" {
		t.Fatalf("rejects are %+v, %v", all, err)
	}
	if r := w.Sync(); r.Planned != 0 || r.Waiting != 2 || w.status().State != "warning" {
		t.Fatalf("a run before rejects are due is %+v, the sync %s", r, w.status().State)
	}
	w.Tool.Set(func(t *Tool) { delete(t.refuses, "p004") })
	w.Put(map[string]person{"p004": {"name of four", "pro", 4}})
	if r := w.Sync(); r.Accepted != 1 {
		t.Fatalf("a rejected row that changed is not tried at once: %+v", r)
	}
	if r := w.again(false); r.Rejected != 1 {
		t.Fatalf("a retry is %+v", r)
	}
	if all, _ := w.engine.Rejects(context.Background(), w.status().Task, 10); len(all) != 1 || all[0].Tries != 2 {
		t.Fatalf("after a retry rejects are %+v", all)
	}
	w.Tool.Set(func(t *Tool) { clear(t.refuses) })
	if r := w.again(false); r.Accepted != 1 {
		t.Fatalf("a retry is %+v", r)
	}
	w.Wants("when nothing is refused")
	w.quiet()
}

func (w *World) again(waive bool) books.Run {
	return w.Await(func(ctx context.Context, t syncs.Task) error {
		_, err := w.engine.Again(ctx, t, "", waive)
		return err
	})
}

// Wide holds a sync to its promise whose model has hundreds of columns: more than functions
// of some warehouses have arguments.
func Wide(t *testing.T, open Open) {
	const columns = 300
	w := NewWorld(t, open, nil)
	w.stop()
	w.task.Sync.Mapping = map[string]string{}
	of, parts := []string{"name", "plan", "score", "score"}, []string{"people.*"}
	for i := range columns {
		column := fmt.Sprintf("%s_%d", of[i%len(of)], i)
		parts = append(parts, of[i%len(of)]+" as "+column)
		w.task.Sync.Mapping[fmt.Sprintf("field %d", i)] = column
	}
	w.task.Model.SQL = "select " + strings.Join(parts, ", ") + " from people"
	w.Start()
	w.Put(people(8))
	w.Put(map[string]person{"p008": {"name of 8, of forty characters at least.", "free", 8}})
	if r := w.Sync(); r.Accepted != 9 {
		t.Fatalf("the first run of a wide model is %+v", r)
	}
	w.Wants("at first")
	w.Tool.Writes()
	w.Put(map[string]person{"p001": {"name of 1 with the longest text that anybody would have for a name", "pro", 1}})
	w.balanced(w.Sync())
	if got := w.Tool.Writes(); len(got) != 1 || got["p001"] != 1 {
		t.Errorf("written were %v, want p001 once", got)
	}
	w.Wants("after a change")
	w.quiet()
}

// Modes holds each mode to what becomes of new, changed and removed rows there.
func Modes(t *testing.T, open func(t *testing.T) Open) {
	for mode, tc := range map[string]struct {
		change func(*activation.Sync)
		want   []string // writes after a new, a changed and a removed row
		keep   bool     // the removed record is there
	}{
		"upsert": {func(s *activation.Sync) { s.Mode = activation.Upsert }, []string{"p001", "p900"}, true},
		"delete": {func(s *activation.Sync) { s.Mode, s.Removed = activation.Upsert, activation.Delete }, []string{"p001", "p002", "p900"}, false},
		"clear":  {func(s *activation.Sync) { s.Mode, s.Removed = activation.Upsert, activation.Clear }, []string{"p001", "p002", "p900"}, true},
		"insert": {func(s *activation.Sync) { s.Mode = activation.Insert }, []string{"p900"}, true},
		"append": {func(s *activation.Sync) { s.Mode = activation.Append }, []string{"p001", "p900"}, true},
		"assume": {func(s *activation.Sync) { s.First = "assume" }, []string{"p001", "p002", "p900"}, false},
	} {
		w := NewWorld(t, open(t), tc.change)
		w.Put(people(12))
		w.balanced(w.Sync())
		first := w.Tool.Writes()
		if want := 12; mode == "assume" && len(first) != 0 || mode != "assume" && len(first) != want {
			t.Errorf("%s: the first run wrote %d rows", mode, len(first))
		}
		w.Put(map[string]person{"p001": {"name of one", "pro", 1}, "p900": {"name of new", "free", 1}})
		w.Remove("p002")
		w.balanced(w.Sync())
		var got []string
		for key := range w.Tool.Writes() {
			got = append(got, key)
		}
		if slices.Sort(got); !slices.Equal(got, tc.want) {
			t.Errorf("%s: written were %v, want %v", mode, got, tc.want)
		}
		if _, there := w.Tool.Records()["p002"]; there != tc.keep && mode != "assume" {
			t.Errorf("%s: the removed record is there: %v", mode, there)
		}
		if mode == "clear" && w.Tool.Records()["p002"] != `{"name":null,"plan name":null}` {
			t.Errorf("clear: the record is %s", w.Tool.Records()["p002"])
		}
	}
}

// Deaths lets the process die at each statement of a run in turn, or at each strideth:
// the next run brings the tool to what the model has.
func Deaths(t *testing.T, open Open, stride int) {
	w := NewWorld(t, open, nil)
	w.Put(people(12))
	w.balanced(w.Sync())
	for at := 1; ; at += stride {
		w.Put(map[string]person{"p001": {fmt.Sprintf("name of %d", at), "free", 1}, "p002": {fmt.Sprintf("name of %d", at), "free", 1}, fmt.Sprintf("q%d", at): {"name of new", "pro", at}})
		w.Remove(fmt.Sprintf("q%d", at-stride))
		w.Tool.Set(func(t *Tool) { t.refuses["p002"] = true })
		w.deaths.Store(int64(at))
		if err := w.engine.Start(context.Background(), w.status().Task); err != nil {
			t.Fatal(err)
		}
		died := w.awaitDeath()
		w.Start()
		w.balanced(w.Sync())
		all, err := w.engine.Rejects(context.Background(), w.status().Task, 10)
		if err != nil || len(all) != 1 || all[0].Key != "p002" {
			t.Fatalf("after a death at statement %d rejects are %+v, %v", at, all, err)
		}
		w.Tool.Set(func(t *Tool) { clear(t.refuses) })
		w.balanced(w.again(false))
		w.Wants(fmt.Sprintf("after a death at statement %d", at))
		if !died {
			return
		}
	}
}

// random: whatever dies, stumbles and changes, the tool is equal in the end.
func random(t *testing.T, open Open, steps int) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	w := NewWorld(t, open, nil)
	w.Put(people(40))
	w.balanced(w.Sync())
	for range steps {
		changes := map[string]person{}
		for range r.IntN(12) {
			key := fmt.Sprintf("p%03d", r.IntN(60))
			changes[key] = person{fmt.Sprintf("name of %d", r.IntN(1000)), []string{"free", "pro", "it''s"}[r.IntN(2)], r.IntN(9)}
		}
		w.Put(changes)
		if key := fmt.Sprintf("p%03d", r.IntN(60)); r.IntN(2) == 0 {
			w.Remove(key)
		}
		switch r.IntN(4) {
		case 0: // answers are lost
			w.Tool.Set(func(t *Tool) { t.stumble = 2 + r.IntN(3) })
		case 1: // it dies at some statement
			at := int64(1 + r.IntN(40))
			w.deaths.Store(at)
			if err := w.engine.Start(context.Background(), w.status().Task); err != nil {
				t.Fatal(err)
			}
			w.awaitDeath()
			w.Start()
		case 2: // the tool refuses some, and is away when the process dies
			w.Tool.Set(func(t *Tool) { t.refuses[fmt.Sprintf("p%03d", r.IntN(60))] = true })
		}
		w.balanced(w.Sync())
		w.Tool.Set(func(t *Tool) { t.stumble = 0; clear(t.refuses) })
	}
	if all, err := w.engine.Rejects(context.Background(), w.status().Task, 100); err != nil {
		t.Fatal(err)
	} else if len(all) > 0 {
		w.balanced(w.again(false))
	}
	w.balanced(w.Sync())
	w.Wants("in the end")
	w.quiet()
}
