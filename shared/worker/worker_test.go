package worker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/shared/worker"
)

// tasks do what tests ask of a worker process.
var tasks = worker.Tasks{
	"burn": func(net.Conn) error {
		for n := uint64(1); n != 0; n |= n << 1 {
		}
		return nil
	},
	"eat": func(net.Conn) error {
		var all [][]byte
		for {
			all = append(all, make([]byte, 1<<20))
			for i := range all[len(all)-1] {
				all[len(all)-1][i] = 1
			}
		}
	},
	"tell": func(parent net.Conn) error {
		links, err := filepath.Glob("/proc/self/fd/*")
		open := os.Environ()
		for _, l := range links {
			if to, err := os.Readlink(l); err == nil && filepath.IsAbs(to) && !strings.HasPrefix(to, "/dev/") && !strings.HasPrefix(to, "/proc/") && !strings.HasPrefix(to, "/sys/") {
				open = append(open, to)
			}
		}
		return errors.Join(err, worker.Send(parent, 1, fmt.Append(nil, open)))
	},
	"flood": func(parent net.Conn) error { return worker.Send(parent, 1, make([]byte, 2<<20)) },
	"spill": func(parent net.Conn) error {
		file, err := os.CreateTemp("", "")
		if err == nil {
			_, err = file.Write(make([]byte, 2<<20))
			err = errors.Join(err, os.Remove(file.Name()))
		}
		return worker.Send(parent, 1, fmt.Append(nil, err != nil))
	},
	"wait": func(parent net.Conn) error { _, _, err := worker.Receive(parent, 1); return err },
}

// TestMain makes the test binary a worker when it is started as one.
func TestMain(m *testing.M) {
	tasks.Divert()
	os.Exit(m.Run())
}

func start(t *testing.T, ctx context.Context, task string, l worker.Limits) *worker.Process {
	t.Helper()
	command, err := worker.Self(task)
	if err != nil {
		t.Fatal(err)
	}
	p, err := worker.Start(ctx, command, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	if err := p.Within(time.Minute); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAProcessEndsAtItsLimits(t *testing.T) {
	t.Parallel()
	for task, want := range map[string]worker.Death{"burn": worker.DeathLate, "eat": worker.DeathOwn, "flood": worker.DeathOwn} {
		p := start(t, t.Context(), task, worker.Limits{Memory: 512 << 20, CPU: time.Second})
		_, _, err := p.Receive(1 << 20)
		if err == nil {
			t.Errorf("%s: it answered", task)
		} else if got := p.Died(err); got != want {
			t.Errorf("%s: it died as %v of %v, want %v", task, got, err, want)
		}
	}
	p := start(t, t.Context(), "spill", worker.Limits{FileSize: 1 << 20})
	if _, body, err := p.Receive(100); err != nil || string(body) != "true" {
		t.Errorf("a file over its size: %s %v", body, err)
	}
}

func TestAProcessInheritsNothing(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // it is empty
	p := start(t, t.Context(), "tell", worker.Limits{})
	if _, body, err := p.Receive(1 << 20); err != nil || string(body) != "[]" {
		t.Errorf("the process has variables or open files: %s, error %v", body, err)
	}
}

func TestTheEndOfItsContextEndsAProcess(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	p := start(t, ctx, "burn", worker.Limits{})
	ended := make(chan error, 1)
	go func() { _, _, err := p.Receive(1); ended <- err }()
	stop()
	if err := <-ended; err == nil {
		t.Error("it answered")
	}
}

// TestTenantsTakeTurns lets one tenant ask for many turns before another asks for
// one: the other one's comes next.
func TestTenantsTakeTurns(t *testing.T) {
	t.Parallel()
	turns := worker.NewTurns(2)
	first, err := turns.Take(t.Context(), "evil")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan func(), 100)
	waiting, stop := context.WithCancel(t.Context())
	defer stop()
	for range 50 { // one tenant never has all turns
		go func() {
			if done, err := turns.Take(waiting, "evil"); err == nil {
				got <- done
			}
		}()
	}
	good, err := turns.Take(t.Context(), "good")
	if err != nil {
		t.Fatal(err)
	}
	good()
	first()
	(<-got)()
	(<-got)()
}
