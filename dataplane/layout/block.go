package layout

import (
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
	raws []raw
}

// raw is a value that a column could not keep, for its sibling <name>__raw.
type raw struct {
	name, json, plain string
}

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
func (b *block) reset(n int, raws []raw) {
	b.cols, b.from, b.raws, b.at = b.cols[:n], b.from[:n], raws, nil
	if n > many {
		b.index()
	}
}

func (b *block) index() {
	b.at = make(map[string]int, max(4*many, len(b.cols)))
	for i := range b.cols {
		b.at[b.cols[i].Name] = i
	}
}

// put adds a column. The later of two with one name wins, but for context,
// which always wins; the loser goes to <name>__raw, except a trait that stands
// in a later set of traits again. sent is the text of a damaged value.
func (b *block) put(c Column, sent string, o origin) {
	if sent != "" {
		b.raws = append(b.raws, raw{c.Name, sent, sent})
		o |= hurt
	}
	i := b.find(c.Name)
	if i < 0 {
		b.add(c, o)
		return
	}
	loser, was := b.cols[i], b.from[i]
	old, now := was&^hurt, o&^hurt
	switch {
	case old == fromContext && now != fromContext && now != fromLayout:
		loser, was = c, o
	case old != now && old != fromContext && now != fromLayout:
		b.forget(c.Name, sent)
		b.cols[i], b.from[i] = c, o
		return
	default:
		b.cols[i], b.from[i] = c, o
	}
	if loser != b.cols[i] && was&hurt == 0 {
		b.raws = append(b.raws, raw{loser.Name, loser.json(), loser.Raw})
	}
}

// forget drops what was kept of a name, but for the text last added.
func (b *block) forget(name, but string) {
	kept := b.raws[:0]
	for i, r := range b.raws {
		if r.name != name || but != "" && i == len(b.raws)-1 {
			kept = append(kept, r)
		}
	}
	b.raws = kept
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
// list of their JSON texts.
func (b *block) siblings(d *Dialect) {
	for len(b.raws) > 0 {
		first, list, rest := b.raws[0], []string{}, []raw{}
		for _, r := range b.raws {
			if r.name == first.name {
				list = append(list, r.json)
			} else {
				rest = append(rest, r)
			}
		}
		text := first.plain
		if len(list) > 1 {
			text = "[" + strings.Join(list, ",") + "]"
		}
		b.add(Column{Name: b.rawName(d, first.name), Type: Text, Raw: text}, fromLayout)
		b.raws = rest
	}
}

// rawName is a name that no column has yet, within the limit of names.
func (b *block) rawName(d *Dialect, name string) string {
	for n := 1; ; n++ {
		tail := d.fold("__raw")
		if n > 1 {
			tail += "_" + strconv.Itoa(n)
		}
		stem := name
		if d.max > 0 && len(stem)+len(tail) > d.max {
			stem = stem[:d.max-len(tail)]
		}
		if b.find(stem+tail) < 0 {
			return stem + tail
		}
	}
}
