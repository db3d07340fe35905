package transform

// Load is how busy the workers are.
type Load struct {
	Waiting int // pieces of work that no worker has
	Running int // that one has
	Workers int
}

// Load returns how busy the workers are now.
func (p *Pool) Load() Load {
	s := p.jobs
	s.mu.Lock()
	defer s.mu.Unlock()
	l := Load{Workers: s.workers - s.down}
	for _, q := range s.queues {
		l.Waiting += len(q.jobs)
		l.Running += q.running
	}
	return l
}
