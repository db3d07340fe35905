package values

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"weir/dataplane/destination"
	"weir/dataplane/destination/convert"
	"weir/dataplane/destination/fields"
	"weir/shared/catalog/calls"
	"weir/shared/catalog/ecommerce"
)

// Value is a compiled value. Append appends its JSON and reports whether it is there; if
// not, what was appended is no more than a beginning.
type Value interface {
	Append(b []byte, s *Scope) ([]byte, bool)
}

// single is a value that is known without writing it.
type single interface {
	Get(s *Scope) convert.Value
}

// Get is any value.
func Get(v Value, s *Scope) convert.Value {
	if one, ok := v.(single); ok {
		return one.Get(s)
	}
	b, ok := v.Append(nil, s)
	if !ok {
		return convert.Value{}
	}
	return convert.JSON(b)
}

// Value compiles a value.
func (c *Compiler) Value(v *calls.Value) Value {
	var out Value
	switch v.Op {
	case calls.Constant:
		out = fixed(v.Constant)
	case calls.From:
		out = c.from(v)
	case calls.Each:
		out = c.each(v)
	case calls.List:
		l := &list{keep: v.KeepEmpty}
		for i := range v.List {
			l.all = append(l.all, c.Value(&v.List[i]))
		}
		out = l
	case calls.Rest:
		out = c.rest(v)
	case calls.Object:
		out = c.Object(v)
	case calls.Text:
		out = c.written(v)
	case calls.GoValue:
		c.varies = true
		out = goValue(c.goValues[v.Go])
	case calls.Items:
		out = items{}
	default:
		out = fixed(nil)
		if v.Changed() {
			out = c.changed(v)
		}
	}
	when, never := c.Condition(v.When)
	switch {
	case never:
		return fixed(nil)
	case when != nil:
		return &guarded{when, out}
	}
	return out
}

// fixed is a constant; an empty one is absent.
type fixed []byte

func (f fixed) Append(b []byte, _ *Scope) ([]byte, bool) { return append(b, f...), len(f) > 0 }
func (f fixed) Get(*Scope) convert.Value                 { return convert.JSON(fields.Value(f)) }

// guarded is a value that is there while a condition holds.
type guarded struct {
	when Condition
	Value
}

func (g *guarded) Append(b []byte, s *Scope) ([]byte, bool) {
	if !g.when.Holds(s) {
		return b, false
	}
	return g.Value.Append(b, s)
}

// changed is one value while a condition holds, and another one else.
type changed struct {
	when         Condition
	value, other Value
}

func (c *Compiler) changed(v *calls.Value) Value {
	ch := &changed{other: fixed(nil)}
	never := false
	c.atEvent(func() {
		ch.when, never = c.Condition(v.Where)
		ch.value = c.Value(&v.List[0])
	})
	if len(v.List) > 1 {
		ch.other = c.Value(&v.List[1])
	}
	switch {
	case never:
		return ch.other
	case ch.when == nil:
		return ch.value
	}
	return ch
}

func (ch *changed) Append(b []byte, s *Scope) ([]byte, bool) {
	if ch.when.Holds(s) {
		return ch.value.Append(b, s)
	}
	return ch.other.Append(b, s)
}

// goValue is a value that Go makes.
type goValue func(*destination.Item) []byte

func (g goValue) Append(b []byte, s *Scope) ([]byte, bool) {
	v := g(s.item)
	return append(b, v...), len(v) > 0
}

// Mark stands for the list of parts in a wrap. No text of JSON holds it.
const Mark = "\x00items\x00"

// items is the list of parts.
type items struct{}

func (items) Append(b []byte, _ *Scope) ([]byte, bool) { return append(b, Mark...), true }

// from is a value from the event.
type from struct {
	sources   Sources
	names     []table
	onlyNamed bool
	as        convert.Conversion
	or        Value
}

// table is a table of names.
type table struct {
	names map[string]string // by ecommerce.Canonical
}

func (c *Compiler) from(v *calls.Value) Value {
	f := &from{sources: c.Sources(v.From), onlyNamed: v.OnlyNamed, as: c.conversion(v.As)}
	for _, t := range v.Names {
		names := t.Names
		if len(t.Setting) > 0 {
			names = map[string]string{}
			for name, to := range c.setting(t.Setting).Members() {
				names[ecommerce.Canonical(name)] = to.Text()
			}
		}
		f.names = append(f.names, table{names})
	}
	if v.Or != nil {
		f.or = c.Value(v.Or)
	}
	return f
}

// conversion compiles conversions; what they put before and behind a value is known now.
func (c *Compiler) conversion(as []calls.Conversion) convert.Conversion {
	all := slices.Clone(as)
	for i := range all {
		if t := c.Template(all[i].Template); len(all[i].Template) > 0 {
			all[i].Text = t.Text(Still(), nil)
		}
	}
	return convert.Compile(all)
}

// setting is the JSON of a setting.
func (c *Compiler) setting(t []calls.Template) fields.Value {
	compiled := c.Template(t[0])
	return compiled.Get(Still()).Raw()
}

func (f *from) Get(s *Scope) convert.Value {
	v := f.own(s)
	if !v.There() && f.or != nil {
		return Get(f.or, s)
	}
	return v
}

// own is the value without what stands in when it is absent.
func (f *from) own(s *Scope) convert.Value {
	v := f.sources.Get(s)
	if v.There() && len(f.names) > 0 {
		v = f.named(v)
	}
	if v.There() && f.as != nil {
		v = f.as(v)
	}
	return v
}

// named looks a text up in the tables.
func (f *from) named(v convert.Value) convert.Value {
	name := ecommerce.Canonical(v.Text())
	for _, t := range f.names {
		if to := t.names[name]; to != "" {
			return convert.Text(to)
		}
	}
	if f.onlyNamed {
		return convert.Value{}
	}
	return v
}

func (f *from) Append(b []byte, s *Scope) ([]byte, bool) {
	v := f.own(s)
	switch {
	case v.There():
		return v.Append(b), true
	case f.or != nil:
		return f.or.Append(b, s) // "" is written too
	}
	return b, false
}

// list is a list of those values that are there.
type list struct {
	all  []Value
	keep bool
}

func (l *list) Append(b []byte, s *Scope) ([]byte, bool) {
	b = append(b, '[')
	some := false
	for _, v := range l.all {
		b, some = element(b, v, s, some)
	}
	return append(b, ']'), some || l.keep
}

// element appends an element of a list, if it is there.
func element(b []byte, v Value, s *Scope, some bool) ([]byte, bool) {
	before := len(b)
	if some {
		b = append(b, ',')
	}
	b, ok := v.Append(b, s)
	if !ok {
		return b[:before], some
	}
	return b, true
}

// Each is a list of a value for each element.
type Each struct {
	of    Sources
	Body  Value // of an element
	reads *Reads
	max   int
	keep  bool
}

func (c *Compiler) each(v *calls.Value) Value {
	e := &Each{of: c.Sources(v.From), reads: NewReads(), max: v.Max, keep: v.KeepEmpty}
	outer := c.reads
	c.reads = e.reads
	e.Body = c.Value(v.Body)
	c.reads = outer
	c.varies = true
	return e
}

// Within compiles, by f, what is built for each element of what is at of, of which most
// count.
func (c *Compiler) Within(of []calls.Template, most int, f func()) *Each {
	e := &Each{of: c.Sources(of), reads: NewReads(), max: most}
	outer := c.reads
	c.reads = e.reads
	c.varies = true
	f()
	c.reads = outer
	return e
}

// Count is how many elements there are.
func (e *Each) Count(s *Scope) (n int) {
	e.Run(s, func(*Scope) bool { n++; return true })
	return n
}

// At calls f with element n, if there is one.
func (e *Each) At(s *Scope, n int, f func(*Scope)) {
	e.Run(s, func(inner *Scope) bool {
		if n--; n == -1 {
			f(inner)
		}
		return true
	})
}

func (e *Each) Append(b []byte, s *Scope) ([]byte, bool) {
	b = append(b, '[')
	some := false
	e.Run(s, func(inner *Scope) bool {
		before := len(b)
		b, some = element(b, e.Body, inner, some)
		return s.Fits(len(b)) && len(b) > before
	})
	return append(b, ']'), some || e.keep
}

// Run calls f with each element, until it made as many values as there may be.
func (e *Each) Run(s *Scope, f func(*Scope) bool) {
	v := e.of.Get(s).Raw()
	begin := len(s.arena)
	if need := begin + e.reads.size; need > cap(s.arena) {
		s.arena = append(make([]fields.Value, 0, 2*need), s.arena...)
	}
	s.arena = s.arena[:begin+e.reads.size]
	inner := Scope{Event: s.Event, slots: s.arena[begin:]}
	made := 0
	one := func(self fields.Value) bool {
		clear(inner.slots)
		inner.self = self
		e.reads.root.gather(self, inner.slots)
		if s.step() && f(&inner) {
			made++
		}
		inner.index++
		return !s.over && (e.max == 0 || made < e.max)
	}
	if v.IsObject() {
		v.Scan(func(key, member fields.Value) bool {
			inner.key = convert.JSON(key)
			return one(member)
		})
	} else {
		for self := range v.Elements() {
			if !one(self) {
				break
			}
		}
	}
	s.arena = s.arena[:begin]
}

// object is an object of those members that are there.
type object struct {
	members []member
	named   map[string]bool // names that stand in the file; nil: no member is spread or has a name of the event's
	keep    bool
}

type member struct {
	name   []byte // as JSON, with a colon; nil: see of
	of     Template
	spread bool
	value  Value
}

// Object compiles an object.
func (c *Compiler) Object(v *calls.Value) Value {
	o := &object{keep: v.KeepEmpty}
	careful := false
	named := map[string]bool{}
	for i := range v.Members {
		m := member{spread: v.Members[i].Spread, value: c.Value(&v.Members[i].Value)}
		if !m.spread {
			m.of = c.Template(v.Members[i].Name)
			if text := m.of.fixed.Text(); len(m.of.pieces) == 0 {
				if text == "" || named[text] {
					continue // a setting that gives no name, or one that is there
				}
				named[text] = true
				m.name = append(convert.Text(text).Append(nil), ':')
			}
		}
		careful = careful || m.name == nil
		o.members = append(o.members, m)
	}
	if careful {
		o.named = named
	}
	return o
}

func (o *object) Append(b []byte, s *Scope) ([]byte, bool) {
	b = append(b, '{')
	some := false
	w := names{fixed: o.named}
	for i := range o.members {
		m := &o.members[i]
		if m.spread {
			b, some = w.spread(b, m.value, s, some)
			continue
		}
		before := len(b)
		if some {
			b = append(b, ',')
		}
		if m.name != nil {
			b = append(b, m.name...)
		} else if name := m.of.Text(s, nil); name == "" || !w.free(name) {
			b = b[:before]
			continue
		} else {
			b, _ = jsontext.AppendQuote(b, name)
			b = append(b, ':')
		}
		at, ok := m.value.Append(b, s)
		if b = at; !ok {
			b = b[:before]
			continue
		}
		some = true
		if len(b) > maxPart || s.over {
			s.over = true
			break
		}
	}
	return append(b, '}'), some || o.keep
}

// names are the names that an object has so far.
type names struct {
	fixed map[string]bool
	used  map[string]bool
}

// free takes a name, and reports whether it was free.
func (w *names) free(name string) bool {
	if w.fixed[name] || w.used[name] {
		return false
	}
	if w.used == nil {
		w.used = map[string]bool{}
	}
	w.used[name] = true
	return true
}

// spread appends the members of an object.
func (w *names) spread(b []byte, v Value, s *Scope, some bool) ([]byte, bool) {
	spare := s.spare
	s.spare = nil // a value inside may spread too
	built, ok := v.Append(spare[:0], s)
	if ok {
		scan := fields.Value(built).Scan
		if r, copies := v.(*rest); copies && r.nulls {
			scan = fields.Value(built).Every
		}
		scan(func(key, m fields.Value) bool {
			if !s.step() || !w.free(key.Text()) {
				return !s.over
			}
			if some {
				b = append(b, ',')
			}
			some = true
			b = append(append(append(b, key...), ':'), m...)
			return len(b) <= maxPart
		})
	}
	s.spare = built[:0]
	return b, some
}
