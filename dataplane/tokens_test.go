package dataplane

import (
	"bytes"
	"log/slog"
	"testing"

	"weir/dataplane/enrol"
	"weir/dataplane/queue/natsstore"
	"weir/shared/fault"
)

// TestSharedTokensAreSealedInTheEventStore: each for its own key, and replaced by who saw them.
func TestSharedTokensAreSealedInTheEventStore(t *testing.T) {
	t.Parallel()
	k, err := enrol.LoadKeys(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	store, err := natsstore.Open(t.Context(), natsstore.Config{Dir: t.TempDir(), Partitions: 1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	d := &DataPlane{store: store}
	shared := d.tokens(k)
	if _, _, err := shared.Store.Get(t.Context(), "aa01"); fault.KindOf(err) != fault.Missing {
		t.Fatalf("before there is one: %v", err)
	}
	sealed, err := shared.Seal("aa01", []byte("made-up-token"))
	if err != nil || bytes.Contains(sealed, []byte("made-up")) {
		t.Fatalf("sealed: %q, %v", sealed, err)
	}
	revision, err := shared.Store.Put(t.Context(), "aa01", sealed, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shared.Store.Put(t.Context(), "aa01", sealed, 0); fault.KindOf(err) != fault.Conflict {
		t.Errorf("by who did not see it: %v", err)
	}
	value, at, err := shared.Store.Get(t.Context(), "aa01")
	if err != nil || at != revision {
		t.Fatalf("revision %d, %v, want %d", at, err, revision)
	}
	if clear, err := shared.Open("aa01", value); err != nil || string(clear) != "made-up-token" {
		t.Errorf("opened: %q, %v", clear, err)
	}
	if _, err := shared.Open("aa02", value); err == nil {
		t.Error("it opened for another key")
	}
}
