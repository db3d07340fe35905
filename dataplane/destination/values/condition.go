package values

import (
	"regexp"
	"slices"
	"strconv"

	"weir/dataplane/destination/convert"
	"weir/shared/catalog/calls"
	"weir/shared/catalog/ecommerce"
)

// Condition holds when all its tests do; nil: always.
type Condition []test

// test is a compiled test.
type test struct {
	any, none    []Condition
	of           Template
	boolean      bool // an absent value is false
	exists       *bool
	in           []string
	compared     bool // with in
	not          *test
	above, below *float64
	matches      *regexp.Regexp
	is           string
	event        bool
}

// Condition compiles a condition. never: the settings alone say that it does not hold.
func (c *Compiler) Condition(all calls.Condition) (out Condition, never bool) {
	for i := range all {
		was := c.varies
		c.varies = false
		t := c.test(&all[i])
		if !c.varies {
			if c.varies = was; !t.Holds(Still()) {
				return nil, true
			}
			continue
		}
		out = append(out, t)
	}
	return out, false
}

// Always compiles a condition as it is; one that never holds equals nothing.
func (c *Compiler) Always(in calls.Condition) Condition {
	out, never := c.Condition(in)
	if never {
		return Condition{{compared: true}}
	}
	return out
}

func (c *Compiler) test(t *calls.Test) test {
	out := test{any: c.conditions(t.Any), none: c.conditions(t.None), of: c.Template(t.Of), exists: t.Exists, above: t.Above, below: t.Below, is: t.Is, event: t.Event}
	if refs := t.Of.Refs(); len(refs) > 0 && refs[0].Root == "settings" {
		out.boolean = true
	}
	if t.Matches != "" {
		out.matches = regexp.MustCompile(`^(?:` + t.Matches + `)$`) // the file was checked
	}
	out.compared = len(t.Equals) > 0 || len(t.In) > 0
	out.in = slices.Clone(t.Equals)
	for _, setting := range t.In {
		for _, text := range c.Texts(setting) {
			if t.Event {
				text = ecommerce.Canonical(text)
			}
			out.in = append(out.in, text)
		}
	}
	if t.Not != nil {
		not := *t.Not
		not.Of = t.Of
		compiled := c.test(&not)
		out.not = &compiled
	}
	return out
}

func (c *Compiler) conditions(all []calls.Condition) []Condition {
	var out []Condition
	for _, one := range all {
		out = append(out, c.Always(one))
	}
	return out
}

// Holds reports whether all tests do.
func (all Condition) Holds(s *Scope) bool {
	for i := range all {
		if !all[i].Holds(s) {
			return false
		}
	}
	return true
}

func (t *test) Holds(s *Scope) bool {
	one := func(c Condition) bool { return c.Holds(s) }
	switch {
	case t.any != nil:
		return slices.ContainsFunc(t.any, one)
	case t.none != nil:
		return !slices.ContainsFunc(t.none, one)
	}
	return t.suits(t.of.Get(s), s)
}

// suits reports whether a value passes.
func (t *test) suits(v convert.Value, s *Scope) bool {
	if t.exists != nil && *t.exists != v.There() {
		return false
	}
	if t.not != nil && t.not.suits(v, s) {
		return false
	}
	if t.compared && !t.equals(v) {
		return false
	}
	if t.above != nil || t.below != nil {
		n, ok := v.Raw().Number()
		if !ok || t.above != nil && !(n > *t.above) || t.below != nil && !(n < *t.below) {
			return false
		}
	}
	if t.matches != nil && !t.matches.MatchString(v.Text()) {
		return false
	}
	return t.is == "" || t.is == kindOf(v)
}

// equals reports whether a value is one of in.
func (t *test) equals(v convert.Value) bool {
	text := v.Text()
	if !v.There() {
		return t.boolean && slices.Contains(t.in, "false")
	}
	if t.event {
		text = ecommerce.Canonical(text)
	}
	if slices.Contains(t.in, text) {
		return true
	}
	n, ok := v.Raw().Number() // 1 and 1.0
	return ok && slices.ContainsFunc(t.in, func(in string) bool {
		m, err := strconv.ParseFloat(in, 64)
		return err == nil && m == n
	})
}

// kindOf is the word for a value's type, "" of an absent one.
func kindOf(v convert.Value) string {
	switch raw := v.Raw(); {
	case raw.IsText():
		return "text"
	case raw.IsNumber():
		return "number"
	case raw.IsObject():
		return "object"
	case raw.IsList():
		return "list"
	case len(raw) > 0:
		return "boolean"
	}
	return ""
}
