package transform

import (
	"slices"
	"sync"
	"time"

	"weir/shared/fault"
	"weir/shared/id"
)

// queueKey names the events that wait together: fairness and suspension are per
// workspace and chain.
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
}

// Suspension of a chain whose events all meet limits.
const (
	suspendAfter = 20 // events in a row
	suspendFor   = 3 * time.Second
)

// queue is the jobs of a workspace's chain.
type queue struct {
	jobs    []*job
	running int
	limited int       // events in a row that met a limit
	until   time.Time // suspended; zero: not
	probing bool
}

// maxQueues is how many queues are remembered for their limits alone.
const maxQueues = 4096

// scheduler hands jobs to workers, the queues in turn. How many jobs wait is
// bounded by the callers of Apply, who wait for theirs.
type scheduler struct {
	workers int

	mu     sync.Mutex
	wake   *sync.Cond
	queues map[queueKey]*queue
	ring   []queueKey // queues with jobs
	closed bool
	down   int // workers that cannot be started
}

func newScheduler(workers int) *scheduler {
	s := &scheduler{workers: workers, queues: map[queueKey]*queue{}}
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
	for _, key := range s.ring {
		for _, j := range s.queues[key].jobs {
			j.call.fail(errDown())
		}
		s.queues[key].jobs = nil
		s.queues[key].probing = false
	}
	s.ring = nil
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
	if len(q.jobs) == 0 {
		s.ring = append(s.ring, jobs[0].key)
	}
	q.jobs = append(q.jobs, jobs...)
	for range min(len(jobs), s.workers) {
		s.wake.Signal()
	}
}

// queue returns a queue, made when there is none.
func (s *scheduler) queue(key queueKey) *queue {
	q, ok := s.queues[key]
	if !ok {
		if len(s.queues) >= maxQueues {
			for k, old := range s.queues {
				if old.running == 0 && len(old.jobs) == 0 {
					delete(s.queues, k)
				}
			}
		}
		q = &queue{}
		s.queues[key] = q
	}
	return q
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

// next takes a job from the queue whose turn it is. A queue that met limits leaves
// one worker to the others at all times.
func (s *scheduler) next() *job {
	for i, key := range s.ring {
		q := s.queues[key]
		if q.limited > 0 && q.running >= s.workers-1 {
			continue
		}
		j := q.jobs[0]
		q.jobs = q.jobs[1:]
		q.running++
		s.ring = slices.Delete(s.ring, i, i+1)
		if len(q.jobs) > 0 {
			s.ring = append(s.ring, key)
		}
		return j
	}
	return nil
}

// putBack takes a job back after a request: codes are those of the events that
// have an outcome now, in their order. What is left of the job waits again, in
// front of its queue, or ends when the queue is suspended.
func (s *scheduler) putBack(j *job, codes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[j.key]
	q.running--
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
		if len(q.jobs) == 0 {
			s.ring = append(s.ring, j.key)
		}
		q.jobs = append([]*job{j}, q.jobs...)
	}
	if q.suspended() && len(q.jobs) > 0 && !q.jobs[0].probe {
		for _, waiting := range q.jobs {
			waiting.suspend()
		}
		q.jobs = nil
		s.ring = slices.DeleteFunc(s.ring, func(k queueKey) bool { return k == j.key })
	}
	if q.running == 0 && len(q.jobs) == 0 && q.limited == 0 {
		delete(s.queues, j.key)
	}
	if len(s.ring) > 0 {
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
