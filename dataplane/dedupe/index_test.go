package dedupe_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"weir/dataplane/dedupe"
	"weir/shared/id"
)

const owner dedupe.Owner = 7

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func open(t testing.TB, dir string, window time.Duration, memory int) *dedupe.Index {
	t.Helper()
	x, err := dedupe.Open(dedupe.Config{Dir: dir, Window: window, Memory: memory})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		_ = x.Close()
	})
	return x
}

func key(n uint64) dedupe.Key {
	return dedupe.NewHasher([32]byte{1}).Key("src_a", "user", id.Event(fmt.Sprint(n)))
}

func first(t testing.TB, x *dedupe.Index, k dedupe.Key, pos dedupe.Pos, at time.Time) bool {
	t.Helper()
	ok, err := x.First(owner, k, pos, at)
	if err != nil {
		t.Fatalf("First: %v", err)
	}
	return ok
}

func TestAKeyIsFirstOnceAndAtItsOwnPlaceAlways(t *testing.T) {
	t.Parallel()
	x := open(t, t.TempDir(), 0, 0)
	k := key(1)
	for i, want := range []struct {
		pos   dedupe.Pos
		first bool
	}{{dedupe.Pos{Frame: 7, Index: 2}, true}, {dedupe.Pos{Frame: 7, Index: 3}, false}, {dedupe.Pos{Frame: 8}, false}, {dedupe.Pos{Frame: 7, Index: 2}, true}} {
		if got := first(t, x, k, want.pos, start); got != want.first {
			t.Errorf("look %d at %v: first = %v, want %v", i, want.pos, got, want.first)
		}
	}
}

func TestKeysDependOnSecretSourceUserAndMessage(t *testing.T) {
	t.Parallel()
	h, other := dedupe.NewHasher([32]byte{1}), dedupe.NewHasher([32]byte{2})
	seen := map[dedupe.Key]string{}
	for name, k := range map[string]dedupe.Key{
		"plain": h.Key("s", "u", "m"), "secret": other.Key("s", "u", "m"), "source": h.Key("t", "u", "m"),
		"user": h.Key("s", "v", "m"), "message": h.Key("s", "u", "n"), "cut elsewhere": h.Key("su", "", "m"), "cut again": h.Key("s", "um", ""),
	} {
		if was, ok := seen[k]; ok {
			t.Errorf("%s and %s have one key", name, was)
		}
		seen[k] = name
	}
}

// TestAgainstAMap drives an index with little memory, so that runs are written
// and merged all the time, over several lives, and compares every answer with a map.
func TestAgainstAMap(t *testing.T) {
	t.Parallel()
	dir, seed := t.TempDir(), rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	model := map[uint64]dedupe.Pos{}
	frame := uint64(0)
	for life := range 4 {
		t.Run(fmt.Sprintf("life %d", life), func(t *testing.T) {
			x := open(t, dir, 0, 128)
			if want := uint64(life * 100); x.Position() != want {
				t.Fatalf("position %d, want %d", x.Position(), want)
			}
			for range 3000 {
				frame++
				n, pos := rng.Uint64N(4000), dedupe.Pos{Frame: frame, Index: rng.Uint32N(500)}
				if rng.IntN(4) == 0 {
					if was, ok := model[n]; ok {
						pos = was
					}
				}
				was, known := model[n]
				want := !known || was == pos
				if got := first(t, x, key(n), pos, start.Add(time.Duration(frame)*time.Second)); got != want {
					t.Fatalf("frame %d key %d: first = %v, want %v", frame, n, got, want)
				}
				if !known {
					model[n] = pos
				}
			}
			if err := x.Snapshot(t.Context(), uint64(life+1)*100); err != nil {
				t.Fatal(err)
			}
		})
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) > 60 {
		t.Errorf("%d files after merging, want few", len(files))
	}
}

func TestAKeyIsForgottenAfterItsWindow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	x := open(t, dir, 28*time.Minute, 4)
	at := start
	first(t, x, key(1), dedupe.Pos{Frame: 1}, at)
	for i := range uint64(400) {
		at = at.Add(5 * time.Second)
		first(t, x, key(100+i), dedupe.Pos{Frame: 2 + i}, at)
	}
	if !first(t, x, key(1), dedupe.Pos{Frame: 900}, at) {
		t.Error("a key older than the window is still a duplicate")
	}
	if first(t, x, key(499), dedupe.Pos{Frame: 901}, at) {
		t.Error("the newest key was forgotten")
	}
	if err := x.Snapshot(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
}

func TestATimeThatJumpsAheadForgetsNothing(t *testing.T) {
	t.Parallel()
	x := open(t, t.TempDir(), time.Hour, 0)
	first(t, x, key(1), dedupe.Pos{Frame: 1}, start)
	first(t, x, key(2), dedupe.Pos{Frame: 2}, start.Add(48*time.Hour))
	if !x.Jumped() {
		t.Error("a jump of two days raised nothing")
	}
	if first(t, x, key(1), dedupe.Pos{Frame: 3}, start.Add(48*time.Hour)) {
		t.Error("a key was forgotten because of a clock that jumped")
	}
	first(t, x, key(3), dedupe.Pos{Frame: 4}, start)
	if x.Jumped() {
		t.Error("the alarm stayed although time is right again")
	}
}
