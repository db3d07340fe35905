package layout

import (
	"strconv"
	"strings"
	"time"
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

// isoTime reads an ISO date or date-time of the years 1 to 9999, without a zone
// in UTC, and writes it in UTC with milliseconds.
func isoTime(s string) (string, bool) {
	if len(s) < 10 || len(s) > 40 || s[4] != '-' || s[7] != '-' || !digit(s[0]) {
		return "", false
	}
	year, month, day := digits(s[:4]), digits(s[5:7]), digits(s[8:10])
	if year < 1 || month < 1 || month > 12 || day < 1 {
		return "", false
	}
	hour, minute, second, nanos, offset, ok := clock(s[10:])
	if !ok {
		return "", false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	if t.Day() != day {
		return "", false
	}
	t = t.Add(-offset)
	if t.Year() < 1 || t.Year() > 9999 {
		return "", false
	}
	return stamp(t), true
}

const zeroTime = "0000-00-00T00:00:00.000Z"

// stamp writes a time of the years 0 to 9999 in UTC with milliseconds.
func stamp(t time.Time) string {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	var b [len(zeroTime)]byte
	copy(b[:], zeroTime)
	for _, n := range [...]struct{ end, n int }{{3, year}, {6, int(month)}, {9, day}, {12, hour}, {15, minute}, {18, second}, {22, t.Nanosecond() / 1e6}} {
		for i := n.end; n.n > 0; i-- {
			b[i] = byte('0' + n.n%10)
			n.n /= 10
		}
	}
	return string(b[:])
}

// digits is a number of digits only, else -1.
func digits(s string) int {
	n := 0
	for i := 0; i < len(s); i++ {
		if !digit(s[i]) {
			return -1
		}
		n = n*10 + int(s[i]-'0')
	}
	return n
}

// clock reads what stands behind a date: nothing, or T or a blank, hh:mm, :ss, a
// fraction, and Z or an offset.
func clock(s string) (hour, minute, second, nanos int, offset time.Duration, ok bool) {
	if s == "" {
		return 0, 0, 0, 0, 0, true
	}
	if len(s) < 6 || s[0] != 'T' && s[0] != ' ' || s[3] != ':' {
		return
	}
	hour, minute = digits(s[1:3]), digits(s[4:6])
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 {
		return
	}
	s = s[6:]
	if len(s) >= 3 && s[0] == ':' {
		second = digits(s[1:3])
		if second < 0 || second > 59 {
			return
		}
		if s = s[3:]; len(s) > 1 && (s[0] == '.' || s[0] == ',') {
			i := 1
			for unit := 100_000_000; i < len(s) && digit(s[i]); i, unit = i+1, unit/10 {
				nanos += unit * int(s[i]-'0')
			}
			if i == 1 {
				return
			}
			s = s[i:]
		}
	}
	offset, ok = zone(s)
	return
}

func zone(s string) (time.Duration, bool) {
	if s == "" || s == "Z" || s == "z" {
		return 0, true
	}
	if s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	var h, m int
	switch d := s[1:]; {
	case len(d) == 2:
		h = digits(d)
	case len(d) == 4:
		h, m = digits(d[:2]), digits(d[2:])
	case len(d) == 5 && d[2] == ':':
		h, m = digits(d[:2]), digits(d[3:])
	default:
		return 0, false
	}
	if h < 0 || h > 23 || m < 0 || m > 59 {
		return 0, false
	}
	offset := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	if s[0] == '-' {
		offset = -offset
	}
	return offset, true
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
	if c.List && w.d.arrays && w.o.EnableArraySupport {
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
	if d.longText && len(s) > 512 && utf8.RuneCountInString(s) > 512 {
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
