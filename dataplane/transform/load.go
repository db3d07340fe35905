package transform

// Load is how busy the workers are.
type Load struct {
	Waiting int // pieces of work that no worker has
	Running int // that one has
	Workers int
}

// Load returns how busy the workers are now.
func (e *Engine) Load() Load {
	q := e.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	l := Load{Workers: q.workers - q.down}
	for _, lane := range q.lanes {
		l.Waiting += len(lane.jobs)
		l.Running += lane.running
	}
	return l
}
