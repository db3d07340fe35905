package policy

import "sync"

// mostAnswers bounds each generation of a cache, in answers.
const mostAnswers = 8192

// question is what an answer of Allow depends on beside the rules.
type question struct {
	subject string
	action  Action
	on      Resource
}

// cache keeps answers of one compiled policy: another revision of the rules has another
// cache. Answers that were not asked for while a generation filled are forgotten.
type cache struct {
	mu         sync.Mutex
	young, old map[question]bool
}

func newCache() *cache { return &cache{young: map[question]bool{}} }

func (c *cache) find(q question) (allowed, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if allowed, known = c.young[q]; known {
		return allowed, true
	}
	if allowed, known = c.old[q]; known {
		c.add(q, allowed)
	}
	return allowed, known
}

func (c *cache) keep(q question, allowed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(q, allowed)
}

func (c *cache) add(q question, allowed bool) {
	if len(c.young) >= mostAnswers {
		c.young, c.old = map[question]bool{}, c.young
	}
	c.young[q] = allowed
}
