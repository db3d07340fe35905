package transform

import (
	"sync"
	"time"

	"weir/shared/fault"
	"weir/shared/id"
)

// laneKey names the events that wait together: fairness and suspension are per
// workspace and chain.
type laneKey struct {
	workspace id.Workspace
	chain     string
}

// job is a range of one call's events.
type job struct {
	call     *call
	chain    *Chain
	about    Meta
	lane     laneKey
	from, to int
	probe    bool // it finds out whether a suspended lane may go on
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

// lane is a chain's queue.
type lane struct {
	jobs    []*job
	running int
	heavy   int       // events in a row that met a limit
	until   time.Time // suspended; zero: not
	probing bool
}

// maxLanes is how many lanes are remembered for their limits alone.
const maxLanes = 4096

// queue hands jobs to workers, the lanes in turn. Its length is bounded by its
// callers, who wait.
type queue struct {
	workers int

	mu     sync.Mutex
	wake   *sync.Cond
	lanes  map[laneKey]*lane
	ring   []laneKey // lanes with jobs
	closed bool
	down   int // workers that cannot be started
}

func newQueue(workers int) *queue {
	q := &queue{workers: workers, lanes: map[laneKey]*lane{}}
	q.wake = sync.NewCond(&q.mu)
	return q
}

// close fails all that waits and all that comes.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.flush()
	q.wake.Broadcast()
}

// flush fails all jobs that wait.
func (q *queue) flush() {
	for _, key := range q.ring {
		for _, j := range q.lanes[key].jobs {
			j.call.fail(errDown())
		}
		q.lanes[key].jobs = nil
		q.lanes[key].probing = false
	}
	q.ring = nil
}

func errDown() error {
	return fault.New(fault.Unavailable, "No transformation worker runs.")
}

// put adds jobs of one lane.
func (q *queue) put(jobs []*job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lane(jobs[0].lane)
	if q.closed || q.down >= q.workers {
		l.probing = l.probing && !jobs[0].probe
		for _, j := range jobs {
			j.call.fail(errDown())
		}
		return
	}
	if l.suspended() && !jobs[0].probe {
		for _, j := range jobs {
			j.suspend()
		}
		return
	}
	if len(l.jobs) == 0 {
		q.ring = append(q.ring, jobs[0].lane)
	}
	l.jobs = append(l.jobs, jobs...)
	for range min(len(jobs), q.workers) {
		q.wake.Signal()
	}
}

// lane returns a lane, made when there is none.
func (q *queue) lane(key laneKey) *lane {
	l, ok := q.lanes[key]
	if !ok {
		if len(q.lanes) >= maxLanes {
			for k, old := range q.lanes {
				if old.running == 0 && len(old.jobs) == 0 {
					delete(q.lanes, k)
				}
			}
		}
		l = &lane{}
		q.lanes[key] = l
	}
	return l
}

func (l *lane) suspended() bool { return !l.until.IsZero() }

// suspend ends the rest of a job unrun.
func (j *job) suspend() {
	for i := j.from; i < j.to; i++ {
		j.end(i, CodeSuspended, "the transformation was suspended, because the events before all ran too long, used too much memory or killed a worker")
	}
	j.call.finished()
}

// probes reports whether the next event of a suspended lane should find out
// whether it may go on.
func (q *queue) probes(key laneKey) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	l, ok := q.lanes[key]
	if !ok || !l.suspended() || l.probing || time.Now().Before(l.until) {
		return false
	}
	l.probing = true
	return true
}

// take returns the next job, nil when the queue is closed.
func (q *queue) take() *job {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		if q.closed {
			return nil
		}
		if j := q.next(); j != nil {
			return j
		}
		q.wake.Wait()
	}
}

// next takes a job from the lane whose turn it is. A lane that met limits leaves
// one worker to the others at all times.
func (q *queue) next() *job {
	for i, key := range q.ring {
		l := q.lanes[key]
		if l.heavy > 0 && l.running >= q.workers-1 {
			continue
		}
		j := l.jobs[0]
		l.jobs = l.jobs[1:]
		l.running++
		q.ring = append(q.ring[:i], q.ring[i+1:]...)
		if len(l.jobs) > 0 {
			q.ring = append(q.ring, key)
		}
		return j
	}
	return nil
}

// back takes a job back after a request: codes are those of the events that have
// an outcome now, in their order. What is left of the job waits again, in front
// of its lane, or ends when the lane is suspended.
func (q *queue) back(j *job, codes []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lanes[j.lane]
	l.running--
	for _, c := range codes {
		if heavy(c) {
			l.heavy++
		} else {
			l.heavy, l.until = 0, time.Time{}
		}
	}
	if l.heavy >= suspendAfter && len(codes) > 0 {
		l.until = time.Now().Add(suspendFor)
	}
	over := j.from >= j.to || j.call.dead()
	if j.probe && over {
		l.probing = false
	}
	switch {
	case j.from >= j.to:
		j.call.finished()
	case over:
	case q.closed || q.down >= q.workers:
		l.probing = l.probing && !j.probe
		j.call.fail(errDown())
	case l.suspended() && !j.probe:
		j.suspend()
	default:
		if len(l.jobs) == 0 {
			q.ring = append(q.ring, j.lane)
		}
		l.jobs = append([]*job{j}, l.jobs...)
	}
	if l.suspended() && len(l.jobs) > 0 && !l.jobs[0].probe {
		for _, waiting := range l.jobs {
			waiting.suspend()
		}
		l.jobs = nil
		q.ring = remove(q.ring, j.lane)
	}
	if l.running == 0 && len(l.jobs) == 0 && l.heavy == 0 {
		delete(q.lanes, j.lane)
	}
	if len(q.ring) > 0 {
		q.wake.Signal()
	}
}

func remove(ring []laneKey, key laneKey) []laneKey {
	for i, k := range ring {
		if k == key {
			return append(ring[:i], ring[i+1:]...)
		}
	}
	return ring
}

// lost notes that a worker cannot be started, found that one can. While none
// can, what waits fails.
func (q *queue) lost() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.down++; q.down >= q.workers {
		q.flush()
	}
}

func (q *queue) found() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.down--
}
