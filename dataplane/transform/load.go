package transform

import "weir/shared/id"

// Load is how busy the workers are.
type Load struct {
	Waiting int // pieces of work that no worker has
	Running int // that one has
	Workers int
	Slow    map[id.Workspace]int // of Waiting, those that wait because their workspace's code takes long
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
		if len(q.jobs) > 0 && q.isSlow() {
			if l.Slow == nil {
				l.Slow = map[id.Workspace]int{}
			}
			l.Slow[q.tenant.workspace] += len(q.jobs)
		}
	}
	return l
}
