// Package jobs runs long work in steps. It decides when a step runs and whose turn it
// is; what is left to do is for the step to know, which keeps it where a restart finds
// it. So a job goes on after a death where its last step ended, and nothing of what it
// works on is here.
//
// A Runner has two implementations: Loop, in this process, and the one of package
// temporal, whose server keeps what was run. Both are held to the kit of package
// jobstest.
package jobs

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"weir/shared/fault"
)

// Key names a job. It is made of names and identifiers of what is configured, never of
// what the job works on: kind/workspace/object.
type Key string

// Next says when a job has its next step: at once, in its turn, with More; after Wait
// when that is positive; else its run is over, and the next one begins when the schedule
// says so or when it is kicked.
type Next struct {
	More bool
	Wait time.Duration

	Idle bool   // the step found nothing to do
	Code string // why the job does not go on, in snake case
	Rows int64  // what the step moved
}

// Step does a bounded part of a job, a few seconds long, and can be done again: a
// death may come before what it did is noted. After an error the job is due again
// by its kind, see Pause. ctx ends when the job is not wanted any more. Of one job no
// two steps are done at a time.
type Step func(ctx context.Context, k Key) (Next, error)

// Want is a job that there is to be, and when its runs begin beside those that are kicked.
type Want struct {
	Key       Key
	Every     time.Duration // from the beginning of one run to that of the next; 0: none begins so
	Cron      string        // five fields, UTC; "": none begins so
	Elsewhere bool          // another process does its steps
}

// Next returns when the schedule begins a run after one that began at a time; zero: it
// begins none.
func (w Want) Next(began time.Time) (next time.Time) {
	if w.Every > 0 {
		next = began.Add(w.Every)
	}
	if w.Cron == "" {
		return next
	}
	if c, err := cron.ParseStandard(w.Cron); err == nil {
		if at := c.Next(began.UTC()); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// Runner does steps of jobs when they are due. It is safe for concurrent use.
type Runner interface {
	// Set makes the runner have the wanted jobs and no others: new ones are due at once,
	// and the step of one that is not wanted any more, or elsewhere, ends.
	Set(wanted []Want)
	// Kick makes a job due at once. One that is not wanted is left alone.
	Kick(k Key)
	// Run does steps until ctx ends.
	Run(ctx context.Context)
}

// Config is what a runner works with. Step and Log are required.
type Config struct {
	Step Step
	// Lane names the lane of a job, in which one step is done at a time: what has to be
	// done one after the other shares one. nil: all jobs are in one.
	Lane func(Key) string
	// Group says which jobs of a lane belong together. Groups take turns, then the jobs of
	// a group, so that one tenant's many jobs delay another's by one step each. nil: each
	// workspace is a group.
	Group func(Key) string
	Log   *slog.Logger
}

// WithDefaults returns c with a lane and groups.
func (c Config) WithDefaults() Config {
	if c.Lane == nil {
		c.Lane = func(Key) string { return "" }
	}
	if c.Group == nil {
		c.Group = Workspace
	}
	return c
}

// Workspace returns the second word of a key.
func Workspace(k Key) string {
	_, rest, _ := strings.Cut(string(k), "/")
	ws, _, _ := strings.Cut(rest, "/")
	return ws
}

// Pause returns how long a job rests after so many errors in a row, from 1: 250 ms that
// each further one doubles, to 5 s; of errors that do not pass by themselves, 5 s and to
// 5 min.
func Pause(kind fault.Kind, failures int) time.Duration {
	first, last := 250*time.Millisecond, 5*time.Second
	switch kind {
	case fault.Invalid, fault.Denied, fault.Missing:
		first, last = last, 5*time.Minute
	}
	return min(first<<min(max(failures-1, 0), 20), last)
}
