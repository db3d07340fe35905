package calls

import (
	"net/http"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"weir/shared/catalog/document"
	"weir/shared/catalog/ecommerce"
)

// maxThen is how many calls may follow one.
const maxThen = 8

// call reads a call; one of then has the call that it follows.
func (p *parser) call(n *yaml.Node, at string, before *Call) Call {
	c := Call{At: at, Request: Request{Method: http.MethodPost, Format: "json"}}
	var addressed, body bool
	inner := scope{element: hasWord(n, "each")}
	words := p.request(&c.Request, inner, &addressed, &body)
	more := map[string]func(document.Pair){
		"when":    func(m document.Pair) { c.When = p.condition(m.Node, m.At, scope{}) },
		"require": func(m document.Pair) { c.Require = p.require(m) },
		"drop":    func(m document.Pair) { c.Drop = p.code(m) },
		"retry":   func(m document.Pair) { c.Retry = p.code(m) },
		"after":   func(m document.Pair) { c.After = p.Duration(m) },
		"age":     func(m document.Pair) { c.Age = p.age(m) },
		"batch":   func(m document.Pair) { c.Batch = p.batch(m) },
		"each": func(m document.Pair) {
			if c.Each = p.sources(m.Node, m.At, scope{}); !inner.element {
				p.Add(m.At, "not_allowed", "Each stands in the call itself.")
			}
		},
		"max": func(m document.Pair) { c.Max = p.Number(m, 1, 100) },
		"parts": func(m document.Pair) {
			for i, e := range p.Sequence(m.Node, m.At) {
				c.Parts = append(c.Parts, p.value(e, document.Index(m.At, i), scope{}))
			}
		},
	}
	if before == nil {
		more["on"] = func(m document.Pair) { p.on(m, &c) }
		more["then"] = func(m document.Pair) {
			all := p.Sequence(m.Node, m.At)
			if len(all) > maxThen {
				p.Add(m.At, "too_many", "At most %d requests follow a call.", maxThen)
				return
			}
			for i, e := range all {
				c.Then = append(c.Then, p.call(e, document.Index(m.At, i), &c))
			}
		}
	}
	for word, read := range more {
		words[word] = read
	}
	given := p.Words(n, at, words)
	p.whole(&c, given, addressed, body || c.Parts != nil)
	return c
}

func hasWord(n *yaml.Node, word string) bool {
	for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content)-1; i += 2 {
		if n.Content[i].Value == word {
			return true
		}
	}
	return false
}

// whole reports what does not go together in a call.
func (p *parser) whole(c *Call, given map[string]bool, addressed, body bool) {
	if c.Drop != "" || c.Retry != "" {
		for _, word := range []string{"path", "url", "body", "parts", "each", "batch", "then", "query", "headers"} {
			if given[word] || c.Drop != "" && c.Retry != "" {
				p.Add(c.At, "not_allowed", "A call that says drop or retry sends nothing: it has no %s, and one of the two.", word)
				break
			}
		}
		return
	}
	if !addressed {
		p.Add(c.At, "required", "Say the path behind base (\"\" for base itself), the url, or why nothing is sent: drop.")
	}
	if c.Format != "none" && !body {
		p.Add(c.At, "required", "Say the body or the parts; a request without a body has format: none.")
	}
	if given["body"] && given["parts"] || c.Format == "none" && body {
		p.Add(c.At, "not_allowed", "A call has a body, or parts, or format: none.")
	}
	if given["after"] {
		p.Add(c.At+".after", "not_allowed", "Only a call that says retry has after.")
	}
	switch {
	case given["each"] && c.Batch != nil:
		p.Add(c.At+".each", "not_allowed", "A call of each element is one request each; in a batch parts have each.")
	case given["max"] && !given["each"]:
		p.Add(c.At+".max", "not_allowed", "Only a call that says each has max.")
	case c.Batch == nil && c.Parts != nil:
		p.Add(c.At+".parts", "not_allowed", "Parts stand in a batch: add batch.")
	case c.Batch != nil && !p.known.Batch:
		p.Add(c.At+".batch", "required", "Say in limits.batch how many events a request has.")
	case c.Batch != nil && c.Format != "json" && c.Format != "lines":
		p.Add(c.At+".format", "not_allowed", "A batch is json or lines.")
	case c.Batch != nil && c.Batch.Wrap != nil && c.Format == "lines":
		p.Add(c.At+".batch.wrap", "not_allowed", "Lines have no wrap.")
	}
	if c.Format == "form" && c.Body != nil && c.Body.Op != Object && c.Body.Op != Rest {
		p.Add(c.At+".body", "wrong_type", "A form is an object.")
	}
}

// request returns the words of a request.
func (p *parser) request(r *Request, s scope, addressed, body *bool) map[string]func(document.Pair) {
	return map[string]func(document.Pair){
		"method": func(m document.Pair) {
			r.Method = p.OneOf(m, http.MethodPost, http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodDelete)
		},
		"path": func(m document.Pair) {
			*addressed = true
			r.Path = p.templateAt(m, s)
			if text := m.Node.Value; text != "" && text[0] != '/' || strings.ContainsAny(text, "?#") {
				p.Add(m.At, "bad_url", "A path begins with / and has no ? or #; parameters stand in query.")
			}
			if !p.known.Base {
				p.Add(m.At, "required", "There is no base to put the path behind: add base, or say url.")
			}
		},
		"url": func(m document.Pair) {
			if *addressed {
				p.Add(m.At, "not_allowed", "A request has a path or a url.")
			}
			*addressed = true
			t := p.templateAt(m, s)
			r.URL = &t
			if len(t) == 0 || len(t[0].Refs) != 1 || t[0].Refs[0].Root != "settings" || p.known.Settings[strings.Join(t[0].Refs[0].Path, ".")] != "url" ||
				len(t) > 1 && !strings.HasPrefix(t[1].Text, "/") {
				p.Add(m.At, "bad_url", "An address begins with a setting of type url; what follows begins with /.")
			}
		},
		"query":   func(m document.Pair) { r.Query = p.object(p.Mapping(m.Node, m.At), s) },
		"headers": func(m document.Pair) { r.Headers = p.headers(m, s) },
		"format":  func(m document.Pair) { r.Format = p.OneOf(m, formats()...) },
		"body": func(m document.Pair) {
			*body = true
			v := p.value(m.Node, m.At, s)
			r.Body = &v
		},
	}
}

// headers reads headers. Those that the engine sets are not the file's.
func (p *parser) headers(m document.Pair, s scope) []Member {
	all := p.object(p.Mapping(m.Node, m.At), s)
	for _, h := range all {
		name := ""
		if len(h.Name) == 1 {
			name = http.CanonicalHeaderKey(h.Name[0].Text)
		}
		if h.Spread || name == "" || strings.ContainsAny(name, " :\r\n\t\"") {
			p.Add(m.At, "bad_name", "The name of a header is letters, digits and -.")
		}
		if slices.Contains([]string{"Authorization", "Content-Length", "Transfer-Encoding", "Connection", "Host", "Content-Encoding"}, name) {
			p.Add(m.At+"."+name, "not_allowed", "The engine sets this header; what authorises a request stands in auth.")
		}
	}
	return all
}

// on reads the types and names of events.
func (p *parser) on(m document.Pair, c *Call) {
	p.Words(m.Node, m.At, map[string]func(document.Pair){
		"type":   func(m document.Pair) { c.Types = p.types(m) },
		"object": func(m document.Pair) { c.Objects = p.Texts(m) },
		"event": func(m document.Pair) {
			for _, text := range p.Texts(m) {
				if strings.HasPrefix(text, "{") {
					c.EventIn = append(c.EventIn, p.settingIn(text, m.At, "strings", "map", "string")...)
					continue
				}
				c.Events = append(c.Events, ecommerce.Canonical(text))
			}
		},
	})
}

func (p *parser) types(m document.Pair) []string {
	known := []string{"track", "page", "screen", "identify", "group", "alias", "merge", "record"}
	var all []string
	for _, typ := range p.Texts(m) {
		if !slices.Contains(known, typ) {
			p.Add(m.At, "not_in_enum", "The type of an event is one of %s.", strings.Join(known, ", "))
		}
		all = append(all, typ)
	}
	return all
}

// require reads values without which an event is dropped.
func (p *parser) require(m document.Pair) []Value {
	var all []Value
	for i, n := range p.Sequence(m.Node, m.At) {
		at := document.Index(m.At, i)
		code := "missing_field"
		if n.Kind == yaml.MappingNode {
			inner := &yaml.Node{Kind: yaml.MappingNode}
			for _, w := range p.Mapping(n, at) {
				if w.Key == "code" {
					code = p.code(w)
					continue
				}
				inner.Content = append(inner.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: w.Key}, w.Node)
			}
			n = inner
		}
		v := p.value(n, at, scope{})
		if v.Code = code; v.Op == Object {
			p.Add(at, "malformed", "Say from, and the paths one of which has to be there.")
		}
		all = append(all, v)
	}
	return all
}

func (p *parser) age(m document.Pair) *Age {
	a := &Age{Of: []Template{{{Refs: []Ref{{Root: "$time"}}}}}, Code: "event_too_old"}
	p.Words(m.Node, m.At, map[string]func(document.Pair){
		"of":    func(m document.Pair) { a.Of = p.sources(m.Node, m.At, scope{}) },
		"max":   func(m document.Pair) { a.Max = p.Duration(m) },
		"ahead": func(m document.Pair) { a.Ahead = p.Duration(m) },
		"code":  func(m document.Pair) { a.Code = p.code(m) },
	})
	if a.Max == 0 && a.Ahead == 0 {
		p.Add(m.At, "required", "Say max, how old an event may be, or ahead, how far in the future.")
	}
	return a
}

func (p *parser) batch(m document.Pair) *Batch {
	b := &Batch{}
	if m.Node.Kind == yaml.ScalarNode && m.Node.Value == "true" {
		return b
	}
	p.Words(m.Node, m.At, map[string]func(document.Pair){
		"max":      func(m document.Pair) { b.Max = p.Number(m, 1, 100_000) },
		"distinct": func(m document.Pair) { b.Distinct = p.sources(m.Node, m.At, scope{}) },
		"wrap": func(m document.Pair) {
			v := p.value(m.Node, m.At, scope{items: true})
			b.Wrap = &v
			if n := places(v); n != 1 {
				p.Add(m.At, "required", "The list stands in the wrap once: a member is \"{items}\".")
			}
		},
	})
	return b
}

// places counts the places of the list in a wrap. They stand in objects that are always
// there.
func places(v Value) int {
	n := 0
	if v.Op == Items {
		n++
	}
	if v.Op == Object && len(v.When) == 0 {
		for _, m := range v.Members {
			n += places(m.Value)
		}
	}
	return n
}

// lookup reads a look-up.
func (p *parser) lookup(m document.Pair) Lookup {
	l := Lookup{At: m.At, Name: m.Key, Request: Request{Method: http.MethodGet, Format: "json"}}
	var addressed, body bool
	words := p.request(&l.Request, scope{}, &addressed, &body)
	words["on"] = func(m document.Pair) {
		p.Words(m.Node, m.At, map[string]func(document.Pair){"type": func(m document.Pair) { l.Types = p.types(m) }})
	}
	words["when"] = func(m document.Pair) { l.When = p.condition(m.Node, m.At, scope{}) }
	words["key"] = func(m document.Pair) { l.Key = p.sources(m.Node, m.At, scope{}) }
	words["once"] = func(m document.Pair) { l.Once = p.Boolean(m) }
	words["found"] = func(m document.Pair) { l.Found = p.sources(m.Node, m.At, scope{answer: true}) }
	words["missing"] = func(m document.Pair) {
		for i, n := range p.Sequence(m.Node, m.At) {
			l.Missing = append(l.Missing, p.Number(document.Pair{Node: n, At: document.Index(m.At, i)}, 200, 499))
		}
	}
	given := p.Words(m.Node, m.At, words)
	for _, word := range []string{"key", "found"} {
		if !given[word] {
			p.Add(m.At, "required", "A look-up says its key, its path or url, and what it found.")
			break
		}
	}
	if !addressed {
		p.Add(m.At, "required", "Say the path behind base, or the url.")
	}
	if l.Body == nil {
		l.Format = "none"
	} else if l.Method == http.MethodGet && !given["method"] {
		l.Method = http.MethodPost
	}
	for _, r := range refsOf(l) {
		if r.Root == "found" {
			p.Add(m.At, "not_allowed", "A look-up does not use what another one found.")
		}
	}
	return l
}

// refsOf returns the references of a look-up's address and key.
func refsOf(l Lookup) []Ref {
	all := l.Path.Refs()
	for _, t := range l.Key {
		all = append(all, t.Refs()...)
	}
	return all
}
