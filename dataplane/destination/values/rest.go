package values

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"weir/dataplane/destination/convert"
	"weir/dataplane/destination/fields"
	"weir/shared/catalog/calls"
)

// rest is the members of an object, but for some.
type rest struct {
	of      Sources
	except  map[string]bool
	only    map[string]bool // nil: all
	rename  map[string]string
	flatten string
	keys    convert.Conversion
	as      convert.Conversion
	max     int
	keep    bool
	careful bool // names may come out twice
	nulls   bool // of the fields of a record: null says that the field has no value
}

func (c *Compiler) rest(v *calls.Value) Value {
	r := &rest{of: c.Sources(v.From), except: c.set(v.Except), only: c.set(v.Only), rename: v.Rename, flatten: v.Flatten,
		keys: c.conversion(v.Keys), as: c.conversion(v.As), max: v.Max, keep: v.KeepEmpty}
	if len(v.RenameBy) > 0 {
		r.rename = map[string]string{}
		for name, to := range c.setting(v.RenameBy).Members() {
			r.rename[name] = to.Text()
		}
	}
	for _, t := range v.From {
		r.nulls = r.nulls || len(t) == 1 && len(t[0].Refs) == 1 && t[0].Refs[0].Root == "" && slices.Equal(t[0].Refs[0].Path, []string{"fields"})
	}
	r.careful = len(r.rename) > 0 || r.flatten != "" || r.keys != nil
	if len(v.Only.Names)+len(v.Only.Settings) == 0 {
		r.only = nil
	}
	return r
}

// set is the names of a set; of a setting that is a map, its keys.
func (c *Compiler) set(s calls.Set) map[string]bool {
	all := map[string]bool{}
	for _, name := range s.Names {
		all[name] = true
	}
	for _, t := range s.Settings {
		v := c.setting([]calls.Template{t})
		for e := range v.Elements() {
			all[e.Text()] = true
		}
		for name := range v.Members() {
			all[name] = true
		}
		if text := v.Text(); text != "" {
			all[text] = true
		}
	}
	return all
}

// copying is one run of a rest.
type copying struct {
	*rest
	s     *Scope
	b     []byte
	names names
	count int
}

func (r *rest) Append(b []byte, s *Scope) ([]byte, bool) {
	v := r.of.Get(s).Raw()
	if !v.IsObject() {
		return b, false
	}
	c := copying{rest: r, s: s, b: append(b, '{')}
	c.members(v, "", 0)
	return append(c.b, '}'), c.count > 0 || r.keep
}

// maxFlat is how deep objects are flattened.
const maxFlat = 16

// members copies the members of v. prefix stands in front of their names.
func (c *copying) members(v fields.Value, prefix string, depth int) {
	scan := v.Scan
	if c.nulls && depth == 0 {
		scan = v.Every
	}
	scan(func(key, m fields.Value) bool {
		if !c.s.step() || len(c.b) > maxPart || c.max > 0 && c.count >= c.max {
			c.s.over = c.s.over || len(c.b) > maxPart
			return false
		}
		if depth == 0 && !c.wanted(key) {
			return true
		}
		if c.flatten != "" && m.IsObject() && depth < maxFlat {
			c.members(m, prefix+key.Text()+c.flatten, depth+1)
			return true
		}
		c.member(key, m, prefix)
		return true
	})
}

// wanted reports whether a member is one of those that are copied.
func (c *copying) wanted(key fields.Value) bool {
	if len(c.except) == 0 && c.only == nil {
		return true
	}
	if bytes.IndexByte(key, '\\') >= 0 {
		name := key.Text()
		return !c.except[name] && (c.only == nil || c.only[name])
	}
	plain := key[1 : len(key)-1]
	return !c.except[string(plain)] && (c.only == nil || c.only[string(plain)])
}

// member copies one member.
func (c *copying) member(key, m fields.Value, prefix string) {
	before := len(c.b)
	if c.count > 0 {
		c.b = append(c.b, ',')
	}
	if c.careful {
		name := prefix + key.Text()
		if to, renamed := c.rename[name]; renamed {
			name = to
		} else if c.keys != nil {
			name = c.keys(convert.Text(name)).Text()
		}
		if name == "" || !c.names.free(name) {
			c.b = c.b[:before]
			return
		}
		c.b, _ = jsontext.AppendQuote(c.b, name)
	} else {
		c.b = append(c.b, key...)
	}
	c.b = append(c.b, ':')
	if c.as != nil && m[0] == 'n' {
		c.b = append(c.b, '"', '"') // what is sent as text has no other way to say it
	} else if c.as != nil {
		v := c.as(convert.JSON(m))
		if !v.There() {
			c.b = c.b[:before]
			return
		}
		c.b = v.Append(c.b)
	} else {
		c.b = append(c.b, m...)
	}
	c.count++
}

// Texts returns the texts of a setting that is a text, a list or a map.
func (c *Compiler) Texts(t calls.Template) []string {
	all := c.set(calls.Set{Settings: []calls.Template{t}})
	out := make([]string, 0, len(all))
	for text := range all {
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}
