package jobs

import (
	"context"
	"sync"
	"time"

	"weir/shared/fault"
)

// Loop is a Runner in this process: what it knows of jobs it forgets when it ends.
type Loop struct {
	cfg  Config
	wake chan struct{}

	mu     sync.Mutex
	jobs   map[Key]*job
	served map[string]uint64 // when each group had its last turn
	turn   uint64
	busy   map[string]bool // lanes in which a step is done
	held   bool
}

// job is what a loop knows of one.
type job struct {
	want     Want
	due      time.Time // zero: not before it is kicked
	began    time.Time // the run; zero: none goes on
	served   uint64
	failures int
	kicked   bool               // during its step
	cancel   context.CancelFunc // of its step
}

// NewLoop returns a loop without jobs.
func NewLoop(cfg Config) *Loop {
	return &Loop{cfg: cfg.WithDefaults(), wake: make(chan struct{}, 1), jobs: map[Key]*job{}, served: map[string]uint64{}, busy: map[string]bool{}}
}

// Set implements Runner.
func (l *Loop) Set(wanted []Want) {
	l.mu.Lock()
	defer l.mu.Unlock()
	keep := make(map[Key]*job, len(wanted))
	groups := make(map[string]uint64, len(wanted))
	for _, w := range wanted {
		if w.Elsewhere {
			continue
		}
		j := l.jobs[w.Key]
		switch {
		case j == nil:
			j = &job{due: time.Now()}
		case (j.want.Every != w.Every || j.want.Cron != w.Cron) && j.began.IsZero():
			j.due = time.Now() // its step knows when the last run was
		}
		j.want = w
		keep[w.Key] = j
		g := l.cfg.Group(w.Key)
		groups[g] = l.served[g]
	}
	for k, j := range l.jobs {
		if keep[k] == nil && j.cancel != nil {
			j.cancel()
		}
	}
	l.jobs, l.served = keep, groups
	l.look()
}

// Kick implements Runner.
func (l *Loop) Kick(k Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if j := l.jobs[k]; j != nil {
		j.due, j.failures, j.kicked = time.Now(), 0, true
		l.look()
	}
}

// Hold keeps the loop from beginning steps until it is called with false, after which
// each job is due at once: another runner does them meanwhile.
func (l *Loop) Hold(held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == held {
		return
	}
	l.held = held
	for _, j := range l.jobs {
		j.due = time.Now()
	}
	l.look()
}

func (l *Loop) look() {
	select {
	case l.wake <- struct{}{}:
	default: // Run will look
	}
}

// Run implements Runner.
func (l *Loop) Run(ctx context.Context) {
	var steps sync.WaitGroup
	defer steps.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		chosen, wait := l.next(ctx, time.Now())
		for _, t := range chosen {
			steps.Go(func() { l.do(ctx, t) })
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-l.wake:
		case <-ctx.Done():
		}
	}
}

// turn is a job whose turn it is in its lane.
type turn struct {
	key  Key
	lane string
	job  *job
	ctx  context.Context
}

// next begins the turns of jobs whose lanes are free, and returns how long no other is due.
func (l *Loop) next(ctx context.Context, now time.Time) (chosen map[string]turn, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait, chosen = time.Hour, map[string]turn{}
	if l.held {
		return nil, wait
	}
	for key, j := range l.jobs {
		lane := l.cfg.Lane(key)
		switch best, there := chosen[lane]; {
		case j.due.IsZero():
		case j.due.After(now):
			wait = min(wait, j.due.Sub(now))
		case l.busy[lane]:
		case !there || l.before(key, j, best.key, best.job):
			chosen[lane] = turn{key: key, lane: lane, job: j}
		}
	}
	for lane, t := range chosen {
		l.busy[lane] = true
		l.turn++
		l.served[l.cfg.Group(t.key)], t.job.served = l.turn, l.turn
		t.ctx, t.job.cancel = context.WithCancel(ctx)
		t.job.kicked = false
		chosen[lane] = t
	}
	return chosen, wait
}

// before reports whether a has its turn before b.
func (l *Loop) before(a Key, ja *job, b Key, jb *job) bool {
	ga, gb := l.served[l.cfg.Group(a)], l.served[l.cfg.Group(b)]
	if ga != gb {
		return ga < gb
	}
	return ja.served < jb.served || ja.served == jb.served && a < b
}

// do does a step of a job.
func (l *Loop) do(ctx context.Context, t turn) {
	began := time.Now()
	next, err := l.cfg.Step(t.ctx, t.key)
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.look()
	j := t.job
	j.cancel()
	j.cancel = nil
	delete(l.busy, t.lane)
	now := time.Now()
	if j.began.IsZero() {
		j.began = began
	}
	begun := j.began
	if err == nil && !next.More && next.Wait <= 0 {
		j.began = time.Time{} // the run is over
	}
	switch {
	case j.kicked:
		j.due = now
	case err != nil:
		kind := fault.KindOf(err)
		if j.failures == 0 && ctx.Err() == nil {
			l.cfg.Log.WarnContext(ctx, "step of a job put off", "job", string(t.key), "kind", kind.String())
		}
		j.failures++
		j.due = now.Add(Pause(kind, j.failures))
		return
	case next.More:
		j.due = now
	case next.Wait > 0:
		j.due = now.Add(next.Wait)
	default:
		if j.due = j.want.Next(begun); !j.due.IsZero() && j.due.Before(now) {
			j.due = now // the run took longer than the time between two
		}
	}
	j.failures = 0
}
