package layout

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"weir/dataplane/layout/timestamp"
	"weir/dataplane/layout/tree"
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
	n := &w.Nodes[i]
	switch n.Kind {
	case 'n':
		return c, "", true
	case 't', 'f':
		return Column{Type: Boolean, Raw: w.Raw(i)}, "", false
	case '0':
		sent := w.Raw(i)
		if c.Type, c.Raw = number(sent); c.Raw != sent {
			c.Sent = sent
		}
		return c, "", false
	case '"':
		s, damaged := w.Decoded(i)
		if s == "" {
			return c, "", true
		}
		if iso, ok := timestamp.ISO(s); ok {
			c = Column{Type: Datetime, Raw: iso}
			if iso != s {
				c.Sent = s
			}
			return c, "", false
		}
		if damaged {
			sent = w.Raw(i)
		}
		return Column{Type: w.d.long(s), Raw: s}, sent, false
	}
	if n.Next == int32(i+1) && n.Kind == '[' {
		return c, "", true
	}
	s, damaged := tree.Compact(w.Raw(i))
	if damaged {
		sent = w.Raw(i)
	}
	c = Column{Type: w.d.long(s), Raw: s, List: n.Kind == '['}
	if c.List && w.d.Arrays && w.o.EnableArraySupport {
		c.Type = "array(" + w.element(i) + ")"
	}
	return c, sent, false
}

// element is the type of a list's members.
func (w *walk) element(list int) Type {
	typ := Type("")
	for i := list + 1; i < int(w.Nodes[list].Next); i = int(w.Nodes[i].Next) {
		one := String
		switch w.Nodes[i].Kind {
		case 't', 'f':
			one = Boolean
		case '0':
			one, _ = number(w.Raw(i))
		case '"':
			s, _ := w.Decoded(i)
			if _, ok := timestamp.ISO(s); ok {
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
	if w.Kind(obj) != '{' || int(w.Nodes[obj].Next) == obj+1 {
		return "", false
	}
	var chars []string
	first := 1
	for pass := 0; pass < 2; pass++ {
		for i := obj + 1; i < int(w.Nodes[obj].Next); i = int(w.Nodes[i].Next) {
			k := w.Key(i)
			at, err := strconv.Atoi(k)
			if err != nil || strconv.Itoa(at) != k || at < 0 || w.Nodes[i].Kind != '"' {
				return "", false
			}
			s, _ := w.Decoded(i)
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

// word is a scalar as text: a string decoded, a number in its plain form, true or
// false; "" for null, an object, a list, and what is not there.
func (w *walk) word(i int) string {
	switch w.Kind(i) {
	case 0, 'n', '{', '[':
		return ""
	case '"':
		s, _ := w.Decoded(i)
		return s
	case '0':
		_, s := number(w.Raw(i))
		return s
	}
	return w.Raw(i)
}
