// Package lookup keeps what destinations found before they wrote, such as a tool's own
// id of a user. It holds a bounded number of bytes of each workspace, for a bounded
// time, in memory, and forgets first what was needed least lately. It keeps nothing of
// a look-up that found nothing: that is what changes next.
package lookup

import (
	"container/list"
	"sync"
	"time"

	"weir/shared/id"
)

// Limits.
const (
	keepFor  = 10 * time.Minute
	maxBytes = 1 << 20 // of a workspace, with what the entries cost
	cost     = 200     // bytes of an entry, beside its texts
)

// Cache is what the destinations of a plane found. The zero Cache is empty. It is safe
// for concurrent use.
type Cache struct {
	mu         sync.Mutex
	workspaces map[id.Workspace]*share
}

// share is what is kept for a workspace, the newest first.
type share struct {
	order *list.List // *entry
	byKey map[key]*list.Element
	bytes int
}

type key struct {
	destination id.Destination
	text        string
}

type entry struct {
	key   key
	found string
	until time.Time
}

func (e *entry) size() int { return len(e.key.text) + len(e.found) + cost }

// Get returns what a destination found for a key.
func (c *Cache) Get(ws id.Workspace, d id.Destination, text string, now time.Time) (found string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.workspaces[ws]
	if s == nil {
		return "", false
	}
	at := s.byKey[key{d, text}]
	if at == nil {
		return "", false
	}
	e := at.Value.(*entry)
	if !now.Before(e.until) {
		s.remove(at)
		return "", false
	}
	s.order.MoveToFront(at)
	return e.found, true
}

// Put keeps what was found, unless that is nothing.
func (c *Cache) Put(ws id.Workspace, d id.Destination, text, found string, now time.Time) {
	e := &entry{key: key{d, text}, found: found, until: now.Add(keepFor)}
	if found == "" || e.size() > maxBytes/16 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.workspaces[ws]
	if s == nil {
		if c.workspaces == nil {
			c.workspaces = map[id.Workspace]*share{}
		}
		s = &share{order: list.New(), byKey: map[key]*list.Element{}}
		c.workspaces[ws] = s
	}
	if at := s.byKey[e.key]; at != nil {
		s.remove(at)
	}
	s.byKey[e.key] = s.order.PushFront(e)
	for s.bytes += e.size(); s.bytes > maxBytes; {
		s.remove(s.order.Back())
	}
}

// Forget forgets what was found for a key.
func (c *Cache) Forget(ws id.Workspace, d id.Destination, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.workspaces[ws]; s != nil && s.byKey[key{d, text}] != nil {
		s.remove(s.byKey[key{d, text}])
	}
}

func (s *share) remove(at *list.Element) {
	e := s.order.Remove(at).(*entry)
	delete(s.byKey, e.key)
	s.bytes -= e.size()
}
