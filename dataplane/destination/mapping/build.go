package mapping

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destination/values"
	"weir/shared/catalog/ecommerce"
)

// mapped is a destination that is a file.
type mapped struct {
	calls   []call
	lookups []lookup
	answers []answer
	trial   *trial // nil: the file declares none
	judge   func(destination.Request, destination.Response) []destination.Verdict
	reads   *values.Reads
	event   int        // the slot of the event's name
	object  int        // of the object of a record
	lists   [][]string // where batches have their parts
	ordered bool
	bytes   int // of a batch's body; 0: no limit
}

// scratch is memory for one Build.
type scratch struct {
	values.Memory
	part []byte
	ends []int // of the parts of one event
}

// free gives the memory back, unless it is much.
func (sc *scratch) free() {
	sc.Forget()
	if cap(sc.part) <= 1<<20 {
		scratches.Put(sc)
	}
}

var scratches = sync.Pool{New: func() any { return &scratch{} }}

// making is a request that more parts may join.
type making struct {
	call   *call
	wrap   wrap
	closed bool
	keys   map[string]bool // of its parts, where they are distinct
	destination.Request
}

// building is one Build.
type building struct {
	*mapped
	*scratch
	batch    destination.Batch
	requests []making
	last     map[string]int  // the last request with an event of a user
	made     map[string]bool // keys of look-ups that found nothing, of events that are sent
	verdicts []destination.Verdict
}

// Build implements destination.Destination.
func (m *mapped) Build(b destination.Batch) ([]destination.Request, []destination.Verdict) {
	sc, _ := scratches.Get().(*scratch)
	defer sc.free()
	w := building{mapped: m, scratch: sc, batch: b}
	for i := range b.Items {
		if v := w.item(i); v != nil {
			v.Item = i
			w.verdicts = append(w.verdicts, *v)
		}
	}
	reqs := make([]destination.Request, len(w.requests))
	for i := range w.requests {
		r := &w.requests[i]
		if r.call.batch != nil && r.call.format == "json" {
			r.Body = append(r.Body, r.wrap.after...)
		}
		reqs[i] = r.Request
	}
	return reqs, w.verdicts
}

// item puts one item into a request, or says what becomes of it.
func (w *building) item(i int) *destination.Verdict {
	it := &w.batch.Items[i]
	s := w.Read(w.reads, it, w.batch.Now)
	found, nothing := w.found(it, s, &w.batch)
	s.Found(found)
	c := w.pick(it, s)
	if c == nil {
		return &destination.Verdict{Outcome: destination.Dropped, Code: "unsupported_event"}
	}
	at := step{call: c}
	if c.each != nil || len(c.then) > 0 {
		var v *destination.Verdict
		if at, v = c.stage(s, w.batch.Stage); v != nil {
			return v
		}
	}
	if v := at.refuses(s, w.batch.Now); v != nil {
		return v
	}
	if at.each == nil {
		return w.request(i, at, s, nothing)
	}
	v := tooLarge()
	at.each.At(s, at.element, func(inner *values.Scope) { v = w.request(i, at, inner, nothing) })
	return v
}

// request puts item i into a request of a step; what is built for an element begins there.
func (w *building) request(i int, c step, s *values.Scope, nothing []string) *destination.Verdict {
	if !c.address.Whole(s) {
		return dropped("missing_field")
	}
	w.part, w.ends = w.part[:0], w.ends[:0]
	for p := range c.parts {
		w.parts(&c.parts[p], s)
	}
	switch {
	case s.Over():
		return tooLarge()
	case len(c.parts) > 0 && len(w.ends) == 0:
		return dropped("missing_field")
	}
	for _, key := range nothing {
		if w.made[key] {
			return &destination.Verdict{Outcome: destination.Retry, Code: "busy", After: time.Millisecond}
		}
	}
	for _, key := range nothing {
		if w.made == nil {
			w.made = map[string]bool{}
		}
		w.made[key] = true
	}
	w.join(i, c, s)
	return nil
}

func tooLarge() *destination.Verdict {
	return &destination.Verdict{Outcome: destination.Dead, Code: "event_too_large", Detail: "What would be sent for this event is too large."}
}

func dropped(code string) *destination.Verdict {
	return &destination.Verdict{Outcome: destination.Dropped, Code: code}
}

// parts builds the parts of an event behind each other.
func (w *building) parts(p *part, s *values.Scope) {
	if !p.when.Holds(s) {
		return
	}
	add := func(v values.Value, s *values.Scope) bool {
		before := len(w.part)
		b, ok := v.Append(w.part, s)
		if w.part = b; !ok {
			w.part = b[:before]
			return false
		}
		w.ends = append(w.ends, len(w.part))
		return s.Fits(len(w.part))
	}
	if p.each == nil {
		add(p.value, s)
		return
	}
	p.each.Run(s, func(inner *values.Scope) bool { return add(p.each.Body, inner) })
}

// recordType is the type of the records of syncs; a call that says no type is not for them.
const recordType = "record"

// pick returns the first call that matches; nil: none.
func (m *mapped) pick(it *destination.Item, s *values.Scope) *call {
	name, known := "", false
	record := it.Event.Type == recordType
	for i := range m.calls {
		c := &m.calls[i]
		if (len(c.types) > 0 || record) && !slices.Contains(c.types, it.Event.Type) {
			continue
		}
		if len(c.objects) > 0 && !slices.Contains(c.objects, s.At(m.object)) {
			continue
		}
		if c.named {
			if !known {
				name, known = ecommerce.Canonical(s.At(m.event)), true
			}
			if !c.names[name] {
				continue
			}
		}
		if c.when.Holds(s) {
			return c
		}
	}
	return nil
}

// step is one request of an event: of a call, or of one of its elements.
type step struct {
	*call
	element int
	next    int // the stage of the one behind it; 0: there is none
}

// stage returns the step of a stage. A call takes one stage, or one for each of its
// elements, whether its condition holds or not, so that what look-ups find on the way
// moves none; a stage whose call is left out is that of the next.
func (c *call) stage(s *values.Scope, n int) (at step, v *destination.Verdict) {
	begin, behind := 0, 0
	for i := -1; i < len(c.then); i++ {
		one := c
		if i >= 0 {
			one = &c.then[i]
		}
		span := 1
		if one.each != nil {
			span = one.each.Count(s)
		}
		if begin+span > (destination.Request{}).MaxStages() {
			return step{}, tooLarge()
		}
		holds := span > 0 && (i < 0 || one.when.Holds(s))
		switch {
		case at.call == nil && holds && begin+span > n:
			at = step{call: one, element: max(n-begin, 0)}
			if behind = begin + at.element + 1; behind < begin+span {
				at.next = behind
			}
		case at.call != nil && holds:
			at.next = behind
		}
		begin += span
	}
	switch {
	case at.call != nil:
		return at, nil
	case n == 0:
		return step{}, dropped("missing_field")
	}
	return step{}, &destination.Verdict{Outcome: destination.Delivered}
}

// refuses says why an event that matches is not sent.
func (c *call) refuses(s *values.Scope, now time.Time) *destination.Verdict {
	for i := range c.require {
		if !values.Get(c.require[i].value, s).There() {
			return dropped(c.require[i].code)
		}
	}
	if a := c.age; a != nil {
		at, ok := a.of.Get(s).Time()
		old := now.Sub(at)
		if ok && (a.max > 0 && old > a.max || a.ahead > 0 && -old > a.ahead) {
			return dropped(a.code)
		}
	}
	if c.end != nil {
		v := *c.end
		return &v
	}
	return nil
}

// join puts the parts of item i into a request: into one that others began, where it
// may, else into a new one.
func (w *building) join(i int, c step, s *values.Scope) {
	target, header := c.url, c.header
	if !c.still {
		target, header = c.target(s), c.head(s)
	}
	if c.batch == nil {
		r := destination.Request{Method: c.method, URL: target, Header: maps.Clone(header), Items: []int{i}, Next: c.next}
		if len(w.ends) > 0 {
			r.Body = c.written(w.part)
		}
		w.requests = append(w.requests, making{call: c.call, Request: r, closed: true})
		w.note(i, len(w.requests)-1)
		return
	}
	around := c.batch.fixed
	if !c.batch.whole {
		around = c.batch.around(s)
	}
	key := c.batch.distinct.Get(s).Whole()
	at := w.place(i, c, target, header, around, key)
	r := &w.requests[at]
	if key != "" {
		if r.keys == nil {
			r.keys = map[string]bool{}
		}
		r.keys[key] = true
	}
	begin := 0
	for n, end := range w.ends {
		switch {
		case c.format == "lines":
			r.Body = append(append(r.Body, w.part[begin:end]...), '\n')
		case n > 0 || len(r.Parts) > 0:
			r.Body = append(append(r.Body, ','), w.part[begin:end]...)
		default:
			r.Body = append(r.Body, w.part[begin:end]...)
		}
		r.Parts = append(r.Parts, i)
		begin = end
	}
	r.Items = append(r.Items, i)
	w.note(i, at)
}

// note keeps that the request holds an event of the item's user.
func (w *building) note(i, at int) {
	if !w.ordered || len(w.batch.Items) == 1 {
		return
	}
	if w.last == nil {
		w.last = map[string]int{}
	}
	w.last[w.batch.Items[i].Event.User] = at
}

// place is the request that the parts of item i join. An event never goes before an
// earlier one of its user, where order is kept, nor into or before a request that has its
// key.
func (w *building) place(i int, c step, target string, header http.Header, around wrap, key string) int {
	first := 0
	if last, there := w.last[w.batch.Items[i].Event.User]; there {
		if first = last; w.requests[last].Next != 0 || c.next != 0 {
			first++
		}
	}
	for at := len(w.requests) - 1; at >= first; at-- {
		r := &w.requests[at]
		if r.keys[key] {
			break
		}
		if r.closed || !r.call.shares(c.call) || r.URL != target || r.Next != c.next || !sameHeader(r.Header, header) ||
			!bytes.Equal(r.wrap.before, around.before) || !bytes.Equal(r.wrap.after, around.after) {
			continue
		}
		if c.batch.max > 0 && len(r.Parts)+len(w.ends) > c.batch.max || w.bytes > 0 && len(r.Body)+len(w.part)+len(w.ends)+len(around.after) > w.bytes {
			r.closed = true
			continue
		}
		return at
	}
	r := making{call: c.call, wrap: around}
	r.Request = destination.Request{Method: c.method, URL: target, Header: maps.Clone(header), Next: c.next}
	if c.format == "json" {
		left := len(w.batch.Items) - i
		r.Body = append(make([]byte, 0, len(around.before)+len(around.after)+min(left*(len(w.part)+16), 1<<20)), around.before...)
	}
	w.requests = append(w.requests, r)
	return len(w.requests) - 1
}

func sameHeader(a, b http.Header) bool {
	return maps.EqualFunc(a, b, slices.Equal[[]string])
}

// found is what the look-ups found for an event, and the keys by which those that say
// once found nothing.
func (m *mapped) found(it *destination.Item, s *values.Scope, b *destination.Batch) (all map[string]string, nothing []string) {
	if len(m.lookups) == 0 {
		return nil, nil
	}
	all = map[string]string{}
	for i := range m.lookups {
		l := &m.lookups[i]
		if key := l.keyOf(it, s); key != "" {
			if all[l.name] = b.Found[key]; l.once && b.Found[key] == "" {
				nothing = append(nothing, key)
			}
		}
	}
	return all, nothing
}
