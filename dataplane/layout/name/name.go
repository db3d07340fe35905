// Package name makes names of tables and columns of the names in events. It is
// pure, but for a Cache, which only remembers.
package name

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Rules are what a kind of warehouse says of names.
type Rules struct {
	Max               int             // bytes of a name; 0: no limit
	CutBeforeEscaping bool            // names are cut also before reserved words get their underscore
	UpperCase         bool            // names are in upper case
	Reserved          map[string]bool // words in upper case that get an underscore
	System            []string        // names that no column can have, in lower case: they get an underscore
}

// Casing is what a destination's settings say of names; see the settings of
// these names in layout.Options.
type Casing struct{ DivideNumbers, Blendo, KeepReserved bool }

// Column makes a column's name of s; empty when nothing is left of it. A name in
// another script than Latin, of which nothing would be left, is transliterated.
func (r *Rules) Column(s string, c Casing) string {
	n := r.column(s, c)
	if slices.Contains(r.System, n) {
		n = "_" + n
	}
	return n
}

func (r *Rules) column(s string, c Casing) string {
	if c.Blendo {
		return r.Own(blendo(s), c)
	}
	cased := clean(s, c.DivideNumbers)
	if _, foreign := drops(s); foreign && cased == "" {
		return r.own(s, cased, c)
	}
	return r.Own(cased, c)
}

// Table is an event's name and the names of tables for its rows.
type Table struct {
	In    string
	Out   string // empty when nothing is left of the name
	Cased string // the name in the casing of tables
	// Shared is the name that the layout defines where other events' names become
	// the same: cut to the limit, or without its letters beyond ASCII. Out is then a
	// name for this event alone. Otherwise it is empty.
	Shared string
}

// Table makes a table's name of an event's name.
func (r *Rules) Table(s string, c Casing) Table {
	t := Table{In: strings.Clone(s)}
	if c.Blendo {
		s = strings.ToLower(strings.TrimSpace(s))
	}
	t.Cased = clean(s, c.DivideNumbers)
	named := t.Cased
	switch named {
	case "users", "identifies", "tracks", "pages", "screens", "aliases", "groups", "accounts":
		if !c.KeepReserved {
			named = "_" + named
		}
	}
	t.Out = r.Own(named, c)
	lost, foreign := drops(s)
	switch {
	case t.Out == "" && foreign:
		t.Out = r.own(s, "", c)
		t.Cased = strings.ToLower(t.Out)
	case t.Out != "" && (lost || r.Max > 0 && len(named) > r.Max):
		t.Shared, t.Out = t.Out, r.own(s, t.Cased, c)
	}
	return t
}

// Own makes a name of one that is in its casing already, such as the layout's own.
func (r *Rules) Own(n string, c Casing) string {
	if n == "" {
		return ""
	}
	if r.CutBeforeEscaping {
		n = r.cut(n)
	}
	if !c.KeepReserved && r.Reserved[strings.ToUpper(n)] {
		n = "_" + n
	}
	return r.Fold(r.cut(n))
}

// cut shortens a name to the limit.
func (r *Rules) cut(n string) string {
	if r.Max > 0 && len(n) > r.Max {
		return n[:r.Max]
	}
	return n
}

// Fold gives a name the case that all names have.
func (r *Rules) Fold(n string) string {
	if r.UpperCase {
		return strings.ToUpper(n)
	}
	return n
}

// Tailed is a name and a tail, with the name cut so that the tail stays whole.
func (r *Rules) Tailed(n, tail string) string {
	if r.Max > 0 && len(n)+len(tail) > r.Max {
		n = n[:r.Max-len(tail)]
	}
	return n + tail
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
