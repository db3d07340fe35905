package transform

import (
	"maps"
	"slices"
	"sync"
	"time"

	"weir/shared/fault"
	"weir/shared/id"
)

// queueKey names the events that wait together: fairness is per workspace, and within
// one per chain, suspension per chain.
type queueKey struct {
	workspace id.Workspace
	chain     string
}

// job is a range of one call's events.
type job struct {
	call     *call
	chain    *Chain
	meta     Meta
	key      queueKey
	from, to int
	probe    bool // it finds out whether a suspended queue may go on
	single   bool // a limit was met: one by one
	alone    bool // a worker died: one a request
	deaths   int  // of workers while the event at from was alone
	late     int  // of these, because the worker did not answer
	outside  int  // workers that somebody else killed

	begun    time.Time     // its request
	expected time.Duration // what was charged for it then
	slow     bool          // it came from a slow queue
}

// Suspension of a chain whose events all meet limits.
const (
	suspendAfter = 20 // events in a row
	suspendFor   = 3 * time.Second
)

// queue is the jobs of a workspace's chain.
type queue struct {
	tenant  *tenant
	jobs    []*job
	running int
	used    time.Duration // of workers, as tenant.used
	known   bool          // a request of it is over
	mean    time.Duration // that one takes, of late
	limited int           // events in a row that met a limit
	until   time.Time     // suspended; zero: not
	probing bool
}

// tenant is a workspace with queues.
type tenant struct {
	workspace id.Workspace
	queues    int      // that are remembered
	ready     []*queue // with jobs
	running   int
	// used is the time of workers that it had, on a clock that passes over what it did
	// not ask for: who asks again begins where the others are.
	used  time.Duration
	clock time.Duration // that of its queues
	mean  time.Duration // that one of its requests takes, of late
}

// What is slow: it leaves a worker to the rest.
const (
	slowTime = 20 * time.Millisecond // that a request takes: so long a neighbour may wait for a worker
	restTime = 10 * time.Second      // for which a job that is not slow counts
)

// maxQueues is how many queues are remembered for what they were like alone.
const maxQueues = 4096

// scheduler hands jobs to workers: those of the workspace that used least of their
// time, and of its queues that which did. How many jobs wait is bounded by the callers
// of Apply, who wait for theirs.
type scheduler struct {
	workers int

	mu      sync.Mutex
	wake    *sync.Cond
	queues  map[queueKey]*queue
	tenants map[id.Workspace]*tenant
	ready   []*tenant     // with jobs
	clock   time.Duration // what the tenant had used that was served last
	slow    int           // jobs of slow queues that run
	rested  time.Time     // when the last job came that was not slow
	used    bool          // a job came: workers are started
	closed  bool
	down    int // workers that cannot be started
}

func newScheduler(workers int) *scheduler {
	s := &scheduler{workers: workers, queues: map[queueKey]*queue{}, tenants: map[id.Workspace]*tenant{}}
	s.wake = sync.NewCond(&s.mu)
	return s
}

// close fails all that waits and all that comes.
func (s *scheduler) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.flush()
	s.wake.Broadcast()
}

// flush fails all jobs that wait.
func (s *scheduler) flush() {
	for _, t := range s.ready {
		for _, q := range t.ready {
			for _, j := range q.jobs {
				j.call.fail(errDown())
			}
			q.jobs, q.probing = nil, false
		}
		t.ready = nil
	}
	s.ready = nil
}

func errDown() error {
	return fault.New(fault.Unavailable, "No transformation worker runs.")
}

// put adds jobs of one queue.
func (s *scheduler) put(jobs []*job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queue(jobs[0].key)
	if s.closed || s.down >= s.workers {
		q.probing = q.probing && !jobs[0].probe
		for _, j := range jobs {
			j.call.fail(errDown())
		}
		return
	}
	if q.suspended() && !jobs[0].probe {
		for _, j := range jobs {
			j.suspend()
		}
		return
	}
	s.waits(q)
	q.jobs = append(q.jobs, jobs...)
	if !q.isSlow() {
		s.rested = time.Now()
	}
	if !s.used {
		s.used = true
		s.wake.Broadcast()
	}
	for range min(len(jobs), s.workers) {
		s.wake.Signal()
	}
}

// queue returns a queue, made when there is none.
func (s *scheduler) queue(key queueKey) *queue {
	q, ok := s.queues[key]
	if ok {
		return q
	}
	if len(s.queues) >= maxQueues {
		for k, old := range s.queues {
			if old.running == 0 && len(old.jobs) == 0 {
				s.forget(k)
			}
		}
	}
	t := s.tenants[key.workspace]
	if t == nil {
		if len(s.tenants) >= 2*maxQueues {
			maps.DeleteFunc(s.tenants, func(_ id.Workspace, old *tenant) bool { return old.queues == 0 })
		}
		t = &tenant{workspace: key.workspace}
		s.tenants[key.workspace] = t
	}
	t.queues++
	q = &queue{tenant: t}
	s.queues[key] = q
	return q
}

// forget removes a queue that has nothing.
func (s *scheduler) forget(key queueKey) {
	t := s.queues[key].tenant
	delete(s.queues, key)
	if t.queues--; t.queues == 0 && t.used <= s.clock {
		delete(s.tenants, t.workspace)
	}
}

// waits makes a queue one that has jobs.
func (s *scheduler) waits(q *queue) {
	if len(q.jobs) > 0 {
		return
	}
	t := q.tenant
	if len(t.ready) == 0 {
		s.ready = append(s.ready, t)
		if t.running == 0 {
			t.used = max(t.used, s.clock)
		}
	}
	if q.running == 0 {
		q.used = max(q.used, t.clock)
	}
	t.ready = append(t.ready, q)
}

// emptied makes a queue one that has no jobs.
func (s *scheduler) emptied(q *queue) {
	t := q.tenant
	t.ready = slices.DeleteFunc(t.ready, func(x *queue) bool { return x == q })
	if len(t.ready) == 0 {
		s.ready = slices.DeleteFunc(s.ready, func(x *tenant) bool { return x == t })
	}
}

// isSlow reports whether the requests of a queue hold workers for long.
func (q *queue) isSlow() bool { return q.limited > 0 || q.expected() >= slowTime }

// expected is what a request of the queue takes: as those before, or as its
// workspace's.
func (q *queue) expected() time.Duration {
	if !q.known {
		return q.tenant.mean
	}
	return q.mean
}

func (q *queue) suspended() bool { return !q.until.IsZero() }

// suspend ends the rest of a job unrun.
func (j *job) suspend() {
	for i := j.from; i < j.to; i++ {
		j.end(i, CodeSuspended, "the transformation was suspended, because the events before all ran too long, used too much memory or killed a worker")
	}
	j.call.finished()
}

// probes reports whether the next event of a suspended queue should find out
// whether it may go on.
func (s *scheduler) probes(key queueKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, ok := s.queues[key]
	if !ok || !q.suspended() || q.probing || time.Now().Before(q.until) {
		return false
	}
	q.probing = true
	return true
}

// await returns when jobs are there, or were: from then on workers are kept ready. False:
// the scheduler is closed.
func (s *scheduler) await() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.used && !s.closed {
		s.wake.Wait()
	}
	return !s.closed
}

// take returns the next job, nil when the scheduler is closed.
func (s *scheduler) take() *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.closed {
			return nil
		}
		if j := s.next(); j != nil {
			return j
		}
		s.wake.Wait()
	}
}

// next takes a job from the queue whose turn it is, nil when there is none.
func (s *scheduler) next() *job {
	var q *queue
	now := time.Now()
	for _, t := range s.ready {
		if q != nil && t.used >= q.tenant.used {
			continue
		}
		for _, x := range t.ready {
			if s.may(x, now) && (q == nil || q.tenant != t || x.used < q.used) {
				q = x
			}
		}
	}
	if q == nil {
		return nil
	}
	j := q.jobs[0]
	q.jobs = q.jobs[1:]
	if len(q.jobs) == 0 {
		s.emptied(q)
	}
	t := q.tenant
	s.clock, t.clock = max(s.clock, t.used), max(t.clock, q.used)
	j.begun, j.expected, j.slow = now, q.expected(), q.isSlow()
	q.use(1, j.expected)
	if j.slow {
		s.slow++
	}
	return j
}

// may reports whether a queue may have a worker. Slow ones leave one to the rest,
// those that met limits at all times.
func (s *scheduler) may(q *queue, now time.Time) bool {
	return !q.isSlow() || s.slow < s.workers-1 || q.limited == 0 && now.Sub(s.rested) >= restTime
}

// use counts jobs that run and the time that they take.
func (q *queue) use(running int, d time.Duration) {
	q.running += running
	q.tenant.running += running
	q.used += d
	q.tenant.used += d
}

// ran notes that a request of a job is over, with outcomes of so many events.
func (s *scheduler) ran(q *queue, j *job, outcomes int) {
	took := time.Since(j.begun)
	q.use(-1, took-j.expected)
	if j.slow {
		s.slow--
	}
	if outcomes == 0 && took < slowTime { // nothing ran
		return
	}
	q.mean, q.known = q.expected(), true
	for _, mean := range []*time.Duration{&q.mean, &q.tenant.mean} {
		*mean += (took - *mean) / 4
	}
}

// putBack takes a job back after a request: codes are those of the events that
// have an outcome now, in their order. What is left of the job waits again, in
// front of its queue, or ends when the queue is suspended.
func (s *scheduler) putBack(j *job, codes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[j.key]
	s.ran(q, j, len(codes))
	for _, c := range codes {
		if metLimit(c) {
			q.limited++
		} else {
			q.limited, q.until = 0, time.Time{}
		}
	}
	if q.limited >= suspendAfter && len(codes) > 0 {
		q.until = time.Now().Add(suspendFor)
	}
	over := j.from >= j.to || j.call.abandoned()
	if j.probe && over {
		q.probing = false
	}
	switch {
	case j.from >= j.to:
		j.call.finished()
	case over:
	case s.closed || s.down >= s.workers:
		q.probing = q.probing && !j.probe
		j.call.fail(errDown())
	case q.suspended() && !j.probe:
		j.suspend()
	default:
		s.waits(q)
		q.jobs = append([]*job{j}, q.jobs...)
	}
	if q.suspended() && len(q.jobs) > 0 && !q.jobs[0].probe {
		for _, waiting := range q.jobs {
			waiting.suspend()
		}
		q.jobs = nil
		s.emptied(q)
	}
	if q.running == 0 && len(q.jobs) == 0 && !q.isSlow() {
		s.forget(j.key)
	}
	if len(s.ready) > 0 {
		s.wake.Signal()
	}
}

// workerDown notes that a worker cannot be started, workerUp that one can again.
// While none can, what waits fails.
func (s *scheduler) workerDown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down++; s.down >= s.workers {
		s.flush()
	}
}

func (s *scheduler) workerUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down--
}
