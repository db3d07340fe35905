package dedupe_test

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"weir/dataplane/dedupe"
	"weir/shared/fault"
)

// life runs an index in dir until do returned.
func life(t *testing.T, cfg dedupe.Config, do func(x *dedupe.Index)) {
	t.Helper()
	x, err := dedupe.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	do(x)
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if err := x.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// asked makes the places at which known asks differ.
var asked atomic.Uint64

// known counts those of n keys from first on that the index knows.
func known(t *testing.T, x *dedupe.Index, from, n uint64) (count int) {
	t.Helper()
	for i := range n {
		if !first(t, x, key(from+i), dedupe.Pos{Frame: 1<<40 + asked.Add(1)}, start) {
			count++
		}
	}
	return count
}

// TestDamageCostsItsOwnKeysAlone damages each part of an index of two runs, whose
// keys no journal has any more. Keys of the other run are known, no key is taken for
// one that was seen, and the damage is counted.
func TestDamageCostsItsOwnKeysAlone(t *testing.T) {
	t.Parallel()
	change := func(at int) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b[(at+len(b))%len(b)] ^= 1
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(t *testing.T, path string) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	truncate := func(t *testing.T, path string) {
		if err := os.Truncate(path, 100); err != nil {
			t.Fatal(err)
		}
	}
	const n = 1000 // keys of a run
	for name, c := range map[string]struct {
		file     string
		damage   func(*testing.T, string)
		least    int // keys that are known after it
		position uint64
	}{
		"a byte of an entry":          {"run-0000000001", change(3), 2*n - 200, 2},
		"a byte of a fence":           {"run-0000000001", change(n*32 + 5), n, 2},
		"a byte of the footer's end":  {"run-0000000001", change(-12), n, 2},
		"a byte of the footer":        {"run-0000000001", change(-30), n, 2},
		"a run that is cut":           {"run-0000000001", truncate, n, 2},
		"a run that is gone":          {"run-0000000001", remove, n, 2},
		"a byte of the manifest":      {"manifest.json", change(15), 2 * n, 0},
		"a manifest that is gone":     {"manifest.json", remove, 2 * n, 0},
		"a manifest that is cut":      {"manifest.json", truncate, 2 * n, 0},
		"nothing":                     {"manifest.json", func(*testing.T, string) {}, 2 * n, 2},
		"an empty file of a manifest": {"manifest.json", func(t *testing.T, p string) { remove(t, p); _ = os.WriteFile(p, nil, 0o600) }, 2 * n, 0},
	} {
		for _, rebuild := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", with all keys in the journal"}[rebuild], func(t *testing.T) {
				t.Parallel()
				cfg := dedupe.Config{Dir: t.TempDir(), Rebuild: rebuild}
				life(t, cfg, func(x *dedupe.Index) {
					for i := range uint64(2 * n) {
						first(t, x, key(i), dedupe.Pos{Frame: i}, start)
						if i == n-1 || i == 2*n-1 {
							if err := x.Snapshot(t.Context(), 1+i/n); err != nil {
								t.Fatal(err)
							}
						}
					}
				})
				c.damage(t, filepath.Join(cfg.Dir, c.file))
				if rebuild {
					rebuilt(t, cfg, name != "nothing", 2*n)
					return
				}
				for i, lost := range []bool{c.least < 2*n && c.file != "manifest.json", false} {
					life(t, cfg, func(x *dedupe.Index) {
						if i == 0 && x.Position() != c.position {
							t.Errorf("position %d, want %d", x.Position(), c.position)
						}
						if !first(t, x, key(uint64(1<<40+i)), dedupe.Pos{Frame: 1 << 40}, start) {
							t.Error("a new key counts as seen")
						}
						if got := known(t, x, 0, 2*n); i == 0 && got < c.least || i > 0 && got < 2*n {
							t.Errorf("in life %d %d keys of %d are known, want %d at least", i, got, 2*n, c.least)
						}
						if n := x.State().Damaged; (n > 0) != lost {
							t.Errorf("in life %d %d keys count as lost, want some: %v", i, n, lost)
						}
						// The damaged bucket goes with the merge of its run.
						for k := range uint64(8 * n) {
							first(t, x, key(1<<41+uint64(i)<<20+k), dedupe.Pos{Frame: 1 << 41}, start)
							if k%n == 0 {
								if err := x.Snapshot(t.Context(), 3); err != nil {
									t.Fatalf("the index does not go on: %v", err)
								}
							}
						}
						merged(t, x, 8)
					})
				}
			})
		}
	}
}

// merged waits until fewer than most runs are left.
func merged(t *testing.T, x *dedupe.Index, most int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); x.State().Runs >= most; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d runs are not merged", x.State().Runs)
		}
	}
}

// rebuilt wants Position 0 before anything was decided wrongly.
func rebuilt(t *testing.T, cfg dedupe.Config, damaged bool, n uint64) {
	t.Helper()
	for range 3 {
		start, failed := uint64(0), false
		life(t, cfg, func(x *dedupe.Index) {
			start = x.Position()
			for i := range n {
				ok, err := x.First(owner, key(i), dedupe.Pos{Frame: i + 1<<40}, time.Time{})
				if failed = fault.KindOf(err) == fault.Unavailable && err != nil; failed {
					return
				}
				if err != nil || ok && start > 0 {
					t.Fatalf("key %d: first = %v, %v, of an index that says it has it", i, ok, err)
				}
			}
		})
		if start == 0 || !failed {
			if damaged != (start == 0) {
				t.Errorf("position %d, damaged = %v", start, damaged)
			}
			return
		}
	}
	t.Error("the index is damaged for ever")
}

// TestWhatCannotBeWrittenIsTriedAgain takes the folder away under an index, so
// that nothing can be written, and gives it back.
func TestWhatCannotBeWrittenIsTriedAgain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "index")
	life(t, dedupe.Config{Dir: dir, Memory: 50}, func(x *dedupe.Index) {
		if err := os.Rename(dir, dir+".away"); err != nil {
			t.Fatal(err)
		}
		fed := make(chan error, 1)
		go func() {
			for i := range uint64(200) {
				if ok, err := x.First(owner, key(i), dedupe.Pos{Frame: i}, start); err != nil || !ok {
					fed <- err
					return
				}
			}
			fed <- nil
		}()
		for deadline := time.Now().Add(time.Minute); !x.State().Blocked; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("nobody says that keys cannot be written")
			}
		}
		select {
		case err := <-fed:
			t.Fatalf("200 keys fit into memory for 100 (%v)", err)
		default:
		}
		if err := os.Rename(dir+".away", dir); err != nil {
			t.Fatal(err)
		}
		if err := <-fed; err != nil {
			t.Fatal(err)
		}
		if err := x.Snapshot(t.Context(), 7); err != nil || x.State().Blocked {
			t.Fatalf("Snapshot: %v, blocked = %v", err, x.State().Blocked)
		}
		if got := known(t, x, 0, 200); got != 200 {
			t.Errorf("%d of 200 keys are known", got)
		}
	})
}

// TestAnIndexOfVersion2IsRead opens what the version before wrote.
func TestAnIndexOfVersion2IsRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/version2")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // once as it was, once merged
		life(t, dedupe.Config{Dir: dir, Memory: 100}, func(x *dedupe.Index) {
			if x.Position() != 9 {
				t.Errorf("position %d, want 9", x.Position())
			}
			for n := range uint64(100) {
				if !first(t, x, key(n), dedupe.Pos{Frame: n + 1, Index: uint32(n % 9)}, start) || first(t, x, key(n), dedupe.Pos{Frame: n + 2}, start) {
					t.Fatalf("key %d is not known at its place", n)
				}
			}
			for n := range uint64(3000) {
				first(t, x, key(1000+n), dedupe.Pos{Frame: 1000 + n}, start)
			}
			if err := x.Snapshot(t.Context(), 9); err != nil {
				t.Fatal(err)
			}
		})
	}
}
