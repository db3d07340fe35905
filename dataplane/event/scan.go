package event

import (
	"bytes"
	"encoding/binary"
	"iter"
	"math/bits"
	"unicode/utf8"
)

// field is one key and value of an object, as positions in its text. The key's
// are inside the quotes.
type field struct {
	key, keyEnd int
	val, valEnd int
	role        uint8 // which known field this is, 0 for none
	escaped     bool  // the key has escapes
}

// space returns the first position from i on that is not JSON white space.
func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// trim returns b without white space around it.
func trim(b []byte) []byte {
	b = b[space(b, 0):]
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\n' || b[len(b)-1] == '\r' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// quoteAt returns the position of the first quote from j on, -1 when there is
// none. Most strings of events are short, so the first 32 bytes are looked at
// here, 8 at a time, before a call is worth its price.
func quoteAt(b []byte, j int) int {
	const (
		ones   = 0x0101010101010101
		tops   = 0x80 * ones
		quotes = '"' * ones
	)
	for range 4 {
		if len(b)-j < 8 {
			break
		}
		w := binary.LittleEndian.Uint64(b[j:]) ^ quotes // a quote becomes a zero byte
		if zero := (w - ones) &^ w & tops; zero != 0 {
			return j + bits.TrailingZeros64(zero)>>3
		}
		j += 8
	}
	k := bytes.IndexByte(b[j:], '"')
	if k < 0 {
		return -1
	}
	return j + k
}

// skipString returns the position after the string that begins at i, -1 when it
// does not end. Each run of backslashes is looked at once, so it is linear.
func skipString(b []byte, i int) int {
	for j := i + 1; ; {
		if j = quoteAt(b, j); j < 0 {
			return -1
		}
		slashes := 0
		for b[j-1-slashes] == '\\' { // ends at the opening quote at the latest
			slashes++
		}
		j++
		if slashes%2 == 0 {
			return j
		}
	}
}

// skip returns the position after the value that begins at i, -1 when there is
// none. It looks at strings and brackets only: what it accepts need not be valid.
func skip(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	start := i
	for i < len(b) {
		switch b[i] {
		case ',', ']', '}', ':', ' ', '\n', '\r', '\t':
			if i == start {
				return -1
			}
			return i
		}
		i++
	}
	return i
}

// skipNested is skip for a value that begins with a bracket.
func skipNested(b []byte, i int) int {
	level := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			if i = skipString(b, i); i < 0 {
				return -1
			}
			continue
		case '{', '[':
			level++
		case '}', ']':
			if level--; level == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}

// next reads the key and value that begin at i, after the object's '{' or a
// comma. It returns the position of what follows the value, -1 when there is no
// key and value.
func next(b []byte, i int) (f field, after int) {
	if f, i = nextKey(b, i); i < 0 {
		return f, -1
	}
	if f.valEnd = skip(b, f.val); f.valEnd < 0 {
		return f, -1
	}
	return f, space(b, f.valEnd)
}

// nextKey is next up to the value, where it stops.
func nextKey(b []byte, i int) (f field, value int) {
	i = space(b, i)
	if i >= len(b) || b[i] != '"' {
		return f, -1
	}
	f.key = i + 1
	if i = skipString(b, i); i < 0 {
		return f, -1
	}
	f.keyEnd = i - 1
	f.escaped = hasEscape(b[f.key:f.keyEnd])
	if i = space(b, i); i >= len(b) || b[i] != ':' {
		return f, -1
	}
	f.val = space(b, i+1)
	return f, f.val
}

func hasEscape(text []byte) bool { return bytes.IndexByte(text, '\\') >= 0 }

// walk appends the top-level fields of the object b to fields. False: b is not
// one object with nothing after it.
func walk(fields []field, b []byte) ([]field, bool) {
	if len(b) < 2 || b[0] != '{' {
		return fields, false
	}
	end := objectEnd(b, 1, MaxDepth, &fields)
	return fields, end == len(b)
}

// Fields yields the keys and values of an object that passed the gate, in their
// order: the key as text without quotes and escapes (a lone surrogate in three
// bytes, as if it were a character), the value as it stands. Nothing is yielded
// of what is not an object.
func Fields(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		b := trim(object)
		if len(b) < 2 || b[0] != '{' {
			return
		}
		for i := 1; ; {
			f, after := next(b, i)
			if after < 0 || !yield(keyOf(b, f), b[f.val:f.valEnd]) {
				return
			}
			if after >= len(b) || b[after] != ',' {
				return
			}
			i = after + 1
		}
	}
}

// Text returns the text of a JSON string, or a number as it stands; "" for any
// other value. It is valid UTF-8: a string with a lone surrogate is returned
// with its escapes, so that different values keep different texts.
func Text(value []byte) string {
	if len(value) == 0 {
		return ""
	}
	switch c := value[0]; {
	case c == '"' && len(value) >= 2:
		inner := value[1 : len(value)-1]
		if text := unescape(inner); utf8.Valid(text) {
			return string(text)
		}
		return string(inner)
	case c == '-' || '0' <= c && c <= '9':
		return string(value)
	}
	return ""
}

// unescape returns the text of what stands between the quotes of a JSON string:
// raw itself when there is no escape. A lone surrogate becomes the three bytes
// that UTF-8 would give it, which valid UTF-8 never contains.
func unescape(raw []byte) []byte {
	at := bytes.IndexByte(raw, '\\')
	if at < 0 {
		return raw
	}
	out := make([]byte, at, len(raw))
	copy(out, raw)
	for i := at; i < len(raw); {
		if raw[i] != '\\' || i+1 >= len(raw) {
			out = append(out, raw[i])
			i++
			continue
		}
		switch c := raw[i+1]; c {
		case 'u':
			r, n := escapedRune(raw[i:])
			out = appendRune(out, r)
			i += n
			continue
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		default:
			out = append(out, c)
		}
		i += 2
	}
	return out
}

// escapedRune reads \uXXXX, with a second one when the two are a pair, and
// returns how many bytes that was.
func escapedRune(raw []byte) (rune, int) {
	high, ok := hex4(raw)
	if !ok {
		return utf8.RuneError, min(2, len(raw))
	}
	if high >= 0xD800 && high < 0xDC00 {
		if low, ok := hex4(raw[6:]); ok && low >= 0xDC00 && low < 0xE000 {
			return (high-0xD800)<<10 | (low - 0xDC00) + 0x10000, 12
		}
	}
	return high, 6
}

// hex4 reads \uXXXX.
func hex4(raw []byte) (rune, bool) {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range raw[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// appendRune appends r, a surrogate as if it were a character.
func appendRune(b []byte, r rune) []byte {
	if r >= 0xD800 && r < 0xE000 {
		return append(b, byte(0xE0|r>>12), byte(0x80|r>>6&0x3F), byte(0x80|r&0x3F))
	}
	return utf8.AppendRune(b, r)
}
