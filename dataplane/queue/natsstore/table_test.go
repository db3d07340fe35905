package natsstore_test

import (
	"context"
	"sync"
	"testing"

	"weir/dataplane/queue/natsstore"
	"weir/dataplane/queue/natsstore/table"
	"weir/shared/fault"
)

// TestDocumentsAreSharedAndOutliveTheProcess: what one process puts another sees, of two
// that replace a document at once one is refused, and a restart finds it.
func TestDocumentsAreSharedAndOutliveTheProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, natsstore.Config{Dir: dir})
	one, other := s.Table("things"), s.Table("things")
	var mu sync.Mutex
	seen, known := map[string]string{}, false
	ctx, stop := context.WithCancel(t.Context())
	watching := make(chan error, 1)
	go func() {
		watching <- other.Watch(ctx, func(d table.Document) { mu.Lock(); defer mu.Unlock(); seen[d.Key] = string(d.Value) },
			func() { mu.Lock(); defer mu.Unlock(); known = true })
	}()
	saw := func(key, want string) func() bool {
		return func() bool { mu.Lock(); defer mu.Unlock(); return known && seen[key] == want }
	}
	wait(t, "an empty table", saw("ws_a", ""))
	if _, err := one.Get(t.Context(), "ws_a"); fault.KindOf(err) != fault.Missing {
		t.Fatalf("Get of none: %v, want kind %v", err, fault.Missing)
	}
	first, err := one.Put(t.Context(), "ws_a", []byte("1"), 0)
	if err != nil {
		t.Fatal(err)
	}
	wait(t, "the first value", saw("ws_a", "1"))
	for _, revision := range []uint64{0, first + 1} {
		if _, err := other.Put(t.Context(), "ws_a", []byte("x"), revision); fault.KindOf(err) != fault.Conflict {
			t.Errorf("Put at revision %d: %v, want kind %v", revision, err, fault.Conflict)
		}
	}
	second, err := other.Put(t.Context(), "ws_a", []byte("2"), first)
	if err != nil || second <= first {
		t.Fatalf("Put = %d, %v, want a revision after %d", second, err, first)
	}
	wait(t, "the second value", saw("ws_a", "2"))
	if _, err := s.Table("others").Get(t.Context(), "ws_a"); fault.KindOf(err) != fault.Missing {
		t.Errorf("Get from another table: %v, want kind %v", err, fault.Missing)
	}
	stop()
	if err := <-watching; err == nil {
		t.Error("Watch ended without an error")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := open(t, natsstore.Config{Dir: dir}).Table("things").Get(t.Context(), "ws_a")
	if err != nil || string(again.Value) != "2" || again.Revision != second {
		t.Errorf("after a restart %+v, %v, want the second value at %d", again, err, second)
	}
}
