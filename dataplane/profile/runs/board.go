// Package runs runs profiles: each when the plane begins, after loads of its warehouse, at most as often as its
// plan says, and when somebody asks. Of one profile one thing is done at a time, be it a
// run, a preview or a decision. Runs that ended early are begun again, and give what one
// that did not would have given. What is kept of them here is counts, codes and durations.
package runs

import (
	"context"
	"crypto/rand"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/dataplane/jobs"
	"weir/dataplane/profile"
	"weir/dataplane/profile/score"
	"weir/dataplane/profile/training"
	"weir/dataplane/tables"
	"weir/dataplane/warehouse"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/workspace"
	"weir/shared/workspace/profiles/scores"
)

// Job is a profile as it is configured now.
type Job struct {
	Workspace id.Workspace
	workspace.Profile
	Open  func(ctx context.Context) (warehouse.Warehouse, error)
	Table func(event string) string // the table of an event's name
}

// Config is what a Board needs.
type Config struct {
	Jobs   func() []Job
	Owner  func() bool                // whether this process of the plane runs them
	Merged func(id.Destination) int64 // rows that were loaded since the plane began
	// Done is called after a run in the run's session. Its error is logged by its code alone.
	Done func(context.Context, id.Workspace, tables.Session, profile.Config) error
	// Lacks reports whether what Done makes of a profile is not there: then it runs without delay. nil: it never is.
	Lacks  func(id.Workspace, string) bool
	Now    func() time.Time
	Log    *slog.Logger
	Runner func(jobs.Config) jobs.Runner // nil: a jobs.Loop
}

// Status is how a profile stands.
type Status struct {
	Name    string       `json:"name"`
	Running bool         `json:"running"`
	Waits   bool         `json:"waits"`   // somebody asked for a run that has not begun
	Ended   int64        `json:"ended"`   // runs since the process began that runs them
	Process string       `json:"process"` // which that is: Ended of another one says nothing of this one
	Last    *profile.Run `json:"last,omitempty"`
	Next    *time.Time   `json:"next,omitempty"` // at the earliest, when rows are loaded by then
}

// Board runs profiles.
type Board struct {
	c      Config
	name   string // of the process, which counts what ended anew
	runner jobs.Runner

	mu        sync.Mutex
	owned     bool // whether this process ran them when it looked last
	state     map[key]*state
	published map[id.Destination]int64 // runs, by warehouse
}

type key struct {
	ws   id.Workspace
	name string
}

type state struct {
	busy    chan struct{} // has one in it while something is done
	asked   *profile.Options
	running bool
	kicked  bool // since its last step
	ended   int64
	last    *profile.Run
	due     time.Time // not before
	merged  int64     // when the last run began
	failed  int       // in a row
	full    time.Time // when the last run that read all rows began
	learn   time.Time // scores are not learned before
}

// New returns a board without profiles.
func New(c Config) *Board {
	b := &Board{c: c, name: rand.Text(), state: map[key]*state{}, published: map[id.Destination]int64{}}
	job := jobs.Config{Step: b.step, Log: c.Log}
	if c.Runner == nil {
		b.runner = jobs.NewLoop(job)
	} else {
		b.runner = c.Runner(job)
	}
	return b
}

// keyOf is the key of a profile's job.
func keyOf(j Job) jobs.Key { return jobs.Key("profile/" + string(j.Workspace) + "/" + j.Name) }

// Keys returns the keys of the jobs of a workspace's profiles, by their names.
func (b *Board) Keys(ws id.Workspace) iter.Seq2[string, jobs.Key] {
	return func(yield func(string, jobs.Key) bool) {
		for _, j := range b.c.Jobs() {
			if j.Workspace == ws && !yield(j.Name, keyOf(j)) {
				return
			}
		}
	}
}

// Times.
const (
	look     = time.Second      // how often the board looks what is due
	mostTime = 30 * time.Minute // of a run
	callTime = 50 * time.Second // of what somebody waits for
	idle     = time.Hour        // without loads: windows roll
	longest  = 10 * time.Minute // between tries of a run that fails
	whole    = 24 * time.Hour   // between runs that read all rows again: some come later than any cursor steps back
)

// mostDetail is how many bytes of what a warehouse says are kept.
const mostDetail = 2 << 10

// of returns the state of a profile.
func (b *Board) of(ws id.Workspace, name string) *state {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := key{ws, name}
	if b.state[k] == nil {
		b.state[k] = &state{busy: make(chan struct{}, 1)}
	}
	return b.state[k]
}

// Run runs what is due until ctx ends.
func (b *Board) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { b.runner.Run(ctx) })
	for {
		b.assign()
		if !delay.For(ctx, look) {
			return
		}
	}
}

// assign gives the runner the profiles that are configured, and wakes those whose warehouse
// was loaded.
func (b *Board) assign() {
	all, mine := b.c.Jobs(), b.c.Owner()
	b.forget(all)
	b.mu.Lock()
	taken := mine && !b.owned
	b.owned = mine
	b.mu.Unlock()
	wanted := make([]jobs.Want, 0, len(all))
	for _, j := range all {
		wanted = append(wanted, jobs.Want{Key: keyOf(j), Every: idle, Elsewhere: !mine})
	}
	b.runner.Set(wanted)
	for _, j := range all {
		s := b.of(j.Workspace, j.Name)
		b.mu.Lock()
		if taken && s.asked == nil { // another process may have erased somebody, or begun a run, and not told the end
			s.asked = &profile.Options{}
		}
		wake := mine && !s.kicked && !s.running && b.due(s, j) <= 0
		s.kicked = s.kicked || wake
		b.mu.Unlock()
		if wake {
			b.runner.Kick(keyOf(j))
		}
	}
}

// step does a run of a profile that is due.
func (b *Board) step(ctx context.Context, k jobs.Key) (jobs.Next, error) {
	all := b.c.Jobs()
	at := slices.IndexFunc(all, func(j Job) bool { return keyOf(j) == k })
	if at < 0 || !b.c.Owner() {
		return jobs.Next{Idle: true}, nil
	}
	j := all[at]
	s := b.of(j.Workspace, j.Name)
	b.mu.Lock()
	s.kicked = false
	var o profile.Options
	if s.asked != nil {
		o, s.asked = *s.asked, nil
	} else if wait := b.due(s, j); wait > 0 {
		b.mu.Unlock()
		return jobs.Next{Wait: wait, Idle: true}, nil
	}
	b.mu.Unlock()
	b.do(ctx, j, o)
	b.mu.Lock()
	defer b.mu.Unlock()
	next := jobs.Next{More: s.asked != nil, Code: s.last.Code}
	if s.failed > 0 && !next.More {
		next.Wait = max(s.due.Sub(b.c.Now()), time.Millisecond)
	}
	return next, nil
}

// forget drops the states of profiles that are no more.
func (b *Board) forget(all []Job) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for k := range b.state {
		if !slices.ContainsFunc(all, func(j Job) bool { return j.Workspace == k.ws && j.Name == k.name }) {
			delete(b.state, k)
		}
	}
}

// due returns how long a profile has no turn; mu is held.
func (b *Board) due(s *state, j Job) time.Duration {
	now := b.c.Now()
	wait := s.due.Sub(now)
	if s.last != nil && s.failed == 0 && b.c.Lacks != nil && b.c.Lacks(j.Workspace, j.Name) {
		return 0
	}
	if s.asked != nil || wait <= 0 && (s.failed > 0 || s.last == nil || b.c.Merged(j.Warehouse) > s.merged) {
		return 0
	}
	if s.last == nil {
		return wait
	}
	return max(wait, s.last.Started.Add(idle).Sub(now))
}

// do does a run.
func (b *Board) do(ctx context.Context, j Job, o profile.Options) {
	s := b.of(j.Workspace, j.Name)
	began, merged := b.c.Now(), b.c.Merged(j.Warehouse)
	b.mu.Lock()
	s.running = true
	o.Full = o.Full || began.Sub(s.full) >= whole
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, mostTime)
	defer cancel()
	var r profile.Run
	err := b.with(ctx, j, func(ctx context.Context, session tables.Session, c profile.Config) (err error) {
		if r, err = profile.Do(ctx, session, c, began, o); err == nil && r.State == profile.Published {
			if b.learn(ctx, j, s, session, c, began, o.Learn) { // scores have a new model
				var again profile.Run
				if again, err = profile.Do(ctx, session, c, began, profile.Options{}); err == nil {
					changedBy(again, r) // whoever asked for one run sees what it changed
				}
				r = again
			}
		}
		if err == nil && b.c.Done != nil {
			if err := b.c.Done(ctx, j.Workspace, session, c); err != nil {
				b.c.Log.WarnContext(ctx, "copy of profiles not brought up to date", "workspace", j.Workspace, "profiles", j.Name, "code", warehouse.CodeOf(err))
			}
		}
		return err
	})
	if r.Started.IsZero() {
		r = profile.Run{Started: began, State: profile.Failed, Step: "open"}
	}
	r.Took = b.c.Now().Sub(began).Seconds()
	if err != nil {
		r.State, r.Code, r.Detail = profile.Failed, warehouse.CodeOf(err), err.Error()
		r.Detail = strings.ToValidUTF8(r.Detail[:min(len(r.Detail), mostDetail)], "")
		b.c.Log.WarnContext(ctx, "run of profiles failed", "workspace", j.Workspace, "profiles", j.Name, "step", r.Step, "code", r.Code)
	} else {
		b.c.Log.InfoContext(ctx, "profiles ran", "workspace", j.Workspace, "profiles", j.Name, "state", r.State, "code", r.Code, "seconds", r.Took)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.running, s.last, s.merged = false, &r, merged
	s.ended++
	if r.State == profile.Published {
		b.published[j.Warehouse]++
	}
	if s.due = b.c.Now().Add(j.Rest()); err != nil {
		s.failed++
		s.due = b.c.Now().Add(min(longest, 5*time.Second<<min(s.failed, 10)))
	} else if s.failed = 0; o.Full {
		s.full = began
	}
}

// changedBy counts what the run before changed as the run's own.
func changedBy(r, before profile.Run) {
	for entity, was := range before.Identity {
		m := r.Identity[entity]
		m.Largest, m.Moved, m.Gone, m.Touched = max(m.Largest, was.Largest), m.Moved+was.Moved, m.Gone+was.Gone, m.Touched+was.Touched
		r.Identity[entity] = m
	}
	for entity, was := range before.Built {
		b := r.Built[entity]
		b.Changed, b.Moves = b.Changed+was.Changed, b.Moves+was.Moves
		r.Built[entity] = b
	}
}

// learn learns the models of scores that are due, of all with anew, and reports whether a score
// has a new one. What fails is tried again in an hour; the run is not worse for it.
func (b *Board) learn(ctx context.Context, j Job, s *state, session tables.Session, c profile.Config, now time.Time, anew bool) (changed bool) {
	b.mu.Lock()
	rests := now.Before(s.learn)
	b.mu.Unlock()
	if rests && !anew {
		return false
	}
	due, err := training.Due(ctx, session, c, now)
	if anew {
		due = slices.DeleteFunc(slices.Clone(c.Plan.Scores), func(x scores.Score) bool { return !x.Learned() })
	}
	for _, one := range due {
		if err != nil {
			break
		}
		var l score.Learned
		if l, err = training.Learn(ctx, session, c, one, now); err == nil {
			changed = true // a standing, at least
			b.c.Log.InfoContext(ctx, "score learned", "workspace", j.Workspace, "profiles", j.Name, "score", one.Name, "live", l.Live, "code", l.Code, "examples", l.Persons)
		}
	}
	if err != nil {
		b.c.Log.WarnContext(ctx, "scores not learned", "workspace", j.Workspace, "profiles", j.Name, "code", warehouse.CodeOf(err))
		b.mu.Lock()
		s.learn = now.Add(time.Hour)
		b.mu.Unlock()
	}
	return changed
}

// with gives do a session on a profile's warehouse, when nothing else is done with it. It ends when another process of the
// plane takes over, which begins with a run.
func (b *Board) with(ctx context.Context, j Job, do func(context.Context, tables.Session, profile.Config) error) error {
	s := b.of(j.Workspace, j.Name)
	select {
	case s.busy <- struct{}{}:
		defer func() { <-s.busy }()
	case <-ctx.Done():
		return fault.New(fault.Unavailable, "The profiles are being run; try again later.")
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	go func() {
		for delay.For(ctx, look) {
			if !b.c.Owner() {
				b.mu.Lock()
				b.owned = false
				b.mu.Unlock()
				end()
			}
		}
	}()
	w, err := j.Open(ctx)
	if err != nil {
		return warehouse.Fail(warehouse.CodeUnreachable, err)
	}
	defer func() { _ = w.Close() }() // what counts is committed
	on, ok := w.(tables.Warehouse)
	if !ok {
		return warehouse.Fail(warehouse.CodeUnsupported, fault.New(fault.Invalid, "This kind of warehouse has no profiles."))
	}
	session, err := on.Session(ctx, profile.Schema)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }() // the same
	return do(ctx, session, profile.Config{Name: j.Name, Plan: j.Plan, SQL: on.Dialect(), Home: on.Home(), Table: j.Table})
}

// find returns a workspace's profile by name, the only one for "". fault.Unavailable:
// another process of the plane runs them, and only there one thing is done at a time.
func (b *Board) find(ws id.Workspace, name string) (Job, error) {
	if !b.c.Owner() {
		return Job{}, fault.New(fault.Unavailable, "Another process of this plane runs the profiles; ask again.")
	}
	var found []Job
	for _, j := range b.c.Jobs() {
		if j.Workspace == ws && (name == "" || j.Name == name) {
			found = append(found, j)
		}
	}
	switch len(found) {
	case 0:
		return Job{}, fault.New(fault.Missing, "This plane runs no profiles of this name in the workspace.")
	case 1:
		return found[0], nil
	}
	return Job{}, fault.New(fault.Invalid, "The workspace has several profiles; name one.")
}

// With gives do a session on a profile of a workspace, for as long as somebody waits.
// fault.Missing: there is none of this name. fault.Unavailable: it is in use.
func (b *Board) With(ctx context.Context, ws id.Workspace, name string, do func(context.Context, tables.Session, profile.Config) error) error {
	j, err := b.find(ws, name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return b.with(ctx, j, do)
}

// Asked is a run that somebody asked for: it has ended when more runs than Ended have ended in that process. Where another
// process runs profiles by then, what was asked for may be lost, and can be asked for again.
type Asked struct {
	Ended   int64  `json:"ended"`
	Process string `json:"process"`
}

// Ask lets a profile run without delay. Whoever asks again, before that run, gets the same one.
func (b *Board) Ask(ws id.Workspace, name string, o profile.Options) (Asked, error) {
	j, err := b.find(ws, name)
	if err != nil {
		return Asked{}, err
	}
	s := b.of(j.Workspace, j.Name)
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.asked != nil {
		o.Full, o.Force, o.Learn = o.Full || s.asked.Full, o.Force || s.asked.Force, o.Learn || s.asked.Learn
	}
	s.asked = &o
	b.runner.Kick(keyOf(j))
	asked := Asked{s.ended, b.name}
	if s.running { // that run began before somebody asked
		asked.Ended++
	}
	return asked, nil
}

// Trouble is a profile whose last run is held or failed.
type Trouble struct {
	Workspace id.Workspace
	Warehouse id.Destination
	State     string
}

// Troubled lists the profiles, of all workspaces, whose last run is held or failed, in the process that runs them.
func (b *Board) Troubled() (all []Trouble) {
	if b == nil || !b.c.Owner() { // the plane begins
		return nil
	}
	for _, j := range b.c.Jobs() {
		s := b.of(j.Workspace, j.Name)
		b.mu.Lock()
		last := s.last
		b.mu.Unlock()
		if last != nil && (last.State == profile.Held || last.State == profile.Failed) {
			all = append(all, Trouble{j.Workspace, j.Warehouse, last.State})
		}
	}
	return all
}

// Published returns how many runs of a warehouse's profiles published since the plane
// began, as far as this process ran them.
func (b *Board) Published(w id.Destination) int64 {
	if b == nil { // the plane begins
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.published[w]
}

// Statuses lists the profiles of a workspace.
func (b *Board) Statuses(ws id.Workspace) []Status {
	var all []Status
	for _, j := range b.c.Jobs() {
		if j.Workspace != ws {
			continue
		}
		s := b.of(j.Workspace, j.Name)
		b.mu.Lock()
		one := Status{Name: j.Name, Running: s.running, Waits: s.asked != nil, Ended: s.ended, Process: b.name, Last: s.last}
		if !s.due.IsZero() {
			next := s.due
			one.Next = &next
		}
		b.mu.Unlock()
		all = append(all, one)
	}
	return all
}
