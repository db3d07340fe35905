package layout

import "strings"

// Name makes a column's name of s; empty when nothing is left of it.
func (d *Dialect) Name(s string, o *Options) string {
	return d.finish(clean(s, o.UnderscoreDivideNumbers), o)
}

// TableName makes a table's name of an event's name; empty when nothing is left.
func (d *Dialect) TableName(s string, o *Options) string {
	n := clean(s, o.UnderscoreDivideNumbers)
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
	if d.cutBefore {
		n = d.cut(n)
	}
	if !o.SkipReservedKeywordsEscaping && d.reserved[strings.ToUpper(n)] {
		n = "_" + n
	}
	return d.fold(d.cut(n))
}

func (d *Dialect) cut(n string) string {
	if d.max > 0 && len(n) > d.max {
		return n[:d.max]
	}
	return n
}

func (d *Dialect) fold(n string) string {
	if d.upper {
		return strings.ToUpper(n)
	}
	return n
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
func lower(c byte) bool { return c >= 'a' && c <= 'z' }
func upper(c byte) bool { return c >= 'A' && c <= 'Z' }

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
				if divide && ordinal(r[i:]) {
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

func ordinal(s string) bool {
	if len(s) < 2 || len(s) > 2 && lower(s[2]) {
		return false
	}
	switch strings.ToLower(s[:2]) {
	case "st", "nd", "rd", "th":
		return true
	}
	return false
}
