// Package fields reads the fields of events for destinations. A value is the bytes
// that stand in the event, found by one scan and decoded only when it is asked for, so
// that a kind can copy it into a request as it is: big numbers and escapes too.
//
// What is not JSON, or has another type than is asked for, is absent. It keeps no copy
// of an event and changes none.
package fields

import (
	"bytes"
	"encoding/binary"
	"iter"
	"math/bits"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Value is a JSON value as it stands in an event; nil: it is absent, as null is.
type Value []byte

// Text is a string's text; a number or boolean as it stands; "" for all others.
func (v Value) Text() string {
	switch v.kind() {
	case '"':
		if bytes.IndexByte(v, '\\') < 0 {
			return strings.ToValidUTF8(string(v[1:len(v)-1]), "\uFFFD")
		}
		text, err := jsontext.AppendUnquote(nil, []byte(v))
		if err != nil && len(text) == 0 {
			return ""
		}
		return strings.ToValidUTF8(string(text), "\uFFFD") // a lone surrogate is an error, and has its place in text
	case '0', 't':
		return string(v)
	}
	return ""
}

// Number is a number's value, also of a string that holds one.
func (v Value) Number() (n float64, ok bool) {
	if n, ok := v.small(); ok {
		return n, true
	}
	text := v.Text()
	if text == "" || v.kind() == 't' {
		return 0, false
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	return n, err == nil && n-n == 0 // neither infinite nor NaN
}

// small is the value of a whole number of a few digits.
func (v Value) small() (n float64, ok bool) {
	if len(v) == 0 || len(v) > 15 {
		return 0, false
	}
	whole := 0
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, false
		}
		whole = 10*whole + int(c-'0')
	}
	return float64(whole), true
}

// IsText, IsNumber, IsObject and IsList report the type.
func (v Value) IsText() bool   { return v.kind() == '"' }
func (v Value) IsNumber() bool { return v.kind() == '0' }
func (v Value) IsObject() bool { return v.kind() == '{' }
func (v Value) IsList() bool   { return v.kind() == '[' }

// kind is the first character, '0' for a number and 't' for a boolean; 0: absent.
func (v Value) kind() byte {
	if len(v) == 0 {
		return 0
	}
	switch c := v[0]; {
	case c == '-' || c >= '0' && c <= '9':
		return '0'
	case c == 'f':
		return 't'
	default:
		return c
	}
}

// Get returns the member of an object at the end of a path of names.
func (v Value) Get(path ...string) Value {
	for _, name := range path {
		var found Value
		v.Scan(func(key, member Value) bool {
			if is(key, name) {
				found = member
			}
			return found == nil
		})
		v = found
	}
	return v
}

// Pick puts the members of an object that are called names, without its nulls, into the
// same places of into, and nil where there is none. It goes through the object once.
func (v Value) Pick(names []string, into []Value) {
	clear(into)
	left := len(names)
	v.Scan(func(key, member Value) bool {
		for i, name := range names {
			if into[i] == nil && is(key, name) {
				into[i] = member
				left--
				break
			}
		}
		return left > 0
	})
}

// is reports whether key, a JSON string, is name.
func is(key Value, name string) bool {
	if bytes.IndexByte(key, '\\') >= 0 {
		return key.Text() == name
	}
	return string(key[1:len(key)-1]) == name
}

// Members returns the names and values of an object, in order, without its nulls.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		v.Scan(func(key, member Value) bool { return yield(key.Text(), member) })
	}
}

// Scan is Members with names as they stand, as JSON strings. It ends where the object is no JSON.
func (v Value) Scan(yield func(key, member Value) bool) { v.scan(false, yield) }

// Every calls yield with each member of an object, or each element of a list, whose key is
// nil: nulls too.
func (v Value) Every(yield func(key, value Value) bool) {
	v.scan(true, yield)
	if v.IsList() {
		for at := space(v, 1); at < len(v) && v[at] != ']'; {
			i := end(v, at)
			if i <= at || !yield(nil, v[at:i:i]) {
				return
			}
			at = next(v, i)
		}
	}
}

func (v Value) scan(nulls bool, yield func(key, member Value) bool) {
	if !v.IsObject() {
		return
	}
	for i := space(v, 1); i < len(v) && v[i] == '"'; i = next(v, i) {
		after := end(v, i)
		if after <= i {
			return
		}
		key := v[i:after:after]
		at := space(v, after)
		if at >= len(v) || v[at] != ':' {
			return
		}
		at = space(v, at+1)
		if i = end(v, at); i <= at {
			return
		}
		if (nulls || v[at] != 'n') && !yield(key, v[at:i:i]) {
			return
		}
	}
}

// Elements returns the values of a list, in order, without its nulls.
func (v Value) Elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		for _, e := range v.Indexed() {
			if !yield(e) {
				return
			}
		}
	}
}

// Indexed returns the places, from 0, and values of a list, in order, without its nulls.
func (v Value) Indexed() iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) {
		if !v.IsList() {
			return
		}
		for at, n := space(v, 1), 0; at < len(v) && v[at] != ']'; n++ {
			i := end(v, at)
			if i <= at || v[at] != 'n' && !yield(n, v[at:i:i]) {
				return
			}
			at = next(v, i)
		}
	}
}

// next is where the member or element behind the one that ends at i begins.
func next(v []byte, i int) int {
	if i = space(v, i); i < len(v) && v[i] == ',' {
		i = space(v, i+1)
	}
	return i
}

// space is the first place from i on that is not white.
func space(v []byte, i int) int {
	for i < len(v) && (v[i] == ' ' || v[i] == '\n' || v[i] == '\r' || v[i] == '\t') {
		i++
	}
	return i
}

// end is where the value that begins at i ends; i when none does.
func end(v []byte, i int) int {
	if i >= len(v) {
		return i
	}
	switch v[i] {
	case '"':
		return quoted(v, i)
	case '{', '[':
		depth := 0
		for at := i; at < len(v); at++ {
			switch v[at] {
			case '"':
				after := quoted(v, at)
				if after == at {
					return i
				}
				at = after - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return at + 1
				}
			}
		}
		return i
	}
	for at := i; at < len(v); at++ {
		switch v[at] {
		case ',', ']', '}', ' ', '\n', '\r', '\t', ':':
			return at
		}
	}
	return len(v)
}

// Bytes of a word of eight, each the lowest bit, the highest bit, a quotation mark, a backslash.
const (
	lows    = 0x0101010101010101
	highs   = 0x8080808080808080
	marks   = '"' * lows
	slashes = '\\' * lows
)

// quoted is where the string that begins at i ends; i when it does not. Eight bytes are
// looked at together: of a word, the lowest highest bit of (x-lows)&^x is that of its first
// byte that is 0.
// Source: https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord
func quoted(v []byte, i int) int {
	at := i + 1
	for at+8 <= len(v) {
		word := binary.LittleEndian.Uint64(v[at:])
		mark, slash := word^marks, word^slashes
		found := ((mark-lows)&^mark | (slash-lows)&^slash) & highs
		if found == 0 {
			at += 8
			continue
		}
		at += bits.TrailingZeros64(found) / 8
		if v[at] == '"' {
			return at + 1
		}
		at += 2 // a backslash, and what it escapes
	}
	for ; at < len(v); at++ {
		switch v[at] {
		case '"':
			return at + 1
		case '\\':
			at++
		}
	}
	return i
}
