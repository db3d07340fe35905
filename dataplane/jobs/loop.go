// Package jobs runs long work in steps. It decides when a step runs and whose turn it
// is; what is left to do is for the step to know, which keeps it where a restart finds
// it. So a job goes on after a death where its last step ended, and nothing of what it
// works on is here.
//
// A Loop does one step at a time: what has to be done one after the other, such as
// taking things out of one log, shares a loop. Groups take turns, then the jobs of a
// group, so that one tenant's many jobs delay another's by one step each.
package jobs

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"weir/shared/fault"
)

// Key names a job. It is made of identifiers, never of what the job works on.
type Key string

// Next says when a job has its next step: at once, in its turn, with More; after Wait
// when that is positive; else not before it is kicked.
type Next struct {
	More bool
	Wait time.Duration
}

// Step does a bounded part of a job, a few seconds long, and can be done again: a
// death may come before what it did is noted. After an error the job is due again
// later. ctx ends when the job is not wanted any more.
type Step func(ctx context.Context, k Key) (Next, error)

// How long a job rests after an error; each further one in a row doubles it.
const (
	firstPause = 250 * time.Millisecond
	lastPause  = 5 * time.Second
)

// Loop runs the steps of jobs. It is safe for concurrent use.
type Loop struct {
	step  Step
	group func(Key) string
	log   *slog.Logger
	wake  chan struct{}

	mu      sync.Mutex
	jobs    map[Key]*job
	served  map[string]uint64 // when each group had its last turn
	turn    uint64
	running Key
	cancel  context.CancelFunc // of the step that runs
}

// job is what a loop knows of one.
type job struct {
	due    time.Time // zero: not before it is kicked
	served uint64
	pause  time.Duration
	kicked bool // during its step
}

// NewLoop returns a loop without jobs. group says which jobs belong together, log is
// where steps that failed are noted.
func NewLoop(step Step, group func(Key) string, log *slog.Logger) *Loop {
	return &Loop{step: step, group: group, log: log, wake: make(chan struct{}, 1), jobs: map[Key]*job{}, served: map[string]uint64{}}
}

// Set makes the loop have the wanted jobs and no others: new ones are due at once, and
// the step of one that is not wanted any more ends.
func (l *Loop) Set(wanted []Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	keep := make(map[Key]*job, len(wanted))
	groups := make(map[string]uint64, len(wanted))
	for _, k := range wanted {
		if keep[k] = l.jobs[k]; keep[k] == nil {
			keep[k] = &job{due: time.Now()}
		}
		groups[l.group(k)] = l.served[l.group(k)]
	}
	if l.cancel != nil && keep[l.running] == nil {
		l.cancel()
	}
	l.jobs, l.served = keep, groups
	l.look()
}

// Kick makes a job due at once.
func (l *Loop) Kick(k Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if j := l.jobs[k]; j != nil {
		j.due, j.pause, j.kicked = time.Now(), 0, true
		l.look()
	}
}

func (l *Loop) look() {
	select {
	case l.wake <- struct{}{}:
	default: // Run will look
	}
}

// Run does steps until ctx ends.
func (l *Loop) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		k, j, wait := l.next(time.Now())
		if j != nil {
			l.do(ctx, k, j)
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-l.wake:
		case <-ctx.Done():
		}
	}
}

// next returns the job whose turn it is, or how long none is due.
func (l *Loop) next(now time.Time) (k Key, chosen *job, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait = time.Hour
	for key, j := range l.jobs {
		switch {
		case j.due.IsZero():
		case j.due.After(now):
			wait = min(wait, j.due.Sub(now))
		case chosen == nil || l.before(key, j, k, chosen):
			k, chosen = key, j
		}
	}
	return k, chosen, wait
}

// before reports whether a has its turn before b.
func (l *Loop) before(a Key, ja *job, b Key, jb *job) bool {
	ga, gb := l.served[l.group(a)], l.served[l.group(b)]
	if ga != gb {
		return ga < gb
	}
	return ja.served < jb.served || ja.served == jb.served && a < b
}

// do does a step of a job.
func (l *Loop) do(ctx context.Context, k Key, j *job) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.mu.Lock()
	if l.jobs[k] != j {
		l.mu.Unlock()
		return
	}
	l.turn++
	l.served[l.group(k)], j.served = l.turn, l.turn
	l.running, l.cancel, j.kicked = k, cancel, false
	l.mu.Unlock()
	next, err := l.step(ctx, k)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running, l.cancel = "", nil
	now := time.Now()
	switch {
	case j.kicked:
		j.due = now
	case err != nil:
		if j.pause == 0 && ctx.Err() == nil {
			l.log.WarnContext(ctx, "step of a job put off", "job", string(k), "kind", fault.KindOf(err).String())
		}
		j.pause = min(max(2*j.pause, firstPause), lastPause)
		j.due = now.Add(j.pause)
		return
	case next.More:
		j.due = now
	case next.Wait > 0:
		j.due = now.Add(next.Wait)
	default:
		j.due = time.Time{}
	}
	j.pause = 0
}
