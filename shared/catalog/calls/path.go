package calls

import (
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"weir/shared/catalog/calls/reference"
	"weir/shared/catalog/document"
)

// scope says what paths may lead to.
type scope struct {
	element bool // inside of each or values: paths begin at an element
	answer  bool // of answers: paths lead into the answer
	items   bool // of a batch's wrap
	fixed   bool // settings alone
}

// sources reads paths and templates: a text, or a list of them.
func (p *parser) sources(n *yaml.Node, at string, s scope) []Template {
	var all []Template
	list := p.Sequence(n, at)
	if len(list) == 0 {
		p.Add(at, "required", "There is no path.")
	}
	for i, e := range list {
		if len(list) > 1 || document.Resolved(n).Kind == yaml.SequenceNode {
			all = append(all, p.source(document.Pair{Node: e, At: document.Index(at, i)}, s))
			continue
		}
		all = append(all, p.source(document.Pair{Node: e, At: at}, s))
	}
	return all
}

// source reads a path, or a template when it has braces.
func (p *parser) source(m document.Pair, s scope) Template {
	if text := p.Text(m); strings.Contains(text, "{") {
		return p.template(text, m.At, s)
	} else if text != "" {
		return Template{{Refs: p.refs(text, m.At, s)}}
	}
	p.Add(m.At, "required", "There is no path.")
	return Template{{}}
}

// templateAt reads text with references.
func (p *parser) templateAt(m document.Pair, s scope) Template { return p.template(p.Text(m), m.At, s) }

func (p *parser) template(text, at string, s scope) Template {
	t := Template{}
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			t = append(t, Piece{Text: plain.String()})
			plain.Reset()
		}
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		if (c == '{' || c == '}') && i+1 < len(text) && text[i+1] == c {
			plain.WriteByte(c)
			i++
			continue
		}
		if c != '{' {
			plain.WriteByte(c)
			continue
		}
		end := reference.Closing(text, i)
		if end < 0 {
			p.Add(at, "malformed", "The brace at %d has no other; a brace in a text is written twice.", i+1)
			return t
		}
		flush()
		t = append(t, Piece{Refs: p.refs(text[i+1:end], at, s)})
		i = end
	}
	flush()
	return t
}

// refs reads alternatives.
func (p *parser) refs(text, at string, s scope) []Ref {
	var all []Ref
	for part := range strings.SplitSeq(reference.Guarded(text), "|") {
		part = strings.TrimSpace(strings.ReplaceAll(part, "\x00", "|"))
		if len(part) >= 2 && part[0] == '\'' && part[len(part)-1] == '\'' {
			all = append(all, Ref{Root: "text", Text: part[1 : len(part)-1]})
			continue
		}
		if part == "" {
			p.Add(at, "malformed", "A path is missing in %q.", text)
			continue
		}
		all = append(all, p.ref(part, at, s))
	}
	return all
}

var plainName = regexp.MustCompile(`^[^{}|']*$`)

// ref reads one path.
func (p *parser) ref(text, at string, s scope) Ref {
	if !plainName.MatchString(text) {
		p.Add(at, "malformed", "%q is no path.", text)
		return Ref{}
	}
	if text == "." {
		if !s.element && !s.answer {
			p.Add(at, "not_allowed", "The path . is the element, inside of each.")
		}
		return Ref{Path: []string{}}
	}
	path := reference.Split(text)
	if slices.Contains(path, "") {
		p.Add(at, "malformed", "A name is missing in the path %q.", text)
		return Ref{}
	}
	switch root := path[0]; {
	case root == "secrets":
		p.Add(at, "not_allowed", "Secrets stand in auth alone: the engine adds them when a request is sent.")
	case root == "settings":
		return p.setting(path, at)
	case root == "items" && len(path) == 1 && s.items:
		return Ref{Root: "items"}
	case s.fixed:
		p.Add(at, "not_allowed", "Only settings can stand here.")
	case root == "found" && !s.answer:
		if len(path) != 2 || !p.lookups[path[1]] {
			p.Add(at, "unknown_field", "There is no look-up %q.", strings.Join(path[1:], "."))
			return Ref{}
		}
		return Ref{Root: "found", Path: path[1:]}
	case strings.HasPrefix(root, "$"):
		return p.computed(path, at, s)
	case !s.element && !s.answer && !slices.Contains(reference.Roots, root):
		p.Add(at, "unknown_field", "Events have no member %q; one of your own is $event.%s. A constant text is written { constant: %s }.", root, text, text)
	default:
		return Ref{Path: path}
	}
	return Ref{}
}

func (p *parser) computed(path []string, at string, s scope) Ref {
	more, known := reference.Computed[path[0]]
	each := slices.Contains(reference.OfEach, path[0])
	switch {
	case s.answer && path[0] != "$now":
		p.Add(at, "not_allowed", "%s is of events; here paths lead into the answer.", path[0])
	case !known && !each:
		p.Add(at, "unknown_field", "There is no %s.", path[0])
	case each && !s.element:
		p.Add(at, "not_allowed", "%s stands inside of each.", path[0])
	case more && len(path) < 2 || !more && len(path) > 1:
		p.Add(at, "malformed", "%s is written $trait.NAME or $event.PATH, all others alone.", path[0])
	}
	return Ref{Root: path[0], Path: path[1:]}
}

// setting reads a path to a setting.
func (p *parser) setting(path []string, at string) Ref {
	name := strings.Join(path[1:], ".")
	if p.known.Settings[name] == "" {
		p.Add(at, "unknown_field", "There is no setting %q.", name)
	}
	return Ref{Root: "settings", Path: path[1:]}
}

// settingIn reads a template that is one setting of one of these types, such as
// {settings.events}.
func (p *parser) settingIn(text, at string, types ...string) []Template {
	t := p.template(text, at, scope{fixed: true})
	if len(t) != 1 || len(t[0].Refs) != 1 || t[0].Refs[0].Root != "settings" {
		p.Add(at, "malformed", "This is one setting, such as {settings.events}.")
		return nil
	}
	if typ := p.known.Settings[strings.Join(t[0].Refs[0].Path, ".")]; typ != "" && !slices.Contains(types, typ) {
		p.Add(at, "wrong_type", "This is a setting of type %s.", strings.Join(types, " or "))
	}
	return []Template{t}
}

// Refs returns every reference of a template.
func (t Template) Refs() []Ref {
	var all []Ref
	for _, piece := range t {
		all = append(all, piece.Refs...)
	}
	return all
}
