package temporal

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"weir/dataplane/jobs"
	"weir/shared/delay"
)

// Times of what a runner arranges with the server.
const (
	tryAgain    = time.Second
	listEvery   = 10 * time.Minute // for schedules that nobody wants
	forgetAfter = time.Minute      // a schedule that nobody wants for so long goes
)

// errElsewhere ends a step that another process does, or this one later.
var errElsewhere = temporal.NewApplicationError("", elsewhere)

// runner is the jobs of one kind.
type runner struct {
	s    *Service
	kind string
	cfg  jobs.Config
	loop *jobs.Loop // does the steps while the server is away
	wake chan struct{}

	mu     sync.Mutex
	live   bool // Run runs
	given  bool // what is wanted is known
	wanted map[jobs.Key]jobs.Want
	gone   map[jobs.Key]time.Time // since when a schedule is not wanted
	kicked map[jobs.Key]bool      // that the server has to be told
	drives map[jobs.Key]string    // the last known workflow of each
	doing  map[jobs.Key]*doing
	lanes  map[string]chan struct{}
	steps  sync.WaitGroup
}

// doing is a step that is done, or waits for its lane.
type doing struct {
	cancel context.CancelFunc
	kicked bool
}

func newRunner(s *Service, kind string, c jobs.Config) *runner {
	r := &runner{
		s: s, kind: kind, cfg: c, wake: make(chan struct{}, 1), wanted: map[jobs.Key]jobs.Want{}, gone: map[jobs.Key]time.Time{}, kicked: map[jobs.Key]bool{},
		drives: map[jobs.Key]string{}, doing: map[jobs.Key]*doing{}, lanes: map[string]chan struct{}{},
	}
	inner := c
	inner.Step = r.do
	r.loop = jobs.NewLoop(inner)
	return r
}

// Run implements jobs.Runner.
func (r *runner) Run(ctx context.Context) {
	r.mu.Lock()
	r.live = true
	r.mu.Unlock()
	r.look()
	r.loop.Run(ctx)
	r.mu.Lock()
	r.live = false
	for _, d := range r.doing {
		d.cancel()
	}
	r.mu.Unlock()
	r.steps.Wait()
}

// Set implements jobs.Runner.
func (r *runner) Set(wanted []jobs.Want) {
	r.loop.Set(wanted)
	r.mu.Lock()
	defer r.mu.Unlock()
	now := make(map[jobs.Key]jobs.Want, len(wanted))
	for _, w := range wanted {
		now[w.Key] = w
		delete(r.gone, w.Key)
	}
	for k := range r.wanted {
		if _, there := now[k]; !there {
			r.gone[k] = time.Now()
		}
	}
	for k, d := range r.doing {
		if w, there := now[k]; !there || w.Elsewhere {
			d.cancel()
		}
	}
	r.wanted, r.given = now, true
	r.look()
}

// Kick implements jobs.Runner.
func (r *runner) Kick(k jobs.Key) {
	r.loop.Kick(k)
	r.mu.Lock()
	defer r.mu.Unlock()
	if w, there := r.wanted[k]; !there || w.Elsewhere {
		return
	}
	if d := r.doing[k]; d != nil {
		d.kicked = true // its step is followed by another one
		return
	}
	r.kicked[k] = true
	r.look()
}

func (r *runner) look() {
	select {
	case r.wake <- struct{}{}:
	default: // arrange will look
	}
}

// asked does a step that the workflow of a job asks for.
func (r *runner) asked(ctx context.Context, k jobs.Key, drive string) (done result, err error) {
	r.mu.Lock()
	w, there := r.wanted[k]
	switch {
	case !r.given || !r.live || there && w.Elsewhere || r.doing[k] != nil:
		r.mu.Unlock()
		return result{}, errElsewhere
	case !there:
		r.mu.Unlock()
		return result{}, nil // its run is over
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d := &doing{cancel: cancel}
	r.doing[k], r.drives[k] = d, drive
	r.steps.Add(1)
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		defer r.steps.Done()
		delete(r.doing, k)
		if d.kicked { // another step follows
			done.More, err = true, nil
		}
	}()
	next, err := r.do(ctx, k)
	switch {
	case ctx.Err() != nil: // it is not wanted here any more
		return result{}, errElsewhere
	case err != nil:
		return result{}, failureOf(err)
	}
	return result{More: next.More, Wait: next.Wait, Code: next.Code, Rows: next.Rows}, nil
}

// do does a step when its lane is free, be it that of the loop or of the server.
func (r *runner) do(ctx context.Context, k jobs.Key) (jobs.Next, error) {
	name := r.cfg.Lane(k)
	r.mu.Lock()
	lane := r.lanes[name]
	if lane == nil {
		lane = make(chan struct{}, 1)
		r.lanes[name] = lane
	}
	r.mu.Unlock()
	select {
	case lane <- struct{}{}:
		defer func() { <-lane }()
	case <-ctx.Done():
		return jobs.Next{}, ctx.Err()
	}
	if ctx.Err() != nil {
		return jobs.Next{}, ctx.Err()
	}
	return r.cfg.Step(ctx, k)
}

// prefix is what the schedules of the runner's jobs begin with: several planes may share a
// namespace.
func (r *runner) prefix() string { return string(r.s.cfg.Plane) + "/" }

// arrange gives the server the schedules that are wanted, and tells it of kicks, until
// ctx ends.
func (r *runner) arrange(ctx context.Context, c client.Client) {
	has := map[jobs.Key]jobs.Want{} // what the server is known to have
	var listed time.Time
	for ctx.Err() == nil {
		if !r.s.Away() {
			r.schedules(ctx, c, has)
			r.kicks(ctx, c)
			if time.Since(listed) > listEvery && r.list(ctx, c, has) {
				listed = time.Now()
			}
		} else {
			clear(has)
		}
		timer := time.NewTimer(tryAgain)
		select {
		case <-timer.C:
		case <-r.wake:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// schedules makes, changes and removes schedules.
func (r *runner) schedules(ctx context.Context, c client.Client, has map[jobs.Key]jobs.Want) {
	r.mu.Lock()
	var put []jobs.Want
	for k, w := range r.wanted {
		if had, there := has[k]; !w.Elsewhere && (!there || had.Every != w.Every || had.Cron != w.Cron) {
			put = append(put, w)
		}
	}
	var remove []jobs.Key
	for k, since := range r.gone {
		if time.Since(since) >= forgetAfter {
			remove = append(remove, k)
		}
	}
	r.mu.Unlock()
	for _, w := range put {
		if err := r.put(ctx, c, w); err != nil {
			return // at the next look
		}
		has[w.Key] = w
	}
	for _, k := range remove {
		if err := r.remove(ctx, c, k); err != nil {
			return
		}
		delete(has, k)
		r.mu.Lock()
		delete(r.gone, k)
		delete(r.drives, k)
		r.mu.Unlock()
	}
}

// put makes a schedule, whose first run begins at once, or changes it.
func (r *runner) put(ctx context.Context, c client.Client, w jobs.Want) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	spec := specOf(w)
	name := r.prefix() + string(w.Key)
	_, err := c.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID: name, Spec: spec, Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_BUFFER_ONE, CatchupWindow: max(catchUp, 2*w.Every), TriggerImmediately: true,
		Action: &client.ScheduleWorkflowAction{ID: name, Workflow: driveName, Args: []interface{}{w.Key}, TaskQueue: r.s.queue},
	})
	if err == nil || !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return err
	}
	return c.ScheduleClient().GetHandle(ctx, name).Update(ctx, client.ScheduleUpdateOptions{DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
		in.Description.Schedule.Spec = &spec
		return &client.ScheduleUpdate{Schedule: &in.Description.Schedule}, nil
	}})
}

// remove removes a schedule; the workflow of it ends with its next step.
func (r *runner) remove(ctx context.Context, c client.Client, k jobs.Key) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	err := c.ScheduleClient().GetHandle(ctx, r.prefix()+string(k)).Delete(ctx)
	if missing(err) {
		return nil
	}
	if err == nil {
		if running, _ := r.running(ctx, c, k); running != "" {
			_ = c.CancelWorkflow(ctx, running, "") // else it ends when its wait does
		}
	}
	return err
}

func missing(err error) bool {
	var m *serviceerror.NotFound
	return errors.As(err, &m)
}

// list finds schedules of the kind that nobody wants: of jobs that went while no process
// of the plane ran.
func (r *runner) list(ctx context.Context, c client.Client, has map[jobs.Key]jobs.Want) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	r.mu.Lock()
	given := r.given
	r.mu.Unlock()
	if !given {
		return false
	}
	it, err := c.ScheduleClient().List(ctx, client.ScheduleListOptions{PageSize: 500})
	if err != nil {
		return false
	}
	for it.HasNext() {
		entry, err := it.Next()
		if err != nil {
			return false
		}
		rest, mine := strings.CutPrefix(entry.ID, r.prefix())
		if k := jobs.Key(rest); mine && strings.HasPrefix(rest, r.kind+"/") {
			r.mu.Lock()
			if _, there := r.wanted[k]; !there && r.gone[k].IsZero() {
				r.gone[k] = time.Now()
			}
			r.mu.Unlock()
		}
	}
	return true
}

// kicks tells the server which jobs are due.
func (r *runner) kicks(ctx context.Context, c client.Client) {
	r.mu.Lock()
	var all []jobs.Key
	for k := range r.kicked {
		all = append(all, k)
	}
	clear(r.kicked)
	r.mu.Unlock()
	for n, k := range all {
		if err := r.kick(ctx, c, k); err == nil {
			continue
		}
		r.mu.Lock()
		for _, k := range all[n:] {
			if _, there := r.wanted[k]; there {
				r.kicked[k] = true
			}
		}
		r.mu.Unlock()
		return
	}
}

// kick wakes the workflow of a job, or begins one.
func (r *runner) kick(ctx context.Context, c client.Client, k jobs.Key) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	r.mu.Lock()
	drive := r.drives[k]
	r.mu.Unlock()
	for range 3 {
		if drive != "" {
			err := c.SignalWorkflow(ctx, drive, "", kickName, nil)
			if err == nil || !missing(err) {
				return err
			}
		}
		now, err := r.running(ctx, c, k)
		if missing(err) {
			return nil // its schedule is made, and begins a run, later
		}
		if err != nil {
			return err
		}
		if drive = now; drive == "" {
			return c.ScheduleClient().GetHandle(ctx, r.prefix()+string(k)).Trigger(ctx, client.ScheduleTriggerOptions{Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_BUFFER_ONE})
		}
		delay.For(ctx, 50*time.Millisecond) // it ended just now, and the schedule does not know
	}
	return nil
}

// running returns the workflow of a job that runs, "" for none.
func (r *runner) running(ctx context.Context, c client.Client, k jobs.Key) (string, error) {
	d, err := c.ScheduleClient().GetHandle(ctx, r.prefix()+string(k)).Describe(ctx)
	if err != nil || len(d.Info.RunningWorkflows) == 0 {
		return "", err
	}
	return d.Info.RunningWorkflows[0].WorkflowID, nil
}
