// Package jobstest is what every runner of jobs is held to. It runs in real time, with
// processes that stop, take over and die; what decides is the order of steps, never how
// long one took.
package jobstest

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"weir/dataplane/jobs"
	"weir/shared/fault"
)

// patience is how long the kit waits for something.
const patience = 2 * time.Minute

// World is what jobs work on, and remembers where a restart finds it.
type World struct {
	t *testing.T

	mu      sync.Mutex
	cursor  map[jobs.Key]int
	steps   map[jobs.Key]int
	at      map[jobs.Key][]time.Time // when steps began
	inside  map[string]jobs.Key      // by lane
	keys    map[jobs.Key]bool
	doubled []jobs.Key
	plan    func(ctx context.Context, k jobs.Key, cursor int) (jobs.Next, error)
	lane    func(jobs.Key) string
}

// New returns a world whose steps do what plan says. cursor counts the steps of the job
// that came to their end without an error.
func New(t *testing.T, plan func(ctx context.Context, k jobs.Key, cursor int) (jobs.Next, error)) *World {
	return &World{
		t: t, cursor: map[jobs.Key]int{}, steps: map[jobs.Key]int{}, at: map[jobs.Key][]time.Time{}, inside: map[string]jobs.Key{}, keys: map[jobs.Key]bool{}, plan: plan,
		lane: func(k jobs.Key) string { return string(k) },
	}
}

func (w *World) step(ctx context.Context, k jobs.Key) (jobs.Next, error) {
	lane := w.lane(k)
	w.mu.Lock()
	if w.keys[k] || w.inside[lane] != "" {
		w.doubled = append(w.doubled, k)
	}
	w.keys[k], w.inside[lane] = true, k
	w.steps[k]++
	w.at[k] = append(w.at[k], time.Now())
	at := w.cursor[k]
	w.mu.Unlock()
	next, err := w.plan(ctx, k, at)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		w.cursor[k]++
	}
	delete(w.keys, k)
	delete(w.inside, lane)
	return next, err
}

// Cursor returns how far a job is.
func (w *World) Cursor(k jobs.Key) int { w.mu.Lock(); defer w.mu.Unlock(); return w.cursor[k] }

// Steps returns how many steps of a job began.
func (w *World) Steps(k jobs.Key) int { w.mu.Lock(); defer w.mu.Unlock(); return w.steps[k] }

// Until waits until ok.
func (w *World) Until(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.t.Fatalf("waited %v for: %s; cursors %v, steps %v", patience, what, w.cursor, w.steps)
		}
	}
}

// Process is a runner that runs.
type Process struct {
	jobs.Runner
	stop  context.CancelFunc
	ended chan struct{}
}

// Stop ends the process, whose steps end first.
func (p *Process) Stop() { p.stop(); <-p.ended }

// Open makes a runner of one process. All those of a test do the same jobs.
type Open func(jobs.Config) jobs.Runner

// Start starts a process that ends with the test.
func (w *World) Start(open Open) *Process {
	w.t.Helper()
	p := &Process{Runner: open(jobs.Config{Step: w.step, Lane: w.lane, Log: slog.New(slog.DiscardHandler)}), ended: make(chan struct{})}
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	go func() { p.Run(ctx); close(p.ended) }()
	w.t.Cleanup(p.Stop)
	return p
}

// Settle says whether two steps of a job, or of a lane, were done at once.
func (w *World) Settle() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.doubled) > 0 {
		w.t.Errorf("steps were done beside others of their job or lane: %v", w.doubled)
	}
}

// keysOf makes a test's keys its own: tests share a server.
func keyOf(t *testing.T, name string) jobs.Key { return jobs.Key("kit/" + t.Name() + "/" + name) }

// Run holds runners to the kit. fresh returns what opens the processes of one test.
func Run(t *testing.T, fresh func(t *testing.T) Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"a job runs to its end over waits and errors":          runsToItsEnd,
		"the schedule begins runs":                             begins,
		"a kick ends a wait and begins a run":                  kicks,
		"errors that do not pass rest longer":                  rests,
		"another process goes on":                              takesOver,
		"the step of a job that is not wanted ends":            removes,
		"one step is done at a time in a lane, more in others": lanes,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

func runsToItsEnd(t *testing.T, open Open) {
	failed := map[int]int{}
	w := New(t, func(_ context.Context, _ jobs.Key, at int) (jobs.Next, error) {
		switch {
		case (at == 2 || at == 5) && failed[at] < 2:
			failed[at]++
			return jobs.Next{}, fault.New(fault.Unavailable, "away")
		case at == 4:
			return jobs.Next{Wait: 20 * time.Millisecond}, nil
		case at >= 8:
			return jobs.Next{}, nil
		}
		return jobs.Next{More: true}, nil
	})
	p := w.Start(open)
	k := keyOf(t, "a")
	p.Set([]jobs.Want{{Key: k, Every: time.Hour}})
	w.Until("the end of its run", func() bool { return w.Cursor(k) == 9 })
	p.Kick(k)
	w.Until("the step of the next run", func() bool { return w.Cursor(k) == 10 })
	if n := w.Steps(k); n < 14 {
		t.Errorf("%d steps, want 14 at least", n)
	}
	w.Settle()
}

func begins(t *testing.T, open Open) {
	w := New(t, func(context.Context, jobs.Key, int) (jobs.Next, error) { return jobs.Next{}, nil })
	p := w.Start(open)
	often, once, longer := keyOf(t, "often"), keyOf(t, "once"), keyOf(t, "longer")
	p.Set([]jobs.Want{{Key: often, Every: time.Second}, {Key: once}, {Key: longer, Every: time.Hour}})
	w.Until("three runs by schedule", func() bool { return w.Cursor(often) >= 3 })
	w.Until("the first runs of the others", func() bool { return w.Cursor(once) == 1 && w.Cursor(longer) == 1 })
	p.Set([]jobs.Want{{Key: often, Every: time.Second}, {Key: once}, {Key: longer, Every: time.Second}})
	w.Until("runs by the new schedule", func() bool { return w.Cursor(longer) >= 3 })
	if n := w.Cursor(once); n != 1 {
		t.Errorf("%d runs of a job without schedule, want the first", n)
	}
	w.Settle()
}

func kicks(t *testing.T, open Open) {
	going := make(chan struct{})
	w := New(t, func(ctx context.Context, _ jobs.Key, at int) (jobs.Next, error) {
		switch at {
		case 0:
			return jobs.Next{Wait: time.Hour}, nil
		case 1:
			select {
			case <-going:
			case <-ctx.Done():
				return jobs.Next{}, ctx.Err()
			}
			return jobs.Next{Wait: time.Hour}, nil
		}
		return jobs.Next{}, nil
	})
	p := w.Start(open)
	k := keyOf(t, "a")
	p.Kick(k) // nobody knows it
	p.Set([]jobs.Want{{Key: k}})
	w.Until("the first step", func() bool { return w.Cursor(k) == 1 })
	p.Kick(k)
	w.Until("a step that a kick began", func() bool { return w.Steps(k) == 2 })
	p.Kick(k) // during a step: another one follows
	close(going)
	w.Until("a step after the one that was kicked", func() bool { return w.Cursor(k) >= 3 })
	n := w.Cursor(k)
	p.Kick(k)
	w.Until("a run that a kick began", func() bool { return w.Cursor(k) > n })
	w.Settle()
}

func rests(t *testing.T, open Open) {
	w := New(t, func(_ context.Context, k jobs.Key, _ int) (jobs.Next, error) {
		if k == keyOf(t, "wrong") {
			return jobs.Next{}, fault.New(fault.Invalid, "wrong")
		}
		return jobs.Next{}, fault.New(fault.Unavailable, "away")
	})
	p := w.Start(open)
	wrong, away := keyOf(t, "wrong"), keyOf(t, "away")
	p.Set([]jobs.Want{{Key: wrong}, {Key: away}})
	w.Until("the second try of what is wrong", func() bool { return w.Steps(wrong) >= 2 })
	w.mu.Lock()
	rested := w.at[wrong][1].Sub(w.at[wrong][0])
	w.mu.Unlock()
	if least := jobs.Pause(fault.Invalid, 1); rested < least {
		t.Errorf("what is wrong was tried again after %v, want %v at least", rested, least)
	}
	w.Until("several tries of what is away", func() bool { return w.Steps(away) >= 4 })
	w.Settle()
}

func takesOver(t *testing.T, open Open) {
	w := New(t, func(ctx context.Context, _ jobs.Key, at int) (jobs.Next, error) {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return jobs.Next{}, ctx.Err()
		}
		return jobs.Next{More: at%50 != 49}, nil
	})
	k := keyOf(t, "a")
	here, there := []jobs.Want{{Key: k, Every: time.Second}}, []jobs.Want{{Key: k, Every: time.Second, Elsewhere: true}}
	one, two := w.Start(open), w.Start(open)
	one.Set(here)
	two.Set(there)
	w.Until("steps", func() bool { return w.Cursor(k) >= 3 })
	one.Set(there) // its step ends before another process begins one: that is for its lease to say
	w.Until("the end of its step", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return !w.keys[k] })
	two.Set(here)
	n := w.Cursor(k)
	w.Until("steps of the other process", func() bool { return w.Cursor(k) >= n+3 })
	two.Stop()
	n = w.Steps(k)
	one.Set(here)
	w.Until("steps of the first one again", func() bool { return w.Cursor(k) >= n+3 })
	one.Stop()
	n = w.Steps(k)
	three := w.Start(open)
	three.Set(here)
	w.Until("steps of a process that is new", func() bool { return w.Steps(k) >= n+3 })
	w.Settle()
}

func removes(t *testing.T, open Open) {
	ended := make(chan struct{}, 1)
	w := New(t, func(ctx context.Context, k jobs.Key, _ int) (jobs.Next, error) {
		if k == keyOf(t, "stays") {
			return jobs.Next{}, nil
		}
		<-ctx.Done()
		ended <- struct{}{}
		return jobs.Next{More: true}, ctx.Err()
	})
	p := w.Start(open)
	goes, stays := keyOf(t, "goes"), keyOf(t, "stays")
	p.Set([]jobs.Want{{Key: goes, Every: time.Second}, {Key: stays, Every: time.Second}})
	w.Until("its step", func() bool { return w.Steps(goes) == 1 })
	p.Set([]jobs.Want{{Key: stays, Every: time.Second}})
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the step did not end")
	}
	n := w.Cursor(stays)
	w.Until("three more runs of the one that stays", func() bool { return w.Cursor(stays) >= n+3 })
	if n := w.Steps(goes); n != 1 {
		t.Errorf("%d steps of a job that is not wanted any more, want the one that ended", n)
	}
	w.Settle()
}

func lanes(t *testing.T, open Open) {
	both := make(chan struct{})
	var once sync.Once
	var mu sync.Mutex
	met := map[jobs.Key]bool{}
	a1, a2, b := keyOf(t, "a1"), keyOf(t, "a2"), keyOf(t, "b")
	w := New(t, func(ctx context.Context, k jobs.Key, at int) (jobs.Next, error) {
		mu.Lock()
		if met[k] = true; met[b] && (met[a1] || met[a2]) {
			once.Do(func() { close(both) })
		}
		mu.Unlock()
		select {
		case <-both: // steps of both lanes are done at once
		case <-ctx.Done():
			return jobs.Next{}, ctx.Err()
		}
		return jobs.Next{More: at < 5}, nil
	})
	w.lane = func(k jobs.Key) string {
		if k == b {
			return "b"
		}
		return "a"
	}
	p := w.Start(open)
	p.Set([]jobs.Want{{Key: a1}, {Key: a2}, {Key: b}})
	w.Until("the ends of all runs", func() bool { return w.Cursor(a1) == 6 && w.Cursor(a2) == 6 && w.Cursor(b) == 6 })
	w.Settle()
}
