// Package values reads values from events and writes them as JSON, as the values of a
// file say (see docs/destination-format.md): a Compiler compiles them for the settings of
// one destination, and a Scope is the event, or the element of a list, that they are for.
//
// Values are copied as they stand in the event. What one event costs is bounded: past
// that its scope is Over.
package values

import (
	"bytes"
	"strconv"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destination/convert"
	"weir/dataplane/destination/fields"
)

// Reads are the paths that are looked for in one object or list, each with its slot.
type Reads struct {
	root *branch
	size int
}

type branch struct {
	kids map[string]*branch
	list bool // a name is a number
	slot int  // -1: none
}

// NewReads returns Reads that look for nothing yet.
func NewReads() *Reads { return &Reads{root: &branch{slot: -1}} }

// Slot returns the place of what stands at a path.
func (r *Reads) Slot(path []string) int {
	at := r.root
	for _, name := range path {
		kid := at.kids[name]
		if kid == nil {
			kid = &branch{slot: -1}
			if at.kids == nil {
				at.kids = map[string]*branch{}
			}
			at.kids[name] = kid
		}
		if _, err := strconv.Atoi(name); err == nil {
			at.list = true
		}
		at = kid
	}
	if at.slot < 0 {
		at.slot = r.size
		r.size++
	}
	return at.slot
}

// gather puts what stands in v at the paths below b into their slots.
func (b *branch) gather(v fields.Value, into []fields.Value) {
	if b.slot >= 0 && into[b.slot] == nil {
		into[b.slot] = v
	}
	if len(b.kids) == 0 {
		return
	}
	if v.IsObject() {
		v.Scan(func(key, member fields.Value) bool {
			kid := b.kids[string(key[1:len(key)-1])]
			if kid == nil && bytes.IndexByte(key, '\\') >= 0 {
				kid = b.kids[key.Text()]
			}
			if kid != nil {
				kid.gather(member, into)
			}
			return true
		})
	} else if b.list {
		n := 0
		for e := range v.Elements() {
			if kid := b.kids[strconv.Itoa(n)]; kid != nil {
				kid.gather(e, into)
			}
			if n++; n > 1000 {
				break
			}
		}
	}
}

// Limits of what becomes of one event.
const (
	maxPart  = 4 << 20 // bytes of its parts
	maxSteps = 200_000 // elements and members that are gone through
)

// Event is an event that is mapped.
type Event struct {
	item  *destination.Item
	now   time.Time
	found map[string]string // by the name of the look-up
	slots []fields.Value
	arena []fields.Value // slots of elements
	spare []byte         // for what is built and gone through again
	steps int
	over  bool
}

// step counts an element or member and reports whether there may be more.
func (e *Event) step() bool {
	if e.steps++; e.steps > maxSteps {
		e.over = true
	}
	return !e.over
}

// Over reports whether the event makes more than it may.
func (e *Event) Over() bool { return e.over }

// Fits reports whether a part of so many bytes is one that an event may make.
func (e *Event) Fits(bytes int) bool {
	e.over = e.over || bytes > maxPart
	return !e.over
}

// Found sets what look-ups found, by their name.
func (e *Event) Found(found map[string]string) { e.found = found }

// Scope is where a path begins: the event, or an element of a list.
type Scope struct {
	*Event
	slots []fields.Value
	self  fields.Value // the element; nil: the event
	index int
	key   convert.Value
}

// At is the text of a slot of the event.
func (e *Event) At(slot int) string { return e.slots[slot].Text() }

// Memory is what is used again from event to event. The zero Memory is ready.
type Memory struct {
	event Event
	scope Scope
	slots []fields.Value
}

// Read reads the event of an item for what r looks for. The Scope is good until the next
// Read.
func (m *Memory) Read(r *Reads, it *destination.Item, now time.Time) *Scope {
	if cap(m.slots) < r.size {
		m.slots = make([]fields.Value, r.size)
	}
	m.slots = m.slots[:r.size]
	clear(m.slots)
	json := fields.Value(bytes.TrimLeft(it.Event.JSON, " \t\r\n"))
	r.root.gather(json, m.slots)
	m.event = Event{item: it, now: now, slots: m.slots, arena: m.event.arena[:0], spare: m.event.spare}
	m.scope = Scope{Event: &m.event, slots: m.slots, self: json}
	return &m.scope
}

// Forget drops what holds the last event.
func (m *Memory) Forget() {
	clear(m.slots)
	clear(m.event.arena[:cap(m.event.arena)])
	m.event = Event{arena: m.event.arena[:0], spare: m.event.spare[:0]}
	m.scope = Scope{}
}

// Within is a scope whose paths begin at v, which is no event.
func Within(r *Reads, v fields.Value, index int) *Scope {
	slots := make([]fields.Value, r.size)
	r.root.gather(v, slots)
	return &Scope{Event: &Event{item: &destination.Item{}, slots: slots}, slots: slots, self: v, index: index}
}

// Still is a scope of no event, for values that do not vary.
func Still() *Scope { return &Scope{Event: &Event{item: &destination.Item{}}} }

// time is when the event happened.
func (e *Event) time(stamp fields.Value) time.Time {
	if at, err := time.Parse(time.RFC3339Nano, stamp.Text()); err == nil {
		return at.UTC()
	}
	return e.item.Event.ReceivedAt.UTC()
}

// iso is how times are written.
const iso = "2006-01-02T15:04:05.000Z07:00"
