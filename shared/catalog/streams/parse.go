package streams

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"weir/shared/catalog/document"
	"weir/shared/catalog/streams/word"
)

// stream reads one stream.
func (p *parser) stream(m document.Pair) Stream {
	s := Stream{Name: m.Key, Request: Request{Method: "GET"}, Deletes: Deletes{See: word.Unseen}}
	if !streamName.MatchString(m.Key) || len(m.Key) > maxName {
		p.Add(m.At, "bad_name", "A stream's name is 1 to 63 of a-z, 0-9 and '_', a letter first.")
	}
	p.parent, p.job = hasWord(m.Node, "for"), hasWord(m.Node, "job")
	words := p.request(&s.Request)
	words["doc"] = func(m document.Pair) { s.Doc = p.Text(m) }
	words["for"] = func(m document.Pair) {
		s.For = p.Text(m)
		i := slices.IndexFunc(p.before, func(x Stream) bool { return x.Name == s.For })
		if i < 0 || p.before[i].For != "" {
			p.Add(m.At, "unknown_field", "There is no stream %q before this one that stands for itself.", s.For)
		}
	}
	words["key"] = func(m document.Pair) {
		s.Key = p.Texts(m)
		for _, k := range s.Key {
			p.references(m.At, k)
		}
	}
	words["job"] = func(m document.Pair) { s.Job = p.jobOf(m) }
	words["compare"] = func(m document.Pair) { s.Compare = p.Number(m, 1, 10_000) }
	words["into"] = func(m document.Pair) {
		s.Into = p.Text(m)
		if !slices.ContainsFunc(p.before, func(x Stream) bool { return x.Name == s.Into && x.Into == "" }) {
			p.Add(m.At, "unknown_field", "There is no stream %q before this one that rows can go to.", s.Into)
		}
	}
	words["add"] = func(m document.Pair) { s.Add = p.members(m) }
	words["off"] = func(m document.Pair) { s.Off = p.Boolean(m) }
	words["cursor"] = func(m document.Pair) { c := p.cursor(m); s.Cursor = &c }
	words["deletes"] = func(m document.Pair) { s.Deletes = p.deletes(m) }
	words["changes"] = func(m document.Pair) { s.Changes = p.changes(m) }
	given := p.Words(m.Node, m.At, words)
	for _, word := range []string{"doc", "key"} {
		if !given[word] {
			p.Add(m.At+"."+word, "required", "Say the %s of the stream.", word)
		}
	}
	p.whole(m.At, given, &s.Request, s.Cursor)
	if s.Job != nil && s.Cursor != nil {
		s.Cursor.Unfiltered = false // its window is the job's
	}
	if s.Job != nil && (s.For != "" || s.Changes != nil || s.Cursor == nil) {
		p.Add(m.At+".job", "not_allowed", "A stream with a job has a cursor, stands for itself and has no changes.")
	}
	if s.Compare > 0 && (s.For != "" || s.Cursor != nil || s.Changes != nil || s.Pages.By != word.One) {
		p.Add(m.At+".compare", "not_allowed", "Only a list that is read whole, in one page, is compared with what it was.")
	}
	if s.For != "" && s.Cursor != nil && s.Cursor.Span > 0 {
		p.Add(m.At+".cursor.span", "not_allowed", "Windows of a stream for each row of another are not divided.")
	}
	if s.For != "" && s.Changes != nil {
		p.Add(m.At, "not_allowed", "A stream for each row of another has no changes.")
	}
	if s.For != "" && s.Cursor != nil && s.Cursor.Type == word.Integer {
		p.Add(m.At+".cursor", "not_allowed", "A stream for each row of another has no cursor, and is read when the row has changed; or one of time.")
	}
	if s.Changes != nil {
		if s.Cursor != nil {
			p.Add(m.At+".cursor", "not_allowed", "A stream with changes has their cursor.")
		}
		if len(s.Changes.Deletes) > 0 {
			s.Deletes.See = word.Feed
		}
	}
	return s
}

func hasWord(n *yaml.Node, word string) bool {
	n = document.Resolved(n)
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == word {
			return true
		}
	}
	return false
}

// whole reports what does not go together in a request.
func (p *parser) whole(at string, given map[string]bool, r *Request, c *Cursor) {
	if given["get"] == given["post"] {
		p.Add(at, "required", "Say the path behind base, as get or as post.")
	}
	if r.Method == "GET" && (r.Body != nil || r.Pages.InBody) {
		p.Add(at, "not_allowed", "A request with a body is a post.")
	}
	if c == nil {
		return
	}
	window := func(text string) bool { return strings.Contains(text, "{window.from") }
	asks := window(r.Path) || window(string(r.Body)) || slices.ContainsFunc(r.Query, func(m Member) bool { return window(m.Value) })
	c.Unfiltered = !asks
	if c.Desc && r.Pages.By == word.Offset {
		p.Add(at+".pages", "not_allowed", "A list that begins with the newest is not read by offset, which loses rows that move: let it begin with the oldest.")
	}
}

// request returns the words of a request.
func (p *parser) request(r *Request) map[string]func(document.Pair) {
	path := func(method string) func(document.Pair) {
		return func(m document.Pair) {
			r.Method, r.Path = method, p.template(m)
			if !strings.HasPrefix(r.Path, "/") || strings.ContainsAny(r.Path, "?#") {
				p.Add(m.At, "bad_url", "A path begins with / and has no ? or #; parameters stand in query.")
			}
			if !p.known.Base {
				p.Add(m.At, "required", "There is no base to put the path behind.")
			}
		}
	}
	return map[string]func(document.Pair){
		"get":     path("GET"),
		"post":    path("POST"),
		"query":   func(m document.Pair) { r.Query = p.members(m) },
		"headers": func(m document.Pair) { r.Headers = p.members(m) },
		"body": func(m document.Pair) {
			r.Body = p.Constant(m.Node, m.At)
			p.references(m.At, string(r.Body))
		},
		"pages":   func(m document.Pair) { r.Pages = p.pages(m) },
		"rows":    func(m document.Pair) { r.Rows = p.path(m) },
		"row":     func(m document.Pair) { r.Row = p.path(m) },
		"columns": func(m document.Pair) { r.Columns = p.columns(m) },
	}
}

func (p *parser) members(m document.Pair) []Member {
	var all []Member
	for _, e := range p.Mapping(m.Node, m.At) {
		if document.Resolved(e.Node).Kind != yaml.SequenceNode {
			all = append(all, Member{e.Key, p.template(e)})
			continue
		}
		for _, text := range p.Texts(e) {
			p.references(e.At, text)
			all = append(all, Member{e.Key, text})
		}
	}
	return all
}

// path reads names with dots between them.
func (p *parser) path(m document.Pair) []string {
	path := strings.Split(p.Text(m), ".")
	if slices.Contains(path, "") {
		p.Add(m.At, "malformed", "A path is names with dots between them.")
	}
	return path
}

// template reads a text with references.
func (p *parser) template(m document.Pair) string {
	text := p.Text(m)
	p.references(m.At, text)
	return text
}

// references checks what a text refers to. Braces around anything else are text.
func (p *parser) references(at, text string) {
	for _, m := range reference.FindAllStringSubmatch(text, -1) {
		switch root, name, format := m[1], m[2], m[3]; {
		case root == "settings" && !slices.Contains(p.known.Settings, name):
			p.Add(at, "unknown_field", "There is no settings.%s.", name)
		case root == "window" && name != "from" && name != "to":
			p.Add(at, "unknown_field", "A window has from and to.")
		case root == "window" && !slices.Contains([]string{"", word.RFC3339, word.Unix, word.UnixMS, word.Date, word.Integer, "minute", "second", "second_before", "ago", "unix_ms_text"}, format):
			p.Add(at, "not_in_enum", "A time is written as rfc3339, unix, unix_ms, date, minute, second, second_before, integer, unix_ms_text, or ago, the minutes since then.")
		case root == "stream" && name != "name" && name != "value" && !slices.Contains(p.known.Settings, name) || root == "stream" && !p.known.Each:
			p.Add(at, "unknown_field", "A stream has its name and value where streamsOf names a setting, and the values of this name in other settings that are maps.")
		case root == "job" && (!p.job || name != "id"):
			p.Add(at, "not_allowed", "Only a stream with a job has its id.")
		case root == "parent" && !p.parent:
			p.Add(at, "not_allowed", "Only a stream for each row of another has a parent.")
		case root == "page":
			p.Add(at, "not_allowed", "Pages say themselves where their position stands, with param.")
		}
	}
	if strings.Contains(text, "{secrets.") {
		p.Add(at, "not_allowed", "Secrets stand in auth alone: the engine adds them when a request is sent.")
	}
}

// pages reads how a list is divided.
func (p *parser) pages(m document.Pair) Pages {
	var g Pages
	by := func(kind string, more func(document.Pair)) func(document.Pair) {
		return func(m document.Pair) {
			if g.By != "" {
				p.Add(m.At, "not_allowed", "Pages are divided in one way.")
			}
			g.By = kind
			more(m)
		}
	}
	given := p.Words(m.Node, m.At, map[string]func(document.Pair){
		word.Token:   by(word.Token, func(m document.Pair) { g.Path = p.path(m) }),
		word.NextURL: by(word.NextURL, func(m document.Pair) { g.Path = p.path(m) }),
		word.Link:    by(word.Link, func(m document.Pair) { p.Boolean(m) }),
		word.AfterID: by(word.AfterID, func(m document.Pair) { g.Param = p.Text(m) }),
		word.Offset:  by(word.Offset, func(m document.Pair) { g.Param = p.Text(m) }),
		word.Page:    by(word.Page, func(m document.Pair) { g.Param = p.Text(m) }),
		"param":      func(m document.Pair) { g.Param = p.Text(m) },
		"in":         func(m document.Pair) { g.InBody = p.OneOf(m, "query", "body") == "body" },
		"done":       func(m document.Pair) { g.Done = p.path(m) },
		"more":       func(m document.Pair) { g.More = p.path(m) },
		"while":      func(m document.Pair) { g.While = p.path(m) },
		"size":       func(m document.Pair) { g.Size = p.Number(m, 1, 10_000) },
		"sizeParam":  func(m document.Pair) { g.SizeParam = p.Text(m) },
		"first":      func(m document.Pair) { g.First = p.Number(m, 0, 1) },
		"moving":     func(m document.Pair) { g.Moving = p.Boolean(m) },
	})
	if g.By == word.Page && !given["first"] {
		g.First = 1
	}
	if !given["moving"] {
		g.Moving = g.By == word.Offset || g.By == word.Page || g.By == word.Link
	}
	switch {
	case g.By == "":
		p.Add(m.At, "required", "Say how the next page is asked for: token, next_url, link, after_id, offset or page.")
	case g.By == word.Token && g.Param == "":
		p.Add(m.At+".param", "required", "Say which parameter the token is given as.")
	case (g.By == word.Offset || g.By == word.Page) && g.Size == 0:
		p.Add(m.At+".size", "required", "Say how many rows a page has.")
	}
	return g
}

// cursor reads a cursor.
func (p *parser) cursor(m document.Pair) Cursor {
	c := Cursor{Type: word.RFC3339}
	given := p.Words(m.Node, m.At, map[string]func(document.Pair){
		"field": func(m document.Pair) { c.Field = p.path(m) },
		"type": func(m document.Pair) {
			c.Type = p.OneOf(m, word.RFC3339, word.Unix, word.UnixMS, word.Date, word.Integer)
		},
		"lag":         func(m document.Pair) { c.Lag = p.Duration(m) },
		"desc":        func(m document.Pair) { c.Desc = p.Boolean(m) },
		"granularity": func(m document.Pair) { c.Granularity = p.Duration(m) },
		"restate":     func(m document.Pair) { c.Restate = p.Duration(m) },
		"span":        func(m document.Pair) { c.Span = p.Duration(m) },
		"oldest":      func(m document.Pair) { c.Oldest = p.Duration(m) },
	})
	if !given["field"] {
		p.Add(m.At+".field", "required", "Say the field that rises when a row changes.")
	}
	if c.Type != word.Integer && !given["lag"] {
		p.Add(m.At+".lag", "required", "Say how long after its time a row may appear in the list.")
	}
	return c
}

// deletes reads what is seen of deletes.
func (p *parser) deletes(m document.Pair) Deletes {
	if document.Resolved(m.Node).Kind == yaml.ScalarNode {
		return Deletes{See: p.OneOf(m, word.Unseen)}
	}
	d := Deletes{See: word.Flag}
	p.Words(m.Node, m.At, map[string]func(document.Pair){"when": func(m document.Pair) { d.When = p.tests(m) }})
	if len(d.When) == 0 {
		p.Add(m.At, "required", "Say what a deleted row looks like: when: { status: deleted }.")
	}
	return d
}

// tests reads tests: paths with a value, a list of them, or true for any.
func (p *parser) tests(m document.Pair) []Test {
	var all []Test
	for _, e := range p.Mapping(m.Node, m.At) {
		t := Test{Path: strings.Split(e.Key, ".")}
		if document.Resolved(e.Node).Tag != "!!bool" {
			t.Is = p.Texts(e)
		} else if !p.Boolean(e) {
			p.Add(e.At, "not_allowed", "A test is a value, a list of values, or true for any.")
		}
		all = append(all, t)
	}
	return all
}

// meaning reads what an answer means.
func (p *parser) meaning(m document.Pair) string {
	return p.OneOf(m, word.Reauthorize, word.Skip, word.Expired, word.Retry, word.Wait)
}

// answers reads what answers of a status mean by their body.
func (p *parser) answers(status int, m document.Pair) []Answer {
	var all []Answer
	for i, n := range p.Sequence(m.Node, m.At) {
		a := Answer{Status: status}
		at := document.Index(m.At, i)
		given := p.Words(n, at, map[string]func(document.Pair){
			"when": func(m document.Pair) { a.When = p.tests(m) },
			"is":   func(m document.Pair) { a.Is = p.meaning(m) },
		})
		if !given["is"] || len(a.When) == 0 {
			p.Add(at, "required", "Say when it is so, and what it is: { when: { error.code: 17 }, is: wait }.")
		}
		all = append(all, a)
	}
	return all
}

// changes reads the list of changes.
func (p *parser) changes(m document.Pair) *Changes {
	c := &Changes{Request: Request{Method: "GET"}}
	words := p.request(&c.Request)
	words["cursor"] = func(m document.Pair) { c.Cursor = p.cursor(m) }
	words["deletes"] = func(m document.Pair) { c.Deletes = p.deletes(m).When }
	words["keep"] = func(m document.Pair) { c.Keep = p.Duration(m) }
	given := p.Words(m.Node, m.At, words)
	if !given["cursor"] {
		p.Add(m.At+".cursor", "required", "Changes are read by a cursor.")
		return c
	}
	p.whole(m.At, given, &c.Request, &c.Cursor)
	if c.Cursor.Unfiltered {
		p.Add(m.At, "required", "Changes are asked for by {window.from} and {window.to}.")
	}
	return c
}

// columns reads how rows that are lists are made objects.
func (p *parser) columns(m document.Pair) *Columns {
	c := &Columns{First: 1}
	p.Words(m.Node, m.At, map[string]func(document.Pair){
		"number": func(m document.Pair) { c.Number = p.Text(m) },
		"first":  func(m document.Pair) { c.First = p.Number(m, 0, 1000) },
		"skip":   func(m document.Pair) { c.Skip = p.Number(m, 0, 1000) },
		"answer": func(m document.Pair) {
			for _, e := range p.Mapping(m.Node, m.At) {
				c.Answer = append(c.Answer, Path{e.Key, p.path(e)})
			}
		},
		"of": func(m document.Pair) {
			for i, n := range p.Sequence(m.Node, m.At) {
				var x Column
				at := document.Index(m.At, i)
				given := p.Words(n, at, map[string]func(document.Pair){
					"names":  func(m document.Pair) { x.Names = p.path(m) },
					"name":   func(m document.Pair) { x.Name = p.path(m) },
					"values": func(m document.Pair) { x.Values = p.path(m) },
					"value":  func(m document.Pair) { x.Value = p.path(m) },
					"key":    func(m document.Pair) { x.Key = p.Text(m) },
				})
				if !given["names"] {
					p.Add(at, "required", "Say where in the answer the names of columns are.")
				}
				c.Of = append(c.Of, x)
			}
		},
	})
	if len(c.Of) == 0 {
		p.Add(m.At, "required", "Say in of where names and values of columns are.")
	}
	return c
}

// jobOf reads what makes a list.
func (p *parser) jobOf(m document.Pair) *Job {
	j := &Job{Request: Request{Method: "POST"}}
	words := p.request(&j.Request)
	for _, word := range []string{"pages", "rows", "row", "columns"} {
		delete(words, word)
	}
	words["id"] = func(m document.Pair) { j.ID = p.path(m) }
	words["status"] = func(m document.Pair) { j.Status = p.template(m) }
	words["done"] = func(m document.Pair) { j.Done = p.tests(m) }
	words["failed"] = func(m document.Pair) { j.Failed = p.tests(m) }
	given := p.Words(m.Node, m.At, words)
	for _, word := range []string{"id", "status", "done"} {
		if !given[word] {
			p.Add(m.At+"."+word, "required", "Say the %s of the job.", word)
		}
	}
	if given["get"] == given["post"] {
		p.Add(m.At, "required", "Say the path that begins the job, as post or as get.")
	}
	return j
}

// WithMember returns a body, a JSON object, with a text at a path with dots.
func WithMember(body []byte, path, value string) ([]byte, error) {
	var o map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&o); err != nil {
		return nil, err
	}
	at := o
	names := strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		next, ok := at[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			at[name] = next
		}
		at = next
	}
	at[names[len(names)-1]] = value
	return json.Marshal(o)
}
