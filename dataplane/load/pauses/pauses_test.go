package pauses_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/load/disk"
	"weir/dataplane/load/pauses"
	"weir/dataplane/queue/natsstore/table"
	"weir/shared/fault"
	"weir/shared/id"
)

// store is a table that all processes of a plane have.
type store struct {
	mu       sync.Mutex
	docs     map[string]table.Document
	revision uint64
	watching map[int]chan table.Document
}

func (s *store) Get(_ context.Context, key string) (table.Document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := s.docs[key]; ok {
		return d, nil
	}
	return table.Document{}, fault.New(fault.Missing, "There is none.")
}

func (s *store) Put(_ context.Context, key string, value []byte, revision uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.docs[key].Revision != revision {
		return 0, fault.New(fault.Conflict, "It has changed.")
	}
	s.revision++
	d := table.Document{Key: key, Value: value, Revision: s.revision}
	s.docs[key] = d
	for _, w := range s.watching {
		w <- d
	}
	return s.revision, nil
}

func (s *store) Watch(ctx context.Context, changed func(table.Document), known func()) error {
	s.mu.Lock()
	own, at := make(chan table.Document, 100), len(s.watching)
	s.watching[at] = own
	var all []table.Document
	for _, d := range s.docs {
		all = append(all, d)
	}
	s.mu.Unlock()
	for _, d := range all {
		changed(d)
	}
	known()
	for {
		select {
		case d := <-own:
			changed(d)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// process is the loads of one process: what is paused is on its disk.
type process struct {
	pauses.Keeper
	mu       sync.Mutex
	hastened int
}

func (p *process) Pause(d id.Destination, paused bool) error {
	if paused {
		return disk.FolderOf(p.Dir, d).Pause(disk.Paused{At: time.Now()})
	}
	return disk.FolderOf(p.Dir, d).Remove(disk.PausedFile)
}

func (p *process) Hasten(id.Destination) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hastened++
	return nil
}

// TestAllProcessesKnowOfAPause, also one that begins later, one that was away when it ended, and
// of what was paused before the plane kept pauses.
func TestAllProcessesKnowOfAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{docs: map[string]table.Document{}, watching: map[int]chan table.Document{}}
		begin := func(dir string) (p *process, end func()) {
			p = &process{Keeper: pauses.Keeper{Dir: dir, Table: s, Log: slog.New(slog.DiscardHandler)}}
			p.Engine = engine{p}
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan struct{})
			go func() { defer close(ended); p.Run(ctx) }()
			synctest.Wait()
			return p, func() { cancel(); <-ended }
		}
		wants := func(p *process, d id.Destination, want bool) {
			t.Helper()
			synctest.Wait()
			got, err := disk.FolderOf(p.Dir, d).Paused()
			if err != nil || got.At.IsZero() == want {
				t.Errorf("%s is paused since %v, %v; want that it is: %v", d, got.At, err, want)
			}
		}
		one, endOne := begin(t.TempDir())
		two, endTwo := begin(t.TempDir())
		for range 2 { // asked twice it is the same
			if err := one.Keeper.Pause(t.Context(), "ws", "lake", true); err != nil {
				t.Fatal(err)
			}
		}
		wants(one, "lake", true)
		wants(two, "lake", true)
		three, endThree := begin(t.TempDir())
		wants(three, "lake", true)
		if p, err := disk.FolderOf(three.Dir, "lake").Paused(); err != nil || p.Workspace != "ws" {
			t.Errorf("the workspace of a pause is %q, %v", p.Workspace, err)
		}
		endTwo()
		if err := three.Keeper.Pause(t.Context(), "ws", "lake", false); err != nil {
			t.Fatal(err)
		}
		wants(one, "lake", false)
		wants(three, "lake", false)
		if one.hastened == 0 {
			t.Error("the loads of a process that was not asked were not hastened when they were resumed")
		}
		two, endTwo = begin(two.Dir)
		wants(two, "lake", false)

		if err := disk.FolderOf(two.Dir, "old").Pause(disk.Paused{At: time.Now(), Workspace: "ws"}); err != nil {
			t.Fatal(err)
		}
		endTwo()
		two, endTwo = begin(two.Dir)
		wants(two, "old", true)
		wants(one, "old", true)
		endOne()
		endTwo()
		endThree()
	})
}

// engine is the loads of a process.
type engine struct{ p *process }

func (e engine) Pause(d id.Destination, paused bool) error { return e.p.Pause(d, paused) }
func (e engine) Hasten(d id.Destination) error             { return e.p.Hasten(d) }
