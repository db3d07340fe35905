package layout

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

// Name makes a column's name of s; empty when nothing is left of it.
func (d *Dialect) Name(s string, o *Options) string {
	if o.UseBlendoCasing {
		return d.finish(blendo(s), o)
	}
	return d.finish(clean(s, o.UnderscoreDivideNumbers), o)
}

// TableName makes a table's name of an event's name; empty when nothing is left.
func (d *Dialect) TableName(s string, o *Options) string {
	return d.table(casedTable(s, o), o)
}

// casedTable is an event's name in the casing of tables.
func casedTable(s string, o *Options) string {
	if o.UseBlendoCasing {
		s = strings.ToLower(strings.TrimSpace(s))
	}
	return clean(s, o.UnderscoreDivideNumbers)
}

func (d *Dialect) table(n string, o *Options) string {
	switch n {
	case "users", "identifies", "tracks", "pages", "screens", "aliases", "groups", "accounts":
		if !o.SkipReservedKeywordsEscaping {
			n = "_" + n
		}
	}
	return d.finish(n, o)
}

func (d *Dialect) finish(n string, o *Options) string {
	if n == "" {
		return ""
	}
	if d.CutBeforeEscaping {
		n = d.cut(n)
	}
	if !o.SkipReservedKeywordsEscaping && d.reserved[strings.ToUpper(n)] {
		n = "_" + n
	}
	return d.fold(d.cut(n))
}

// cut shortens a name to the limit, by whole letters.
func (d *Dialect) cut(n string) string {
	if d.MaxName > 0 && len(n) > d.MaxName {
		return n[:d.MaxName]
	}
	return n
}

func (d *Dialect) fold(n string) string {
	if d.UpperCase {
		return strings.ToUpper(n)
	}
	return n
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
func lower(c byte) bool { return c >= 'a' && c <= 'z' }
func upper(c byte) bool { return c >= 'A' && c <= 'Z' }

// blendo is the other casing of columns.
func blendo(s string) string {
	b := make([]byte, 0, len(s)+1)
	for _, r := range s {
		switch c := byte(r); {
		case r < utf8.RuneSelf && (digit(c) || lower(c) || c == '\\' || c == '$'):
			b = append(b, c)
		case r < utf8.RuneSelf && upper(c):
			b = append(b, c|32)
		default:
			b = append(b, '_')
		}
	}
	if len(b) > 0 && digit(b[0]) {
		b = append([]byte{'_'}, b...)
	}
	return string(b)
}

func clean(s string, divide bool) string {
	var b strings.Builder
	rest := strings.TrimLeft(s, "_")
	lead := s[:len(s)-len(rest)]
	for i := 0; i < len(rest); {
		j := i
		for j < len(rest) && (digit(rest[j]) || lower(rest[j]) || upper(rest[j])) {
			j++
		}
		if j == i {
			i++
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('_')
		}
		words(&b, rest[i:j], divide)
		i = j
	}
	n := strings.ToLower(b.String())
	if n == "" {
		return ""
	}
	if lead == "" && digit(n[0]) {
		lead = "_"
	}
	return lead + n
}

// words writes one run of letters and digits, divided at humps.
func words(b *strings.Builder, r string, divide bool) {
	letters := false // a letter came before in this run
	for i := 0; i < len(r); i++ {
		c := r[i]
		if i > 0 {
			p := r[i-1]
			split := lower(p) && upper(c) || upper(p) && upper(c) && i+1 < len(r) && lower(r[i+1])
			if digit(p) && !digit(c) {
				split = letters || divide
				if divide && ordinal(r[i-1:]) {
					split = false
				}
			}
			if digit(c) && !digit(p) && divide {
				split = true
			}
			if split {
				b.WriteByte('_')
			}
		}
		letters = letters || !digit(c)
		b.WriteByte(c)
	}
}

// ordinal says whether s begins with a digit and the letters of its ordinal,
// such as 1st, as a word of its own.
func ordinal(s string) bool {
	if len(s) < 3 || len(s) > 3 && (lower(s[3]) || upper(s[3]) && upper(s[2])) {
		return false
	}
	switch strings.ToLower(s[1:3]) {
	case "st":
		return s[0] == '1'
	case "nd":
		return s[0] == '2'
	case "rd":
		return s[0] == '3'
	case "th":
		return true
	}
	return false
}

// entry is a name as it is sent and what becomes of it. standard has the bits
// of the types of events that have a standard column of the name.
type entry struct {
	in, out, cased string
	standard       uint8
}

// slots and longest bound the memory of one cache of names.
const (
	slots   = 4096
	longest = 256
)

// names remembers cleaned names. A name that meets another in its slot takes
// its place, so that no sender can fill it for the others.
type names struct {
	d    *Dialect
	o    Options
	seed maphash.Seed
	slot [slots]atomic.Pointer[entry]
	// tables is apart, for a name becomes another thing as a table.
	tables [slots / 16]atomic.Pointer[entry]
}

// namesOf finds the cache for what of the options concerns names.
func (d *Dialect) namesOf(o *Options) *names {
	i := 0
	for bit, on := range []bool{o.UnderscoreDivideNumbers, o.UseBlendoCasing, o.SkipReservedKeywordsEscaping} {
		if on {
			i |= 1 << bit
		}
	}
	n := d.caches[i].Load()
	if n == nil {
		n = &names{d: d, seed: maphash.MakeSeed(), o: Options{UnderscoreDivideNumbers: o.UnderscoreDivideNumbers,
			UseBlendoCasing: o.UseBlendoCasing, SkipReservedKeywordsEscaping: o.SkipReservedKeywordsEscaping}}
		d.caches[i].Store(n)
	}
	return n
}

func (n *names) column(s []byte) *entry {
	at := &n.slot[maphash.Bytes(n.seed, s)%slots]
	if e := at.Load(); e != nil && e.in == string(s) {
		return e
	}
	e := &entry{in: string(s)}
	e.out = n.d.Name(e.in, &n.o)
	e.standard = n.d.standard[e.out]
	if len(s) <= longest {
		at.Store(e)
	}
	return e
}

func (n *names) table(s string) *entry {
	at := &n.tables[maphash.String(n.seed, s)%uint64(len(n.tables))]
	if e := at.Load(); e != nil && e.in == s {
		return e
	}
	e := &entry{in: strings.Clone(s), cased: casedTable(s, &n.o)}
	e.out = n.d.table(e.cased, &n.o)
	if len(s) <= longest {
		at.Store(e)
	}
	return e
}
