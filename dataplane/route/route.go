// Package route decides which destinations get an event: those that a
// connection joins to its source, narrowed by the event's own `integrations`.
//
// It is pure and knows nothing of whether a destination is up: a disabled one
// is routed to like others and parks. It guarantees that equal tables and
// events give equal answers, in the order of the connections.
package route

import (
	"slices"
	"strings"

	"weir/dataplane/event"
	"weir/shared/id"
	"weir/shared/workspace"
)

// Destination is one end of a connection. Chain is the list of transformations
// on the way, in order, nil for none; destinations of a Table with equal chains
// have the same ChainIndex, so that each distinct chain runs once.
type Destination struct {
	ID         id.Destination
	Name       string
	Type       string
	Disabled   bool
	Chain      []id.Transformation
	ChainIndex int // index into Table.Chains
}

// Table is the routing of one source. It is immutable and safe for concurrent
// use. The nil Table routes nothing.
type Table struct {
	all    []Destination
	chains [][]id.Transformation
	named  map[string]rule // by lower-case name or type
}

// rule is which destinations a name in `integrations` speaks about: the one of
// that name, -1 for none, and those of that type.
type rule struct {
	name   int
	ofType []int
}

// Compile makes the table of every source of c. Sources without a connection
// have an empty one. References to objects that c does not have are left out,
// and of two connections between the same ends the first counts: the
// workspace's check refuses both.
func Compile(c workspace.Config) map[id.Source]*Table {
	destinations := make(map[id.Destination]workspace.Destination, len(c.Destinations))
	for _, d := range slices.Backward(c.Destinations) { // of two with one identifier the first counts
		destinations[d.ID] = d
	}
	tables, have := make(map[id.Source]*Table, len(c.Sources)), make(map[ends]bool, len(c.Connections))
	for _, s := range c.Sources {
		tables[s.ID] = &Table{named: map[string]rule{}}
	}
	for _, conn := range c.Connections {
		d, known := destinations[conn.Destination]
		t, between := tables[conn.Source], ends{conn.Source, conn.Destination}
		if !known || t == nil || have[between] {
			continue
		}
		have[between] = true
		t.add(Destination{
			ID: d.ID, Name: d.Name, Type: d.Type, Disabled: d.Disabled,
			Chain: slices.Clone(conn.Transformations),
		})
	}
	return tables
}

// ends are what a connection joins.
type ends struct {
	source      id.Source
	destination id.Destination
}

// New makes the table of one source of c, which is empty when c does not have it.
func New(c workspace.Config, source id.Source) *Table {
	c.Sources = []workspace.Source{{ID: source}}
	return Compile(c)[source]
}

// add appends d to the table.
func (t *Table) add(d Destination) {
	d.ChainIndex = slices.IndexFunc(t.chains, func(c []id.Transformation) bool { return slices.Equal(c, d.Chain) })
	if d.ChainIndex < 0 {
		d.ChainIndex = len(t.chains)
		t.chains = append(t.chains, d.Chain)
	}
	at := len(t.all)
	t.all = append(t.all, d)
	if r, ok := t.named[strings.ToLower(d.Name)]; !ok {
		t.named[strings.ToLower(d.Name)] = rule{name: at}
	} else if r.name < 0 {
		r.name = at
		t.named[strings.ToLower(d.Name)] = r
	}
	r, ok := t.named[strings.ToLower(d.Type)]
	if !ok {
		r.name = -1
	}
	r.ofType = append(r.ofType, at)
	t.named[strings.ToLower(d.Type)] = r
}

// Destinations returns every destination of the source, in the order of the
// connections. The caller must not change it.
func (t *Table) Destinations() []Destination {
	if t == nil {
		return nil
	}
	return t.all
}

// Chains returns the distinct chains of transformations, the empty one too when
// a connection has none. The caller must not change it.
func (t *Table) Chains() [][]id.Transformation {
	if t == nil {
		return nil
	}
	return t.chains
}

// Route returns the destinations that get e, in the order of the connections.
// The caller must not change the result, which is shared when e has no
// `integrations`.
//
// The rules of `integrations`: absent, null or an empty list, which is how PHP sends
// an empty map, all. {"All": false, "x": true}:
// only x; {"x": false}: all but x; an object instead of true counts as true,
// any other value as if the name were not there. x is a destination's name or,
// with less weight, its type; case does not matter, of a name given twice the
// last counts. What is anything else, or has an All that is not a
// boolean: none.
func (t *Table) Route(e event.Event) []Destination {
	if t == nil || len(t.all) == 0 {
		return nil
	}
	for key, value := range event.Fields(e.JSON) {
		if string(key) == "integrations" {
			return t.choose(value)
		}
	}
	return t.all
}

// verdict is what `integrations` says of one destination: by its type and, which
// counts more, by its name.
type verdict struct{ byType, byName stance }

type stance uint8

const (
	silent stance = iota
	on
	off
)

// choose is Route for the value of `integrations`.
func (t *Table) choose(value []byte) []Destination {
	if value[0] == 'n' || event.EmptyList(value) {
		return t.all
	}
	if value[0] != '{' {
		return nil
	}
	var few [16]verdict
	verdicts := few[:]
	if len(t.all) > len(few) {
		verdicts = make([]verdict, len(t.all))
	}
	all, changed := on, false
	var lower [64]byte
	for key, v := range event.Fields(value) {
		name := fold(lower[:0], key)
		if string(name) == "all" {
			if all = stanceOf(v); all == silent || v[0] == '{' {
				return nil
			}
			continue
		}
		r, ok := t.named[string(name)]
		if !ok {
			continue
		}
		changed = true
		if r.name >= 0 {
			verdicts[r.name].byName = stanceOf(v)
		}
		for _, i := range r.ofType {
			verdicts[i].byType = stanceOf(v)
		}
	}
	if !changed {
		if all == on {
			return t.all
		}
		return nil
	}
	return t.pick(verdicts, all)
}

// pick returns the destinations that are on.
func (t *Table) pick(verdicts []verdict, all stance) []Destination {
	var out []Destination
	for i, d := range t.all {
		s := verdicts[i].byName
		if s == silent {
			s = verdicts[i].byType
		}
		if s == silent {
			s = all
		}
		if s == on {
			out = append(out, d)
		}
	}
	return out
}

// stanceOf returns what one value of `integrations` means.
func stanceOf(value []byte) stance {
	switch value[0] {
	case 't', '{':
		return on
	case 'f':
		return off
	}
	return silent
}

// fold appends key in lower case to dst.
func fold(dst, key []byte) []byte {
	for _, c := range key {
		if c >= 0x80 {
			return append(dst[:0], strings.ToLower(string(key))...)
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}
