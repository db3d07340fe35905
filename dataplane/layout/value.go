package layout

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxWhole is the most digits that a number with an exponent is written out to:
// those of the greatest double. Beyond it stays a float, as it was sent.
const maxWhole = 309

// number tells whether a JSON number is whole, and its plain form: a whole
// number as digits, another as it was sent.
func number(raw string) (Type, string) {
	if !strings.ContainsAny(raw, ".eE") {
		if raw == "-0" {
			return Int, "0"
		}
		return Int, raw
	}
	rest, neg := strings.CutPrefix(raw, "-")
	mantissa, exponent := rest, 0
	far := false
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		mantissa = rest[:i]
		var err error
		exponent, err = strconv.Atoi(rest[i+1:])
		far = err != nil || exponent > maxWhole || exponent < -len(rest)
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return Int, "0"
	}
	kept := strings.TrimRight(digits, "0")
	point := exponent - len(fraction) + len(digits) - len(kept) // zeros behind kept
	if far || point < 0 || point > 0 && len(kept)+point > max(maxWhole, len(digits)) {
		return Float, raw
	}
	digits = kept + strings.Repeat("0", point)
	if neg {
		digits = "-" + digits
	}
	return Int, digits
}

// leaf is the column of a value without its name; none is what has no column.
// sent is the JSON text of a value that could not be kept whole.
func (w *walk) leaf(i int) (c Column, sent string, none bool) {
	n := &w.nodes[i]
	switch n.kind {
	case 'n':
		return c, "", true
	case 't', 'f':
		return Column{Type: Boolean, Raw: w.raw(i)}, "", false
	case '0':
		c.Type, c.Raw = number(w.raw(i))
		return c, "", false
	case '"':
		s, damaged := w.decoded(i)
		if s == "" {
			return c, "", true
		}
		if iso, ok := isoTime(s); ok {
			return Column{Type: Datetime, Raw: iso}, "", false
		}
		if damaged {
			sent = w.raw(i)
		}
		return Column{Type: w.d.long(s), Raw: s}, sent, false
	}
	if n.next == int32(i+1) && n.kind == '[' {
		return c, "", true
	}
	s, damaged := compact(w.raw(i))
	if damaged {
		sent = w.raw(i)
	}
	c = Column{Type: w.d.long(s), Raw: s, List: n.kind == '['}
	if c.List && w.d.Arrays && w.o.EnableArraySupport {
		c.Type = "array(" + w.element(i) + ")"
	}
	return c, sent, false
}

// element is the type of a list's members.
func (w *walk) element(list int) Type {
	typ := Type("")
	for i := list + 1; i < int(w.nodes[list].next); i = int(w.nodes[i].next) {
		one := String
		switch w.nodes[i].kind {
		case 't', 'f':
			one = Boolean
		case '0':
			one, _ = number(w.raw(i))
		case '"':
			s, _ := w.decoded(i)
			if _, ok := isoTime(s); ok {
				one = Datetime
			}
		}
		switch {
		case typ == "" || typ == one:
			typ = one
		case typ == Int && one == Float || typ == Float && one == Int:
			typ = Float
		default:
			return String
		}
	}
	return typ
}

func (d *Dialect) long(s string) Type {
	if d.LongText && len(s) > 512 && utf8.RuneCountInString(s) > 512 {
		return Text
	}
	return String
}

// letters reads an object whose keys run 0..n or 1..n and whose values are
// single characters as the string that it was.
func (w *walk) letters(obj int) (string, bool) {
	if w.kind(obj) != '{' || int(w.nodes[obj].next) == obj+1 {
		return "", false
	}
	var chars []string
	first := 1
	for pass := 0; pass < 2; pass++ {
		for i := obj + 1; i < int(w.nodes[obj].next); i = int(w.nodes[i].next) {
			k := w.key(i)
			at, err := strconv.Atoi(k)
			if err != nil || strconv.Itoa(at) != k || at < 0 || w.nodes[i].kind != '"' {
				return "", false
			}
			s, _ := w.decoded(i)
			if utf8.RuneCountInString(s) != 1 {
				return "", false
			}
			if pass == 0 {
				first = min(first, at)
				chars = append(chars, "")
				continue
			}
			if at -= first; at >= len(chars) || chars[at] != "" {
				return "", false
			}
			chars[at] = s
		}
	}
	return strings.Join(chars, ""), true
}
