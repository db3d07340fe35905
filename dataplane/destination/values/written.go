package values

import (
	"strings"

	"weir/dataplane/destination/convert"
	"weir/shared/catalog/calls"
	"weir/shared/catalog/ecommerce"
	"weir/shared/fault"
)

// written is a template that a setting gives, or one of those of a map.
type written struct {
	by     Sources
	named  map[string]Template // by ecommerce.Canonical
	other  *Template
	escape func(string) string // for what references stand for; nil: as it is
	cut    convert.Conversion
	or     Value
}

func (c *Compiler) written(v *calls.Value) Value {
	w := &written{by: c.Sources(v.By), named: map[string]Template{}}
	for _, path := range v.Settings {
		setting, at := c.settings.Get(path...), "settings."+strings.Join(path, ".")
		if text := setting.Text(); text != "" && w.other == nil {
			t := c.UserTemplate(text, at)
			w.other = &t
		}
		for name, text := range setting.Members() {
			name = ecommerce.Canonical(name)
			if _, there := w.named[name]; !there {
				w.named[name] = c.UserTemplate(text.Text(), at+"."+name)
			}
		}
	}
	if as := c.conversion(v.As); as != nil {
		w.escape = func(text string) string {
			if text == "" {
				return ""
			}
			return as(convert.Text(text)).Whole()
		}
	}
	if v.Max > 0 {
		w.cut = convert.Compile([]calls.Conversion{{Word: "truncate", Number: v.Max}})
	}
	if v.Or != nil {
		w.or = c.Value(v.Or)
	}
	return w
}

// UserTemplate compiles a template that somebody wrote into the setting at a place.
func (c *Compiler) UserTemplate(text, at string) Template {
	t, problems := calls.ParseTemplate(text, at)
	c.problems.all = append(c.problems.all, problems...)
	if len(problems) > 0 {
		return Template{}
	}
	var out Template
	c.atEvent(func() { out = c.Template(t) })
	return out
}

// atEvent compiles what begins at the event, also inside of each.
func (c *Compiler) atEvent(compile func()) {
	reads, inside := c.reads, c.inside
	c.inside = inside || reads != c.top
	c.reads = c.top
	compile()
	c.reads, c.inside = reads, inside
}

// problems are those of what settings hold, shared by Compilers of one destination.
type problems struct{ all []fault.Problem }

// Problems are those of templates in settings.
func (c *Compiler) Problems() []fault.Problem { return c.problems.all }

// get is the text; absent: there is no template, or it stays empty.
func (w *written) get(s *Scope) convert.Value {
	t, there := w.other, w.other != nil
	if len(w.named) > 0 {
		if named, ok := w.named[ecommerce.Canonical(w.by.Get(s).Text())]; ok {
			t, there = &named, true
		}
	}
	if !there {
		return convert.Value{}
	}
	text := convert.Text(t.Text(s, w.escape))
	if w.cut != nil && text.There() {
		text = w.cut(text)
	}
	return text
}

func (w *written) Append(b []byte, s *Scope) ([]byte, bool) {
	v := w.get(s)
	if !v.There() && w.or != nil {
		return w.or.Append(b, s)
	}
	if !v.There() {
		return b, false
	}
	return v.Append(b), true
}
