package script

import (
	"container/list"
	"crypto/sha256"
	"sync"
)

// maxKnown is how much memory answers take that are kept, in bytes.
const maxKnown = 32 << 20

// cache keeps the answers that were used last. The zero cache is empty.
type cache struct {
	mu     sync.Mutex
	order  list.List // of kept, the one used last in front
	by     map[[sha256.Size]byte]*list.Element
	weight int
}

// kept is one answer in a cache.
type kept struct {
	key    [sha256.Size]byte
	answer Answer
}

func (c *cache) get(key [sha256.Size]byte) (Answer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.by[key]
	if !ok {
		return Answer{}, false
	}
	c.order.MoveToFront(e)
	return e.Value.(kept).answer, true
}

func (c *cache) put(key [sha256.Size]byte, a Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.by[key]; ok {
		return
	}
	if c.by == nil {
		c.by = map[[sha256.Size]byte]*list.Element{}
	}
	c.by[key] = c.order.PushFront(kept{key, a})
	for c.weight += a.weight(); c.weight > maxKnown && c.order.Len() > 1; {
		e := c.order.Back()
		old := c.order.Remove(e).(kept)
		delete(c.by, old.key)
		c.weight -= old.answer.weight()
	}
}
