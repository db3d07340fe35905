package record_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/jobs"
	"weir/dataplane/jobs/record"
	"weir/dataplane/queue/natsstore/table"
	"weir/shared/fault"
)

// memory is a table that several processes share.
type memory struct {
	mu      sync.Mutex
	docs    map[string]table.Document
	last    uint64
	follows []chan table.Document
}

func (m *memory) Get(_ context.Context, key string) (table.Document, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, there := m.docs[key]
	if !there {
		return d, fault.New(fault.Missing, "none")
	}
	return d, nil
}

func (m *memory) Put(_ context.Context, key string, value []byte, revision uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.docs[key].Revision != revision {
		return 0, fault.New(fault.Conflict, "another one")
	}
	m.last++
	d := table.Document{Key: key, Value: value, Revision: m.last}
	m.docs[key] = d
	for _, f := range m.follows {
		f <- d
	}
	return m.last, nil
}

func (m *memory) Watch(ctx context.Context, changed func(table.Document), known func()) error {
	f := make(chan table.Document, 1000)
	m.mu.Lock()
	for _, d := range m.docs {
		f <- d
	}
	m.follows = append(m.follows, f)
	n := len(f)
	m.mu.Unlock()
	for ; n > 0; n-- {
		changed(<-f)
	}
	known()
	for {
		select {
		case d := <-f:
			changed(d)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// process is one that does jobs, with its book.
func process(t *testing.T, m *memory, step jobs.Step) (*record.Book, jobs.Runner, func()) {
	t.Helper()
	b := record.New(m, slog.New(slog.DiscardHandler))
	r := b.Runner(func(c jobs.Config) jobs.Runner { return jobs.NewLoop(c) })(jobs.Config{Step: step, Log: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { b.Run(ctx) })
	all.Go(func() { r.Run(ctx) })
	end := func() { stop(); all.Wait() }
	t.Cleanup(end)
	return b, r, end
}

func TestABookHasRunsAndSurvivesItsProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{docs: map[string]table.Document{}}
		n := 0
		wants := []jobs.Want{{Key: "sync/ws_a/sync_a", Every: time.Hour}}
		b, r, end := process(t, m, func(context.Context, jobs.Key) (jobs.Next, error) {
			time.Sleep(2 * time.Second)
			switch n++; n {
			case 1:
				return jobs.Next{More: true, Rows: 5}, nil
			case 2:
				return jobs.Next{}, fault.New(fault.Unavailable, "text of a vendor")
			case 3:
				return jobs.Next{Wait: time.Minute, Code: "source_limited"}, nil
			case 4:
				return jobs.Next{Rows: 7}, nil
			}
			return jobs.Next{Idle: true}, nil
		})
		r.Set(wants)
		time.Sleep(time.Second)
		if s := b.Jobs("ws_a"); len(s) != 1 || s[0].State != "running" {
			t.Errorf("during its first step: %+v", s)
		}
		time.Sleep(9 * time.Second)
		if s := b.Jobs("ws_a"); s[0].State != "failing" || s[0].Code != "source_limited" || s[0].Took != 2*time.Second || s[0].Steps != 3 || !s[0].Due.After(time.Now()) {
			t.Errorf("while it waits for the account's limit: %+v", s)
		}
		time.Sleep(2 * time.Minute)
		runs := b.Runs("sync/ws_a/sync_a")
		if len(runs) != 1 || runs[0].Steps != 4 || runs[0].Errors != 1 || runs[0].Rows != 12 || runs[0].Code != "" || runs[0].Ended.IsZero() {
			t.Errorf("runs: %+v", runs)
		}
		if s := b.Jobs("ws_a"); s[0].State != "waiting" || s[0].Code != "" || s[0].Due.Sub(runs[0].Began) < time.Hour {
			t.Errorf("after its run: %+v", s)
		}
		if b.Jobs("ws_b") != nil {
			t.Error("another workspace has the job")
		}
		end()
		again, r, _ := process(t, m, func(context.Context, jobs.Key) (jobs.Next, error) { return jobs.Next{Wait: time.Hour, Idle: true}, nil })
		r.Set(wants)
		time.Sleep(2 * time.Second)
		if got := again.Runs("sync/ws_a/sync_a"); len(got) != 1 || got[0].Rows != 12 || !got[0].Ended.Equal(runs[0].Ended) {
			t.Errorf("runs in the next process: %+v", got)
		}
		r.Set(nil)
		if s := again.Jobs("ws_a"); len(s) != 0 {
			t.Errorf("jobs that nobody wants: %+v", s)
		}
	})
}

func TestAPausedJobRestsInAllProcesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{docs: map[string]table.Document{}}
		steps := 0
		step := func(context.Context, jobs.Key) (jobs.Next, error) { steps++; return jobs.Next{}, nil }
		const k = jobs.Key("profile/ws_a/customers")
		here, r, _ := process(t, m, step)
		r.Set([]jobs.Want{{Key: k, Every: time.Second}})
		there, r, _ := process(t, m, func(context.Context, jobs.Key) (jobs.Next, error) { return jobs.Next{}, errors.New("not here") })
		r.Set([]jobs.Want{{Key: k, Every: time.Second, Elsewhere: true}})
		if err := there.Pause(t.Context(), k, true); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("a pause before the record is read: %v", err)
		}
		time.Sleep(10 * time.Second)
		if err := there.Pause(t.Context(), k, true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		had := steps
		time.Sleep(time.Minute)
		if steps != had || had < 5 || !here.Paused(k) || here.Jobs("ws_a")[0].State != "paused" {
			t.Errorf("%d steps, then %d while it was paused; %+v", had, steps-had, here.Jobs("ws_a"))
		}
		if err := here.Pause(t.Context(), k, false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if steps < had+5 || there.Paused(k) {
			t.Errorf("%d steps after it was resumed", steps-had)
		}
	})
}
