package calls

import (
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"weir/shared/catalog/document"
	"weir/shared/catalog/ecommerce"
)

// condition reads the tests of when.
func (p *parser) condition(n *yaml.Node, at string, s scope) Condition {
	defer p.Higher()
	if !p.Deeper(at) {
		return nil
	}
	var c Condition
	for _, m := range p.Mapping(n, at) {
		var t Test
		switch m.Key {
		case "any":
			t.Any = p.alternatives(m, s)
		case "none":
			t.None = p.alternatives(m, s)
		default:
			t = p.test(m, s)
			t.Of = Template{{Refs: p.refs(m.Key, m.At, s)}}
			event(&t, t.Of)
		}
		c = append(c, t)
	}
	return c
}

// event makes tests of an event's name compare names in the form of Canonical.
func event(t *Test, of Template) {
	refs := of.Refs()
	if len(refs) == 1 && (refs[0].Root == "$name" || refs[0].Root == "" && len(refs[0].Path) == 1 && refs[0].Path[0] == "event") {
		t.Event = true
		for i := range t.Equals {
			t.Equals[i] = ecommerce.Canonical(t.Equals[i])
		}
		if t.Not != nil {
			event(t.Not, of)
		}
	}
}

func (p *parser) alternatives(m document.Pair, s scope) []Condition {
	var all []Condition
	for i, n := range p.Sequence(m.Node, m.At) {
		all = append(all, p.condition(n, document.Index(m.At, i), s))
	}
	return all
}

// test reads what a value is compared with: a value, a list, or words.
func (p *parser) test(m document.Pair, s scope) Test {
	defer p.Higher()
	var t Test
	if !p.Deeper(m.At) {
		return t
	}
	if m.Node.Kind != yaml.MappingNode {
		p.equals(&t, m)
		return t
	}
	given := p.Words(m.Node, m.At, map[string]func(document.Pair){
		"exists": func(m document.Pair) { yes := p.Boolean(m); t.Exists = &yes },
		"equals": func(m document.Pair) { p.equals(&t, m) },
		"in":     func(m document.Pair) { p.equals(&t, m) },
		"not":    func(m document.Pair) { not := p.test(m, s); t.Not = &not },
		"above":  func(m document.Pair) { t.Above = p.Float(m) },
		"below":  func(m document.Pair) { t.Below = p.Float(m) },
		"is":     func(m document.Pair) { t.Is = p.OneOf(m, "text", "number", "boolean", "object", "list") },
		"matches": func(m document.Pair) {
			t.Matches = p.Text(m)
			if _, err := regexp.Compile(t.Matches); err != nil || len(t.Matches) > 1000 {
				p.Add(m.At, "bad_pattern", "This is no regular expression in RE2 syntax, or a very long one.")
				t.Matches = ""
			}
		},
	})
	if len(given) == 0 {
		p.Add(m.At, "required", "Say what the value is compared with.")
	}
	return t
}

// equals reads the values one of which has to be there; a setting names some.
func (p *parser) equals(t *Test, m document.Pair) {
	for _, text := range p.Texts(m) {
		if strings.HasPrefix(text, "{") {
			t.In = append(t.In, p.settingIn(text, m.At, "strings", "map", "string", "enum", "integer", "boolean")...)
			continue
		}
		t.Equals = append(t.Equals, text)
	}
	if t.Equals == nil && t.In == nil {
		p.Add(m.At, "required", "Say what the value is compared with.")
	}
}
