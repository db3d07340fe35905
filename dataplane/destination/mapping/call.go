package mapping

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destination/fields"
	"weir/dataplane/destination/values"
	"weir/shared/catalog/calls"
	"weir/shared/catalog/ecommerce"
)

// call is a compiled call.
type call struct {
	types   []string
	objects []string        // of records; nil: any
	named   bool            // events have to be in names
	names   map[string]bool // by ecommerce.Canonical
	when    values.Condition
	require []require
	age     *age
	end     *destination.Verdict // nothing is sent
	request
	parts []part
	each  *values.Each // one request for each element; nil: one
	batch *batch
	then  []call
}

type require struct {
	value values.Value
	code  string
}

type age struct {
	of         values.Sources
	max, ahead time.Duration
	code       string
}

// part is one part of an event, or of each of its elements.
type part struct {
	value values.Value
	each  *values.Each // nil: one part
	when  values.Condition
}

type batch struct {
	wrap  values.Value // nil: the list alone
	whole bool         // wrap is the same for all events
	fixed wrap
	max   int
	// distinct is what no two events of a request share.
	distinct values.Sources
}

// wrap is what stands around the parts of a batch.
type wrap struct{ before, after []byte }

// request is how a request is made.
type request struct {
	method  string
	address values.Template // a path behind base, or a whole address
	base    string
	whole   bool // the address is whole
	query   values.Value
	headers []header
	format  string
	still   bool // address, query and headers are the same for all events
	url     string
	header  http.Header
}

type header struct {
	name  string
	value values.Value
}

// call compiles a call. ever: the settings do not exclude it.
func (c *compiler) call(in *calls.Call) (out call, ever bool) {
	out.types, out.objects = in.Types, in.Objects
	out.named = len(in.Events)+len(in.EventIn) > 0
	out.names = map[string]bool{}
	for _, name := range in.Events {
		out.names[name] = true
	}
	for _, t := range in.EventIn {
		for _, name := range c.Texts(t) {
			out.names[ecommerce.Canonical(name)] = true
		}
	}
	var never bool
	if out.when, never = c.Condition(in.When); never {
		return call{}, false
	}
	for i := range in.Require {
		out.require = append(out.require, require{c.Value(&in.Require[i]), in.Require[i].Code})
	}
	if a := in.Age; a != nil {
		out.age = &age{of: c.Sources(a.Of), max: a.Max, ahead: a.Ahead, code: a.Code}
	}
	switch {
	case in.Drop != "":
		out.end = &destination.Verdict{Outcome: destination.Dropped, Code: in.Drop}
		return out, true
	case in.Retry != "":
		out.end = &destination.Verdict{Outcome: destination.Retry, Code: in.Retry, After: in.After}
		return out, true
	}
	build := func() { out.request, out.parts = c.request(&in.Request), c.parts(in) }
	if in.Each != nil {
		out.each = c.Within(in.Each, in.Max, build)
	} else {
		build()
	}
	if in.Batch != nil {
		out.batch = c.batch(in.Batch)
	}
	for i := range in.Then {
		if next, ever := c.call(&in.Then[i]); ever {
			out.then = append(out.then, next)
		}
	}
	return out, true
}

// parts compiles the parts of a call; one for its body.
func (c *compiler) parts(in *calls.Call) []part {
	var out []part
	for i := range in.Parts {
		v := in.Parts[i]
		when, never := c.Condition(v.When)
		if never {
			continue
		}
		p := part{when: when}
		v.When = nil
		if v.Op == calls.Each {
			p.each, _ = c.Value(&v).(*values.Each)
		} else {
			p.value = c.Value(&v)
		}
		out = append(out, p)
	}
	if in.Body != nil {
		out = append(out, part{value: c.content(in.Body)})
	}
	return out
}

func (c *compiler) request(in *calls.Request) request {
	r := request{method: in.Method, base: c.base, format: in.Format}
	r.still = !c.Varies(func() {
		if in.URL != nil {
			r.base, r.whole, r.address = "", true, c.Template(*in.URL)
		} else {
			r.address = c.Template(in.Path)
		}
		if len(in.Query) > 0 {
			r.query = c.Object(&calls.Value{Members: in.Query})
		}
		for i := range in.Headers {
			r.headers = append(r.headers, header{http.CanonicalHeaderKey(in.Headers[i].Name[0].Text), c.Value(&in.Headers[i].Value)})
		}
	})
	if r.still {
		r.url, r.header = r.target(values.Still()), r.head(values.Still())
	}
	return r
}

// content compiles the body of a request that is no call.
func (c *compiler) content(in *calls.Value) values.Value {
	if in == nil {
		return nil
	}
	v := *in
	v.KeepEmpty = v.KeepEmpty || v.Op == calls.Object
	return c.Value(&v)
}

func (c *compiler) batch(in *calls.Batch) *batch {
	out := &batch{max: in.Max, whole: true, fixed: wrap{[]byte("["), []byte("]")}, distinct: c.Sources(in.Distinct)}
	if in.Wrap == nil {
		c.list(nil)
		return out
	}
	c.list(way(*in.Wrap))
	out.whole = !c.Varies(func() { out.wrap = c.Value(in.Wrap) })
	if out.whole {
		out.fixed = out.around(values.Still())
	}
	return out
}

// shares reports whether parts of both calls may stand in one request, when address,
// headers and wrap are the same.
func (c *call) shares(other *call) bool {
	return c == other || c.batch != nil && other.batch != nil && c.method == other.method && c.format == other.format && c.batch.max == other.batch.max
}

// list notes where a batch has its parts.
func (c *compiler) list(path []string) {
	if !slices.ContainsFunc(c.lists, func(have []string) bool { return slices.Equal(have, path) }) {
		c.lists = append(c.lists, path)
	}
}

// way is the path to the list in a wrap.
func way(v calls.Value) []string {
	for _, m := range v.Members {
		if m.Spread || len(m.Name) != 1 || m.Name[0].Refs != nil {
			continue
		}
		if m.Value.Op == calls.Items {
			return []string{m.Name[0].Text}
		}
		if rest := way(m.Value); rest != nil {
			return append([]string{m.Name[0].Text}, rest...)
		}
	}
	return nil
}

// around is what stands around the parts.
func (b *batch) around(s *values.Scope) wrap {
	if b.wrap == nil {
		return b.fixed
	}
	text, _ := b.wrap.Append(nil, s)
	before, after, _ := bytes.Cut(text, []byte(values.Mark))
	return wrap{append(before[:len(before):len(before)], '['), append([]byte{']'}, after...)}
}

// target is the address of a request, with its query.
func (r *request) target(s *values.Scope) string {
	text := ""
	if r.whole {
		text = r.address.Address(s, segment)
	} else {
		text = r.base + r.address.Text(s, segment)
	}
	if r.query == nil {
		return text
	}
	built, _ := r.query.Append(nil, s)
	if q := encoded(built); q != "" {
		sep := "?"
		if strings.Contains(text, "?") {
			sep = "&"
		}
		text += sep + q
	}
	return text
}

// segment escapes a text in a path. One that is . or .. would lead elsewhere.
func segment(text string) string {
	if text == "." || text == ".." {
		return strings.ReplaceAll(text, ".", "%2E")
	}
	return url.PathEscape(text)
}

// encoded is an object as a query or a form: lists repeat the name, objects are JSON.
func encoded(object fields.Value) string {
	var b strings.Builder
	add := func(name string, v fields.Value) {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(name))
		b.WriteByte('=')
		text := v.Text()
		if v.IsObject() || v.IsList() {
			text = string(v)
		}
		b.WriteString(url.QueryEscape(text))
	}
	for name, v := range object.Members() {
		if v.IsList() {
			for e := range v.Elements() {
				add(name, e)
			}
			continue
		}
		add(name, v)
	}
	return b.String()
}

// types of bodies.
var types = map[string]string{"json": "application/json", "form": "application/x-www-form-urlencoded", "lines": "application/x-ndjson", "text": "text/plain; charset=utf-8"}

// head is the header of a request.
func (r *request) head(s *values.Scope) http.Header {
	h := make(http.Header, len(r.headers)+1)
	if t := types[r.format]; t != "" {
		h["Content-Type"] = []string{t}
	}
	for _, one := range r.headers {
		text := values.Get(one.value, s).Whole()
		if text = strings.Map(printable, text); text != "" {
			h[one.name] = []string{text}
		}
	}
	return h
}

// printable leaves out what a header cannot hold.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return -1
	}
	return r
}

// written is the body of a request that holds one part.
func (r *request) written(part []byte) []byte {
	switch r.format {
	case "form":
		return []byte(encoded(part))
	case "text":
		text := fields.Value(part).Text()
		if v := fields.Value(part); v.IsObject() || v.IsList() {
			text = string(part)
		}
		return []byte(text)
	}
	return slices.Clone(part)
}
