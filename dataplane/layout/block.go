package layout

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// origin says where a column's value comes from; of two that meet under one
// name it decides which one stays.
type origin uint8

const (
	fromContext origin = iota
	fromProperties
	fromUserProperties
	fromContextTraits
	fromTraits
	fromLayout

	hurt origin = 0x80 // the value is damaged, its text is kept already
)

// many is how many columns a block has when it begins to index them.
const many = 32

// block is a row that is being made, or a part of it.
type block struct {
	cols []Column
	from []origin
	at   map[string]int // nil for few columns
	rest map[string]int // the memory of at, for another row
	raws raws
}

// raw is a value that a column could not keep, for its sibling <name>__raw.
type raw struct{ json, plain string }

// raws are such values by the names of their columns, and the names in order;
// one may be there twice, or without values.
type raws struct {
	by    map[string][]raw
	order []string
}

func (r *raws) add(name string, v raw) {
	if r.by == nil {
		r.by = map[string][]raw{}
	}
	if len(r.by[name]) == 0 {
		r.order = append(r.order, name)
	}
	r.by[name] = append(r.by[name], v)
}

func (r *raws) clone() raws { return raws{maps.Clone(r.by), slices.Clone(r.order)} }

func (b *block) find(name string) int {
	if b.at != nil {
		if i, ok := b.at[name]; ok {
			return i
		}
		return -1
	}
	for i := range b.cols {
		if b.cols[i].Name == name {
			return i
		}
	}
	return -1
}

func (b *block) add(c Column, o origin) {
	if b.at != nil {
		b.at[c.Name] = len(b.cols)
	}
	b.cols, b.from = append(b.cols, c), append(b.from, o)
	if b.at == nil && len(b.cols) > many {
		b.index()
	}
}

// reset leaves the first n columns and the given raws.
func (b *block) reset(n int, kept raws) {
	b.cols, b.from, b.raws, b.at = b.cols[:n], b.from[:n], kept, nil
	if n > many {
		b.index()
	}
}

func (b *block) index() {
	if b.rest == nil {
		b.rest = make(map[string]int, max(4*many, len(b.cols)))
	}
	clear(b.rest)
	b.at = b.rest
	for i := range b.cols {
		b.at[b.cols[i].Name] = i
	}
}

// put adds a column. The later of two with one name wins, but for context,
// which always wins; the loser goes to <name>__raw, except a trait that stands
// in a later set of traits again. sent is the text of a damaged value.
func (b *block) put(c Column, sent string, o origin) {
	i := b.find(c.Name)
	if i >= 0 && overlays(b.from[i]&^hurt, o) {
		delete(b.raws.by, c.Name)
	}
	if sent != "" {
		b.raws.add(c.Name, raw{sent, sent})
		o |= hurt
	}
	if i < 0 {
		b.add(c, o)
		return
	}
	loser, was := b.cols[i], b.from[i]
	old, now := was&^hurt, o&^hurt
	switch {
	case old == fromContext && now != fromContext && now != fromLayout:
		loser, was = c, o
	case overlays(old, now):
		b.cols[i], b.from[i] = c, o
		return
	default:
		b.cols[i], b.from[i] = c, o
	}
	if loser.Sent = b.cols[i].Sent; loser != b.cols[i] && was&hurt == 0 {
		b.raws.add(loser.Name, raw{loser.json(), loser.Raw})
	}
}

// overlays says whether a value of now takes the place of one of old by the
// rules of the layout, so that nothing is kept of it.
func overlays(old, now origin) bool {
	return old != now && old != fromContext && now > fromProperties && now < fromLayout
}

func (c *Column) json() string {
	switch {
	case c.Type == Int, c.Type == Float, c.Type == Boolean, c.List, c.Type == JSON:
		return c.Raw
	}
	return quote(c.Raw)
}

func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ':
			b.WriteString(`\u00`)
			b.WriteByte("01"[r>>4])
			b.WriteByte("0123456789abcdef"[r&15])
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// siblings adds the columns <name>__raw: of one value its text, of several a
// list of their JSON texts. It leaves raws as they are.
func (b *block) siblings(d *Dialect) {
	numbers, done := map[string]int{}, map[string]bool{}
	for _, name := range b.raws.order {
		list := b.raws.by[name]
		if len(list) == 0 || done[name] {
			continue
		}
		done[name] = true
		text := list[0].plain
		if len(list) > 1 {
			all := make([]string, len(list))
			for i, r := range list {
				all[i] = r.json
			}
			text = "[" + strings.Join(all, ",") + "]"
		}
		b.add(Column{Name: b.rawName(d, name, numbers), Type: Text, Raw: text}, fromLayout)
	}
}

// rawName is a name that no column has yet, within the limit of names. numbers
// has the last number tried for a name.
func (b *block) rawName(d *Dialect, name string, numbers map[string]int) string {
	first := d.names.Tailed(name, d.names.Fold("__raw"))
	for n := max(1, numbers[first]); ; n++ {
		tried := first
		if n > 1 {
			tried = d.names.Tailed(name, d.names.Fold("__raw_")+strconv.Itoa(n))
		}
		if b.find(tried) < 0 {
			numbers[first] = n
			return tried
		}
	}
}
