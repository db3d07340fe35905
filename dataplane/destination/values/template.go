package values

import (
	"strconv"
	"strings"

	"weir/dataplane/destination"
	"weir/dataplane/destination/convert"
	"weir/dataplane/destination/fields"
	"weir/shared/catalog/calls"
)

// Compiler compiles values for the settings of one destination.
type Compiler struct {
	settings fields.Value
	goValues map[string]func(*destination.Item) []byte
	top      *Reads // of the event
	reads    *Reads // of the event, or the element
	inside   bool   // of each, although reads is of the event
	problems *problems
	varies   bool // what was compiled since this was cleared depends on the event
}

// NewCompiler returns a Compiler for settings, which are filled in, and values of Go.
func NewCompiler(settings []byte, goValues map[string]func(*destination.Item) []byte) *Compiler {
	top := NewReads()
	return &Compiler{settings: settings, goValues: goValues, top: top, reads: top, problems: &problems{}}
}

// Reads is what is looked for in events so far.
func (c *Compiler) Reads() *Reads { return c.top }

// Below returns a Compiler of what is no event: its paths are looked for by r.
func (c *Compiler) Below(r *Reads) *Compiler {
	return &Compiler{settings: c.settings, goValues: c.goValues, top: r, reads: r, problems: c.problems}
}

// Varies reports whether what compile compiles depends on the event.
func (c *Compiler) Varies(compile func()) bool {
	was := c.varies
	c.varies = false
	compile()
	now := c.varies
	c.varies = was || now
	return now
}

// refKind says how a reference is read.
type refKind uint8

const (
	constant refKind = iota
	slot
	ofEvent
	self
	found
	messageID
	eventType
	emailOfUser
	happened
	received
	current
	products
	elementIndex
	elementPosition
	elementKey
)

// ref is a compiled reference.
type ref struct {
	kind  refKind
	slot  int
	more  int // a second slot
	value convert.Value
	name  string

	as convert.Conversion // nil: it is taken as it is
}

// Get is what the reference stands for.
func (r *ref) Get(s *Scope) convert.Value {
	v := r.get(s)
	if r.as != nil && v.There() {
		return r.as(v)
	}
	return v
}

// ref compiles a reference, which may be several.
func (c *Compiler) ref(r calls.Ref) []ref {
	at := func(path ...string) ref {
		if c.reads == c.top && !c.inside {
			return ref{kind: slot, slot: c.top.Slot(path)}
		}
		return ref{kind: ofEvent, slot: c.top.Slot(path)}
	}
	switch r.Root {
	case "settings":
		return []ref{{value: convert.JSON(c.settings.Get(r.Path...))}}
	case "text":
		return []ref{{value: convert.Text(r.Text)}}
	}
	c.varies = true
	switch r.Root {
	case "found":
		return []ref{{kind: found, name: r.Path[0]}}
	case "$user":
		return []ref{at("userId"), at("anonymousId")}
	case "$name":
		return []ref{at("event"), at("name")}
	case "$trait":
		return []ref{at(append([]string{"traits"}, r.Path...)...), at(append([]string{"context", "traits"}, r.Path...)...)}
	case "$email":
		return []ref{at("traits", "email"), at("context", "traits", "email"), at("properties", "email"), {kind: emailOfUser, slot: c.top.Slot([]string{"userId"})}}
	case "$address":
		all := append([]ref{at("identifiers", "email")}, c.ref(calls.Ref{Root: "$email"})...)
		for i := range all {
			all[i].as = convert.Compile([]calls.Conversion{{Word: "email"}}) // trimmed, in lower case
		}
		return all
	case "$time":
		return []ref{{kind: happened, slot: c.top.Slot([]string{"timestamp"})}}
	case "$received":
		return []ref{{kind: received}}
	case "$now":
		return []ref{{kind: current}}
	case "$products":
		return []ref{{kind: products, slot: c.top.Slot([]string{"properties", "products"}), more: c.top.Slot([]string{"properties"})}}
	case "$index":
		return []ref{{kind: elementIndex}}
	case "$position":
		return []ref{{kind: elementPosition}}
	case "$key":
		return []ref{{kind: elementKey}}
	case "$event":
		return []ref{c.member(r.Path, at)}
	}
	if len(r.Path) == 0 {
		return []ref{{kind: self}}
	}
	if c.reads == c.top {
		return []ref{c.member(r.Path, at)}
	}
	return []ref{{kind: slot, slot: c.reads.Slot(r.Path)}}
}

// member is a path in the event; two of its members are known without looking.
func (c *Compiler) member(path []string, at func(...string) ref) ref {
	if len(path) == 1 && path[0] == "messageId" {
		return ref{kind: messageID}
	}
	if len(path) == 1 && path[0] == "type" {
		return ref{kind: eventType}
	}
	return at(path...)
}

func (r *ref) get(s *Scope) convert.Value {
	switch r.kind {
	case constant:
		return r.value
	case slot:
		return convert.JSON(s.slots[r.slot])
	case ofEvent:
		return convert.JSON(s.Event.slots[r.slot])
	case self:
		return convert.JSON(s.self)
	case found:
		return convert.Text(s.found[r.name])
	case messageID:
		return convert.Text(string(s.item.Event.MessageID))
	case eventType:
		return convert.Text(s.item.Event.Type)
	case emailOfUser:
		if text := s.Event.slots[r.slot].Text(); strings.Contains(text, "@") {
			return convert.Text(text)
		}
	case happened:
		return convert.Text(s.time(s.Event.slots[r.slot]).Format(iso))
	case received:
		return convert.Text(s.item.Event.ReceivedAt.UTC().Format(iso))
	case current:
		return convert.Text(s.now.UTC().Format(iso))
	case products:
		return r.products(s)
	case elementIndex:
		return convert.JSON(strconv.AppendInt(nil, int64(s.index), 10))
	case elementPosition:
		return convert.JSON(strconv.AppendInt(nil, int64(s.index)+1, 10))
	case elementKey:
		return s.key
	}
	return convert.Value{}
}

// products is the list of those products that are objects, or the one that the properties name.
func (r *ref) products(s *Scope) convert.Value {
	list, objects, others := s.Event.slots[r.slot], 0, 0
	for e := range list.Elements() {
		if e.IsObject() {
			objects++
		} else {
			others++
		}
	}
	switch {
	case objects > 0 && others == 0:
		return convert.JSON(list)
	case objects > 0:
		only := []byte{'['}
		for e := range list.Elements() {
			if e.IsObject() {
				only = append(append(only, e...), ',')
			}
		}
		only[len(only)-1] = ']'
		return convert.JSON(only)
	}
	properties := s.Event.slots[r.more]
	if fields.First(properties.Get("product_id"), properties.Get("sku")) == nil {
		return convert.Value{}
	}
	return convert.JSON(append(append([]byte{'['}, properties...), ']'))
}

// Template is a compiled template.
type Template struct {
	pieces []piece
	fixed  convert.Value // when there are no pieces
}

type piece struct {
	text string
	refs []ref
}

// Template compiles a template.
func (c *Compiler) Template(t calls.Template) Template {
	was := c.varies
	c.varies = false
	var out Template
	for _, p := range t {
		compiled := piece{text: p.Text}
		for _, r := range p.Refs {
			compiled.refs = append(compiled.refs, c.ref(r)...)
		}
		out.pieces = append(out.pieces, compiled)
	}
	if !c.varies {
		out.fixed = out.Get(Still())
		out.pieces = nil
	}
	c.varies = c.varies || was
	return out
}

func (p *piece) Get(s *Scope) convert.Value {
	for i := range p.refs {
		if v := p.refs[i].Get(s); v.There() {
			return v
		}
	}
	return convert.Value{}
}

// Get is the value that the template stands for.
func (t *Template) Get(s *Scope) convert.Value {
	switch {
	case len(t.pieces) == 0:
		return t.fixed
	case len(t.pieces) == 1 && t.pieces[0].text == "":
		return t.pieces[0].Get(s)
	}
	if !t.some(s) {
		return convert.Value{}
	}
	return convert.Text(t.Text(s, nil))
}

// some reports whether a reference stands for something, or there is none.
func (t *Template) some(s *Scope) bool {
	refs := false
	for i := range t.pieces {
		if p := &t.pieces[i]; p.refs != nil {
			if refs = true; p.Get(s).There() {
				return true
			}
		}
	}
	return !refs
}

// Text is the template as text. escape writes what references stand for; nil: as it is.
func (t *Template) Text(s *Scope, escape func(string) string) string {
	if len(t.pieces) == 0 {
		return t.fixed.Whole()
	}
	var b strings.Builder
	for i := range t.pieces {
		p := &t.pieces[i]
		if p.refs == nil {
			b.WriteString(p.text)
			continue
		}
		text := p.Get(s).Whole()
		if escape != nil {
			text = escape(text)
		}
		b.WriteString(text)
	}
	return b.String()
}

// Address is the template as an address: what stands for its beginning is one already,
// and all else is escaped.
func (t *Template) Address(s *Scope, escape func(string) string) string {
	if len(t.pieces) < 2 {
		return t.Text(s, nil)
	}
	first, more := Template{pieces: t.pieces[:1]}, Template{pieces: t.pieces[1:]}
	return first.Text(s, nil) + more.Text(s, escape)
}

// Whole reports whether each reference stands for something.
func (t *Template) Whole(s *Scope) bool {
	for i := range t.pieces {
		if p := &t.pieces[i]; p.refs != nil && p.Get(s).Whole() == "" {
			return false
		}
	}
	return true
}

// Sources are alternatives: the first that is there.
type Sources []Template

// Sources compiles alternatives.
func (c *Compiler) Sources(all []calls.Template) Sources {
	out := make(Sources, len(all))
	for i, t := range all {
		out[i] = c.Template(t)
	}
	return out
}

// Get is the first that is there.
func (all Sources) Get(s *Scope) convert.Value {
	for i := range all {
		if v := all[i].Get(s); v.There() {
			return v
		}
	}
	return convert.Value{}
}
