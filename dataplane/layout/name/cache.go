package name

import (
	"hash/maphash"
	"sync/atomic"
)

// slots and longest bound the memory of one Cache.
const (
	slots   = 4096
	longest = 256
)

// Column is a column's name as it is sent and what becomes of it.
type Column struct {
	In, Out string
	Mark    uint8 // of Out in the Cache's marks
}

// Cache remembers what Rules and a Casing make of names. A name that meets another
// in its slot takes its place, so that no sender can fill it for the others. It is
// safe for many callers.
type Cache struct {
	rules  *Rules
	casing Casing
	marks  map[string]uint8
	seed   maphash.Seed
	slot   [slots]atomic.Pointer[Column]
	// tables is apart, for a name becomes another thing as a table.
	tables [slots / 16]atomic.Pointer[Table]
}

// NewCache makes a Cache. marks are bits for names of columns.
func NewCache(r *Rules, c Casing, marks map[string]uint8) *Cache {
	return &Cache{rules: r, casing: c, marks: marks, seed: maphash.MakeSeed()}
}

// Column returns what becomes of a column's name.
func (n *Cache) Column(s []byte) *Column {
	at := &n.slot[maphash.Bytes(n.seed, s)%slots]
	if e := at.Load(); e != nil && e.In == string(s) {
		return e
	}
	e := &Column{In: string(s)}
	e.Out = n.rules.Column(e.In, n.casing)
	e.Mark = n.marks[e.Out]
	if len(s) <= longest {
		at.Store(e)
	}
	return e
}

// Table returns what becomes of an event's name.
func (n *Cache) Table(s string) *Table {
	at := &n.tables[maphash.String(n.seed, s)%uint64(len(n.tables))]
	if e := at.Load(); e != nil && e.In == s {
		return e
	}
	e := n.rules.Table(s, n.casing)
	if len(s) <= longest {
		at.Store(&e)
	}
	return &e
}
