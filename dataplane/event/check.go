package event

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// What the functions of this file return in place of a position.
const (
	noJSON  = -1 // RFC 8259 does not know this
	tooDeep = -2 // it nests more than was allowed
)

// Check returns why b is not one JSON value (RFC 8259) that nests at most levels
// deep: InvalidUTF8, TooDeep or InvalidJSON, "" when it is. Nested duplicate
// names and lone surrogate escapes are JSON.
func Check(b []byte, levels int) Code {
	if !utf8.Valid(b) {
		return InvalidUTF8
	}
	end := valueEnd(b, space(b, 0), levels)
	if end >= 0 && space(b, end) != len(b) {
		end = noJSON
	}
	return reason(end)
}

// reason is the code of a negative position.
func reason(end int) Code {
	switch {
	case end >= 0:
		return ""
	case end == tooDeep:
		return TooDeep
	}
	return InvalidJSON
}

// whole returns InvalidJSON in place of code, whatever else is wrong with a body,
// when not even its strings and brackets add up.
func whole(body []byte, code Code) Code {
	if code != "" && skip(body, 0) != len(body) {
		return InvalidJSON
	}
	return code
}

// gate appends the fields of the event b to fields, or says why it is none. It
// looks at every byte once.
func gate(fields []field, b []byte) ([]field, Code) {
	if len(b) == 0 || b[0] != '{' {
		code := Check(b, MaxDepth)
		if code == "" {
			code = NotObject
		}
		return fields, code
	}
	if !utf8.Valid(b) {
		return fields, InvalidUTF8
	}
	end := objectEnd(b, 1, MaxDepth-1, &fields)
	if end >= 0 && end != len(b) {
		end = noJSON
	}
	return fields, reason(end)
}

// valueEnd returns the position after the value that begins at i.
func valueEnd(b []byte, i, levels int) int {
	if i >= len(b) {
		return noJSON
	}
	switch b[i] {
	case '"':
		return stringEnd(b, i+1)
	case '{', '[':
		switch {
		case levels == 0:
			return tooDeep
		case b[i] == '{':
			return objectEnd(b, i+1, levels-1, nil)
		}
		return listEnd(b, i+1, levels-1)
	case 't':
		return wordEnd(b, i, "true")
	case 'f':
		return wordEnd(b, i, "false")
	case 'n':
		return wordEnd(b, i, "null")
	}
	return numberEnd(b, i)
}

// objectEnd returns the position after the object whose '{' is before i, and
// appends what it has to fields when there are any.
func objectEnd(b []byte, i, levels int, fields *[]field) int {
	if i = space(b, i); i < len(b) && b[i] == '}' {
		return i + 1
	}
	for {
		keyEnd, val, end := pair(b, i, levels)
		if end < 0 {
			return end
		}
		if fields != nil {
			f := field{key: i + 1, keyEnd: keyEnd, val: val, valEnd: end}
			f.escaped = hasEscape(b[f.key:f.keyEnd])
			*fields = append(*fields, f)
		}
		var more bool
		if i, more = follow(b, end, '}'); !more {
			return i
		}
	}
}

// follow returns where the next member of an object or list begins, more is true,
// or the position after its closing bracket. i is the end of a member.
func follow(b []byte, i int, closing byte) (next int, more bool) {
	if i = space(b, i); i < len(b) {
		switch b[i] {
		case ',':
			return space(b, i+1), true
		case closing:
			return i + 1, false
		}
	}
	return noJSON, false
}

// pair returns where the key that begins at i ends, inside its quotes, and where
// its value begins and ends.
func pair(b []byte, i, levels int) (keyEnd, val, end int) {
	if i >= len(b) || b[i] != '"' {
		return 0, 0, noJSON
	}
	after := stringEnd(b, i+1)
	if after < 0 {
		return 0, 0, after
	}
	if val = space(b, after); val >= len(b) || b[val] != ':' {
		return 0, 0, noJSON
	}
	val = space(b, val+1)
	return after - 1, val, valueEnd(b, val, levels)
}

// listEnd returns the position after the list whose '[' is before i.
func listEnd(b []byte, i, levels int) int {
	if i = space(b, i); i < len(b) && b[i] == ']' {
		return i + 1
	}
	for {
		if i = valueEnd(b, i, levels); i < 0 {
			return i
		}
		var more bool
		if i, more = follow(b, i, ']'); !more {
			return i
		}
	}
}

// stringEnd returns the position after the string whose opening quote is before
// i. Escapes are looked at, not resolved.
func stringEnd(b []byte, i int) int {
	for {
		if i = plainEnd(b, i); i >= len(b) {
			return noJSON
		}
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
		default: // a control character
			return noJSON
		}
		if i+1 >= len(b) {
			return noJSON
		}
		switch b[i+1] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			i += 2
		case 'u':
			if _, ok := hex4(b[i:]); !ok {
				return noJSON
			}
			i += 6
		default:
			return noJSON
		}
	}
}

// plainEnd returns the first position from i on of a quote, a backslash or a
// control character, len(b) when there is none: 8 bytes at a time, of which the
// lowest marked one is a true one.
func plainEnd(b []byte, i int) int {
	const (
		ones    = 0x0101010101010101
		tops    = 0x80 * ones
		quotes  = '"' * ones
		slashes = '\\' * ones
		blanks  = ' ' * ones
	)
	for len(b)-i >= 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		q, s := w^quotes, w^slashes // what is looked for becomes a zero byte
		if hit := ((q-ones)&^q | (s-ones)&^s | (w-blanks)&^w) & tops; hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
		i += 8
	}
	for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// numberEnd returns the position after the number that begins at i.
func numberEnd(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	whole := i
	if i = digitsEnd(b, i); i == whole || b[whole] == '0' && i > whole+1 {
		return noJSON
	}
	if i < len(b) && b[i] == '.' {
		first := i + 1
		if i = digitsEnd(b, first); i == first {
			return noJSON
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		first := i
		if i = digitsEnd(b, first); i == first {
			return noJSON
		}
	}
	return i
}

func digitsEnd(b []byte, i int) int {
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	return i
}

func wordEnd(b []byte, i int, word string) int {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return noJSON
	}
	return i + len(word)
}
