package calls

import (
	"slices"

	"weir/shared/catalog/calls/reference"
	"weir/shared/catalog/document"
	"weir/shared/fault"
)

// Limits of what a setting overrides.
const (
	maxOverrides = 100
	maxLevels    = 10 // of a field
)

// change is a field of a body that a setting replaces or adds.
type change struct {
	Field []string
	When  Condition // nil: always
	Value Value
}

// With returns s with the fields that overrides replace and add in the body of every
// call, of those that follow a call, and in each part of a batch. overrides, at a place, is
// a JSON object of values by field, such as {"custom_data.plan": "traits.plan"}. A value
// may stand below value, beside when: the condition under which it is meant. Problems are
// at a place. None of it reaches look-ups, secrets, or what Go files make. Bodies that are
// texts stay as they are; others become objects.
func (s Spec) With(overrides []byte, at string, known Known) (Spec, []fault.Problem) {
	problems := s.Changes(overrides, at, known, func(field []string, when Condition, v *Value) {
		s.Calls = with(s.Calls, &change{field, when, *v})
	})
	return s, problems
}

// Changes gives each what overrides say, as With reads them: a field, the condition under
// which it is meant, and its value, whose paths begin at the event. Objects are before what is in them.
func (Spec) Changes(overrides []byte, at string, known Known, each func(field []string, when Condition, v *Value)) []fault.Problem {
	p := &parser{known: known}
	n, err := document.FromJSON(overrides)
	if err != nil {
		p.Add(at, "malformed", "This is not a JSON object in which each name stands once.")
		return p.Problems
	}
	members := p.Mapping(n, at)
	if len(members) > maxOverrides {
		p.Add(at, "too_many", "At most %d fields can be replaced or added.", maxOverrides)
		return p.Problems
	}
	var all []change
	for _, m := range members {
		c := change{Field: reference.Split(m.Key)}
		if slices.Contains(c.Field, "") || len(c.Field) > maxLevels {
			p.Add(m.At, "bad_pattern", "A field is a name, or names of objects and a name with dots between, at most %d; a dot within a name is written \\.", maxLevels)
		}
		value := m
		if document.Exactly(m.Node, "value", "when") {
			for _, part := range p.Mapping(m.Node, m.At) {
				if part.Key == "when" {
					c.When = p.condition(part.Node, part.At, scope{})
				} else {
					value = part
				}
			}
		}
		c.Value = p.value(value.Node, value.At, scope{})
		if len(p.goNames) > 0 {
			p.Add(m.At, "not_allowed", "What a Go file makes cannot stand in settings.")
			p.goNames = nil
		}
		all = append(all, c)
	}
	slices.SortStableFunc(all, func(a, b change) int { return slices.Compare(a.Field, b.Field) })
	for i := range all {
		each(all[i].Field, all[i].When, &all[i].Value)
	}
	return p.Problems
}

func with(all []Call, change *change) []Call {
	all = slices.Clone(all)
	for i := range all {
		c := &all[i]
		c.Parts, c.Then = slices.Clone(c.Parts), with(c.Then, change)
		if c.Format == "text" {
			continue
		}
		for p := range c.Parts {
			c.Parts[p] = put(c.Parts[p], change.Field, change)
		}
		if c.Body != nil {
			body := put(*c.Body, change.Field, change)
			c.Body = &body
		}
	}
	return all
}

// put returns v with a change at a path: of a list in each element, of what is copied
// whole beside its members.
func put(v Value, path []string, c *change) Value {
	switch v.Op {
	case Each:
		body := put(*v.Body, path, c)
		v.Body = &body
		return v
	case List, changed:
		v.List = slices.Clone(v.List)
		for i := range v.List {
			v.List[i] = put(v.List[i], path, c)
		}
		return v
	case Object:
	default:
		when := v.When
		v.When = nil
		v = Value{Op: Object, When: when, Members: []Member{{Spread: true, Value: v}}}
	}
	v.Members = slices.Clone(v.Members)
	i := slices.IndexFunc(v.Members, func(m Member) bool {
		return !m.Spread && len(m.Name) == 1 && len(m.Name[0].Refs) == 0 && m.Name[0].Text == path[0]
	})
	if i < 0 {
		i = len(v.Members)
		v.Members = append(v.Members, Member{Name: Template{{Text: path[0]}}, Value: Value{Op: Object}})
	}
	m := &v.Members[i]
	if len(path) > 1 {
		m.Value = put(m.Value, path[1:], c)
	} else {
		m.Value = Value{Op: changed, Where: c.When, List: []Value{c.Value, m.Value}}
	}
	return v
}
