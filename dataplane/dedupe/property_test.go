package dedupe_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"weir/dataplane/dedupe"
)

// seenAt is one line of a journal.
type seenAt struct {
	n   uint64
	pos dedupe.Pos
	at  time.Time
}

// TestRandomLivesAgreeWithAModel stops an index at any moment, with and without
// a snapshot, replays the journal after Position, and compares every answer with
// a map that forgets after the window.
func TestRandomLivesAgreeWithAModel(t *testing.T) {
	t.Parallel()
	const window = 40 * time.Minute
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	dir, at := t.TempDir(), start
	var journal []seenAt
	model := map[uint64]seenAt{}
	for life := range 12 {
		t.Run(fmt.Sprintf("life %d", life), func(t *testing.T) {
			x := open(t, dir, window, 10+rng.IntN(120))
			for _, s := range journal[x.Position():] {
				if !first(t, x, key(s.n), s.pos, s.at) {
					t.Fatalf("replayed key %d of frame %d is a duplicate", s.n, s.pos.Frame)
				}
			}
			for range rng.IntN(600) {
				at = at.Add(time.Duration(rng.IntN(3)) * time.Second)
				s := seenAt{rng.Uint64N(2000), dedupe.Pos{Frame: uint64(len(journal) + 1), Index: rng.Uint32N(9)}, at}
				was, known := model[s.n]
				known = known && at.Sub(was.at) <= window
				if known && rng.IntN(3) == 0 {
					s.pos = was.pos
				}
				want := !known || was.pos == s.pos
				if got := first(t, x, key(s.n), s.pos, at); got != want {
					t.Fatalf("key %d at %v: first = %v, want %v (was %+v)", s.n, s.pos, got, want, was)
				}
				if !known {
					model[s.n] = s
					journal = append(journal, s)
				}
				if rng.IntN(150) == 0 {
					if err := x.Snapshot(t.Context(), uint64(len(journal))); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

func TestAJumpWhileTheIndexWasClosedForgetsNothing(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Now()
	t.Run("first life", func(t *testing.T) {
		x := open(t, dir, time.Hour, 0)
		first(t, x, key(1), dedupe.Pos{Frame: 1}, now)
		if err := x.Snapshot(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	})
	x := open(t, dir, time.Hour, 0)
	if first(t, x, key(1), dedupe.Pos{Frame: 2}, now.Add(48*time.Hour)) || !x.Jumped() {
		t.Errorf("a key was forgotten because of a clock that jumped (jumped = %v)", x.Jumped())
	}
}

const childCommand = "dedupe-child"

// TestMain lets this binary be the process that is killed.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == childCommand {
		child(os.Args[2])
		return
	}
	os.Exit(m.Run())
}

// child gives key n at frame n to the index in dir, without end, and prints
// each n through which a snapshot was taken.
func child(dir string) {
	x, err := dedupe.Open(dedupe.Config{Dir: dir, Memory: 60})
	if err != nil {
		panic(err)
	}
	go func() { panic(x.Run(context.Background())) }()
	for n := x.Position() + 1; ; n++ {
		if ok, err := x.First(owner, key(n), dedupe.Pos{Frame: n}, start.Add(time.Duration(n)*time.Second)); err != nil || !ok {
			panic(fmt.Sprint("key ", n, ": ", ok, err))
		}
		if n%90 == 0 {
			if err := x.Snapshot(context.Background(), n); err != nil {
				panic(err)
			}
			fmt.Println(n)
		}
	}
}

// TestAKilledProcessKeepsWhatItSnapshot kills a process amid flushes and merges.
func TestAKilledProcessKeepsWhatItSnapshot(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for life := range 2 {
		cmd := exec.CommandContext(t.Context(), self, childCommand, dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines, told := bufio.NewScanner(out), uint64(0)
		for range 3 + rand.IntN(20) {
			if !lines.Scan() {
				t.Fatal("the process ended by itself")
			}
			told, _ = strconv.ParseUint(lines.Text(), 10, 64)
		}
		_ = cmd.Process.Kill()
		for lines.Scan() {
			told, _ = strconv.ParseUint(lines.Text(), 10, 64)
		}
		_ = cmd.Wait()
		t.Run(fmt.Sprintf("life %d", life), func(t *testing.T) {
			x := open(t, dir, 0, 0)
			if x.Position() < told {
				t.Fatalf("position %d, but a snapshot was told of at %d", x.Position(), told)
			}
			for n := range x.Position() {
				if first(t, x, key(n+1), dedupe.Pos{Frame: 1 << 40}, start) {
					t.Fatalf("key %d of %d was forgotten", n+1, x.Position())
				}
			}
		})
	}
}

// FuzzOpen opens an index of any manifest and any run: it answers, says that it
// is damaged, or starts anew.
func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	x, err := dedupe.Open(dedupe.Config{Dir: dir})
	if err != nil {
		f.Fatal(err)
	}
	ctx, stop := context.WithCancel(f.Context())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	for n := range uint64(200) {
		first(f, x, key(n), dedupe.Pos{Frame: n}, start)
	}
	if err := x.Snapshot(ctx, 9); err != nil {
		f.Fatal(err)
	}
	stop()
	<-done
	_ = x.Close()
	manifest, _ := os.ReadFile(filepath.Join(dir, "manifest.json"))
	runs, _ := filepath.Glob(filepath.Join(dir, "run-*"))
	run, _ := os.ReadFile(runs[0])
	f.Add(manifest, run)
	f.Add([]byte(`{"runs":["../x","run-0000000001","run-0000000001"]}`), run[:100])
	f.Fuzz(func(t *testing.T, manifest, run []byte) {
		dir := t.TempDir()
		for name, b := range map[string][]byte{"manifest.json": manifest, filepath.Base(runs[0]): run} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		x, err := dedupe.Open(dedupe.Config{Dir: dir})
		if err != nil {
			return
		}
		for n := range uint64(10) {
			_, _ = x.First(owner, key(n), dedupe.Pos{Frame: n}, start)
		}
		_ = x.Close()
	})
}
