package calls

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"weir/shared/catalog/calls/reference"
	"weir/shared/catalog/document"
	"weir/shared/catalog/ecommerce"
)

// leading are the words that make a mapping one of the forms of a value.
var leading = []string{"from", "constant", "each", "list", "rest", "object", "go", "template"}

// modifiers are the words beside a leading one.
var modifiers = map[string][]string{
	"from": {"as", "names", "onlyNamed", "or", "when"}, "constant": {"when"}, "each": {"body", "value", "max", "when", "keepEmpty"},
	"list": {"when", "keepEmpty"}, "object": {"when", "keepEmpty"}, "go": {"when"}, "template": {"by", "as", "or", "max", "when"},
	"rest": {"except", "only", "rename", "flatten", "keys", "as", "max", "when", "keepEmpty"},
}

// value reads a value of a body.
func (p *parser) value(n *yaml.Node, at string, s scope) Value {
	defer p.Higher()
	if n = document.Resolved(n); !p.Deeper(at) || !p.Enter(at) {
		return Value{Op: Constant, Constant: []byte("0")}
	}
	switch {
	case n.Kind == yaml.ScalarNode && slices.Contains([]string{"!!int", "!!float", "!!bool"}, n.Tag):
		return Value{Op: Constant, Constant: p.Constant(n, at)}
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		p.Add(at, "required", "There is no value; a null is written { constant: null }.")
		return Value{Op: Constant, Constant: []byte("null")}
	case n.Kind != yaml.MappingNode:
		from := p.sources(n, at, s)
		if s.items && len(from) == 1 && len(from[0]) == 1 && len(from[0][0].Refs) == 1 && from[0][0].Refs[0].Root == "items" {
			return Value{Op: Items}
		}
		return Value{Op: From, From: from}
	}
	members := p.Mapping(n, at)
	word := ""
	for _, m := range members {
		if slices.Contains(leading, m.Key) && word == "" {
			word = m.Key
		}
	}
	if word == "" {
		return Value{Op: Object, Members: p.object(members, s)}
	}
	v := Value{Op: Op(word)}
	for _, m := range members {
		switch {
		case m.Key == word:
			p.lead(&v, m, s)
		case slices.Contains(modifiers[word], m.Key):
			p.modify(&v, m, s)
		default:
			p.Add(m.At, "unknown_field", "%q is no word beside %q, which takes %s. If %q is a member's name here, write { object: { … } } around the members.",
				m.Key, word, strings.Join(modifiers[word], ", "), word)
		}
	}
	for _, setting := range v.Settings {
		if typ := p.known.Settings[strings.Join(setting, ".")]; typ != "string" && (typ != "map" || v.By == nil) && len(setting) > 0 {
			p.Add(at, "wrong_type", "A template is a setting of type string, or of type map with by.")
		}
	}
	if v.Op == Each && v.Body == nil {
		p.Add(at, "required", "Say the body, or the value, of each element.")
		v.Body = &Value{Op: Constant, Constant: []byte("0")}
	}
	return v
}

func (p *parser) lead(v *Value, m document.Pair, s scope) {
	switch v.Op {
	case From, Each, Rest:
		v.From = p.sources(m.Node, m.At, s)
	case Constant:
		v.Constant = p.Constant(m.Node, m.At)
	case List:
		if m.Node.Kind != yaml.SequenceNode {
			p.Add(m.At, "wrong_type", "This is a list of values. If list is a member's name here, write { object: { … } } around the members.")
		}
		for i, e := range p.Sequence(m.Node, m.At) {
			v.List = append(v.List, p.value(e, document.Index(m.At, i), s))
		}
	case Object:
		v.Members = p.object(p.Mapping(m.Node, m.At), s)
	case Text:
		for _, text := range p.Texts(m) {
			v.Settings = append(v.Settings, p.ref(text, m.At, scope{fixed: true}).Path)
		}
	case GoValue:
		v.Go = p.Text(m)
		p.goNames = append(p.goNames, v.Go)
	}
}

func (p *parser) modify(v *Value, m document.Pair, s scope) {
	switch m.Key {
	case "when":
		v.When = p.condition(m.Node, m.At, s)
	case "as":
		v.As = p.conversions(m.Node, m.At)
	case "names":
		v.Names = p.tables(m)
	case "onlyNamed":
		v.OnlyNamed = p.Boolean(m)
	case "or":
		or := Value{Op: Constant}
		if m.Node.Kind == yaml.ScalarNode && m.Node.Tag == "!!str" && strings.Contains(m.Node.Value, "{") {
			or = Value{Op: From, From: []Template{p.templateAt(m, s)}}
		} else {
			or.Constant = p.Constant(m.Node, m.At)
		}
		v.Or = &or
	case "body", "value":
		if v.Body != nil {
			p.Add(m.At, "not_allowed", "An element has a body or a value.")
		}
		inner := s
		inner.element = true
		body := p.value(m.Node, m.At, inner)
		v.Body = &body
	case "by":
		v.By = p.sources(m.Node, m.At, s)
	case "max":
		v.Max = p.Number(m, 1, 100_000)
	case "keepEmpty":
		v.KeepEmpty = p.Boolean(m)
	case "except":
		v.Except = p.set(m)
	case "only":
		v.Only = p.set(m)
	case "rename":
		if m.Node.Kind == yaml.ScalarNode {
			v.RenameBy = p.settingIn(p.Text(m), m.At, "map")
			break
		}
		v.Rename = map[string]string{}
		for _, r := range p.Mapping(m.Node, m.At) {
			v.Rename[r.Key] = p.Text(r)
		}
	case "flatten":
		v.Flatten = p.Text(m)
		if v.Flatten == "" {
			p.Add(m.At, "required", "Say what stands between the names, such as _.")
		}
	case "keys":
		v.Keys = p.conversions(m.Node, m.At)
	}
}

// object reads the members of an object.
func (p *parser) object(members []document.Pair, s scope) []Member {
	var all []Member
	for _, m := range members {
		if m.Key == "*" {
			for i, n := range p.Sequence(m.Node, m.At) {
				at := m.At
				if document.Resolved(m.Node).Kind == yaml.SequenceNode {
					at = document.Index(m.At, i)
				}
				v := p.value(n, at, s)
				if v.Op == Each || v.Op == List {
					p.Add(at, "wrong_type", "What stands in an object itself is an object.")
				}
				all = append(all, Member{Spread: true, Value: v})
			}
			continue
		}
		name := Template{{Text: m.Key}}
		if strings.Contains(m.Key, "{") {
			name = p.template(m.Key, m.At, s)
		}
		all = append(all, Member{Name: name, Value: p.value(m.Node, m.At, s)})
	}
	return all
}

// set reads names, a setting, or a list of both.
func (p *parser) set(m document.Pair) Set {
	var s Set
	for _, text := range p.Texts(m) {
		if strings.HasPrefix(text, "{") {
			s.Settings = append(s.Settings, p.settingIn(text, m.At, "strings", "map")...)
			continue
		}
		s.Names = append(s.Names, text)
	}
	return s
}

// tables reads tables of names: a mapping, a setting, or a list of both.
func (p *parser) tables(m document.Pair) []Table {
	var all []Table
	for _, n := range p.Sequence(m.Node, m.At) {
		if n.Kind == yaml.ScalarNode {
			all = append(all, Table{Setting: p.settingIn(n.Value, m.At, "map")})
			continue
		}
		t := Table{Names: map[string]string{}}
		for _, name := range p.Mapping(n, m.At) {
			t.Names[ecommerce.Canonical(name.Key)] = p.Text(name)
		}
		all = append(all, t)
	}
	return all
}

// words of as, by what they take.
var (
	plain = []string{"string", "integer", "number", "boolean", "unix", "unix_ms", "iso8601", "date", "lower", "upper", "trim", "title",
		"snake_case", "camel_case", "kebab_case", "list", "first", "last", "count", "json", "language", "region", "host", "url_path",
		"sha256", "md5", "sha1", "uuid", "email", "gmail", "canonical_email", "phone", "phone_digits", "name", "city", "state", "zip", "country", "gender", "birthday"}
	withText = []string{"prefix", "suffix", "join", "split"}
)

// conversions reads the words of as.
func (p *parser) conversions(n *yaml.Node, at string) []Conversion {
	var all []Conversion
	for i, e := range p.Sequence(n, at) {
		here := at
		if document.Resolved(n).Kind == yaml.SequenceNode {
			here = document.Index(at, i)
		}
		if e.Kind == yaml.ScalarNode {
			all = append(all, Conversion{Word: p.OneOf(document.Pair{Node: e, At: here}, plain...)})
			continue
		}
		for _, m := range p.Mapping(e, here) {
			all = append(all, p.conversion(m))
		}
	}
	return all
}

func (p *parser) conversion(m document.Pair) Conversion {
	c := Conversion{Word: m.Key}
	switch {
	case m.Key == "truncate":
		c.Number = p.Number(m, 1, 1_000_000)
	case slices.Contains([]string{"prefix", "suffix"}, m.Key):
		c.Template = p.templateAt(m, scope{})
		for _, piece := range c.Template {
			for _, r := range piece.Refs {
				if r.Root != "settings" {
					p.Add(m.At, "not_allowed", "What is put before or behind a value is a text, with settings in braces.")
				}
			}
		}
	case slices.Contains(withText, m.Key):
		c.Text = p.Text(m)
		if c.Text == "" && m.Key == "split" {
			p.Add(m.At, "required", "Say what stands between the texts.")
		}
	case m.Key == "replace":
		for _, r := range p.Mapping(m.Node, m.At) {
			if r.Key == "" {
				p.Add(r.At, "required", "Say what is replaced.")
			}
			c.Pairs = append(c.Pairs, [2]string{r.Key, p.Text(r)})
		}
	case m.Key == "sum":
		c.Path = reference.Split(p.Text(m))
	default:
		p.Add(m.At, "unknown_field", "%q takes nothing, or is no conversion. Those that take something are truncate, replace, sum, %s.", m.Key, strings.Join(withText, ", "))
	}
	return c
}
