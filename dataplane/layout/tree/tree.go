// Package tree reads a JSON object as a list of its values in the order in which
// they stand, with the texts where the object has them: nothing is decoded that
// nobody asks for, and memory is used again for the next object.
package tree

import (
	"strings"
	"unicode/utf8"

	"weir/shared/fault"
)

// maxDepth is how many objects and lists may stand in each other.
const maxDepth = 128

// Node is one JSON value, which stands in the text from Start to End; children
// follow it, and Next is the index behind them.
type Node struct {
	Kind       byte // '{', '[', '"', '0', 't', 'f' or 'n'
	esc        bool // a string with escapes
	keyEsc     bool
	key        int32 // where the key's text begins, 0 in a list
	keyEnd     int32
	Start, End int32
	Next       int32
}

// Tree is an object's text and its values in the order in which they stand; the
// first is the object. The zero Tree is ready.
type Tree struct {
	text  string
	Nodes []Node
}

var errTree = fault.New(fault.Invalid, "the event is no JSON object of at most %d levels", maxDepth)

// Parse reads the JSON object that text is. fault.Invalid: it is none, or nests
// deeper than 128 levels. The tree refers to text until the next call.
func (t *Tree) Parse(text string) error {
	t.text, t.Nodes = text, t.Nodes[:0]
	if len(text) > 1<<30 || !utf8.ValidString(text) {
		return errTree
	}
	i := t.space(0)
	if i >= len(text) || text[i] != '{' {
		return errTree
	}
	i = t.value(i, Node{}, 0)
	if i < 0 || t.space(i) != len(text) {
		return errTree
	}
	return nil
}

func (t *Tree) space(i int) int {
	for i < len(t.text) && (t.text[i] == ' ' || t.text[i] == '\n' || t.text[i] == '\t' || t.text[i] == '\r') {
		i++
	}
	return i
}

// value reads the value at i into nodes; n holds its key. It returns the index
// behind the value, -1 for what is no JSON.
func (t *Tree) value(i int, n Node, depth int) int {
	if i >= len(t.text) {
		return -1
	}
	at := len(t.Nodes)
	n.Start, n.Kind = int32(i), t.text[i]
	t.Nodes = append(t.Nodes, n)
	end := -1
	switch c := n.Kind; {
	case c == '{' || c == '[':
		end = t.members(i+1, c, depth+1)
	case c == '"':
		end, t.Nodes[at].esc = t.str(i + 1)
	case c == '-' || isDigit(c):
		t.Nodes[at].Kind = '0'
		end = t.number(i)
	case strings.HasPrefix(t.text[i:], "true"), strings.HasPrefix(t.text[i:], "null"):
		end = i + 4
	case strings.HasPrefix(t.text[i:], "false"):
		end = i + 5
	}
	t.Nodes[at].End, t.Nodes[at].Next = int32(end), int32(len(t.Nodes))
	return end
}

func (t *Tree) members(i int, open byte, depth int) int {
	shut := open + 2 // ']' and '}' stand two behind their openers
	i = t.space(i)
	if depth > maxDepth || i >= len(t.text) {
		return -1
	}
	if t.text[i] == shut {
		return i + 1
	}
	for {
		var n Node
		if open == '{' {
			if i >= len(t.text) || t.text[i] != '"' {
				return -1
			}
			n.key = int32(i + 1)
			if i, n.keyEsc = t.str(i + 1); i < 0 {
				return -1
			}
			n.keyEnd = int32(i - 1)
			if i = t.space(i); i >= len(t.text) || t.text[i] != ':' {
				return -1
			}
			i = t.space(i + 1)
		}
		if i = t.value(i, n, depth); i < 0 {
			return -1
		}
		if i = t.space(i); i >= len(t.text) {
			return -1
		}
		switch t.text[i] {
		case shut:
			return i + 1
		case ',':
			i = t.space(i + 1)
		default:
			return -1
		}
	}
}

// str reads a string from behind its opening quote.
func (t *Tree) str(i int) (end int, esc bool) {
	s := t.text
	for ; i < len(s); i++ {
		c := s[i]
		if c > '\\' || c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		switch {
		case c == '"':
			return i + 1, esc
		case c < ' ':
			return -1, esc
		case c == '\\':
			esc = true
			i++
			if i >= len(s) {
				return -1, esc
			}
			if s[i] == 'u' {
				if _, ok := hex4(s, i+1); !ok {
					return -1, esc
				}
				i += 4
			} else if strings.IndexByte(`"\/bfnrt`, s[i]) < 0 {
				return -1, esc
			}
		}
	}
	return -1, esc
}

func hex4(s string, i int) (rune, bool) {
	if i+4 > len(s) {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[i : i+4]) {
		switch {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		case c|32 >= 'a' && c|32 <= 'f':
			r = r<<4 | rune(c|32-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

func (t *Tree) number(i int) int {
	s := t.text
	digits := func() bool {
		from := i
		for i < len(s) && isDigit(s[i]) {
			i++
		}
		return i > from
	}
	if s[i] == '-' {
		i++
	}
	if zero := i < len(s) && s[i] == '0'; zero {
		i++
	} else if !digits() {
		return -1
	}
	if i < len(s) && s[i] == '.' {
		if i++; !digits() {
			return -1
		}
	}
	if i < len(s) && s[i]|32 == 'e' {
		if i++; i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			return -1
		}
	}
	return i
}

// Get returns the index of an object's member, the last of its name, else -1.
func (t *Tree) Get(obj int, key string) int {
	found := -1
	if obj < 0 || t.Nodes[obj].Kind != '{' {
		return found
	}
	for i, end := obj+1, int(t.Nodes[obj].Next); i < end; {
		n := &t.Nodes[i]
		if n.keyEsc {
			if t.Key(i) == key {
				found = i
			}
		} else if int(n.keyEnd-n.key) == len(key) && t.text[n.key:n.keyEnd] == key {
			found = i
		}
		i = int(n.Next)
	}
	return found
}

// At follows keys from the object obj.
func (t *Tree) At(obj int, keys ...string) int {
	for _, k := range keys {
		obj = t.Get(obj, k)
	}
	return obj
}

// Key returns the key of the value i, decoded, "" in a list.
func (t *Tree) Key(i int) string {
	n := &t.Nodes[i]
	k := t.text[n.key:n.keyEnd]
	if n.keyEsc {
		k, _ = unescape(k)
	}
	return k
}

// Raw returns the value i as it stands in the text.
func (t *Tree) Raw(i int) string { return t.text[t.Nodes[i].Start:t.Nodes[i].End] }

// Kind returns the kind of the value i, 0 for an index below 0.
func (t *Tree) Kind(i int) byte {
	if i < 0 {
		return 0
	}
	return t.Nodes[i].Kind
}

// Decoded returns the string value i, decoded; damaged when it cannot be kept as
// text.
func (t *Tree) Decoded(i int) (s string, damaged bool) {
	n := &t.Nodes[i]
	s = t.text[n.Start+1 : n.End-1]
	if n.esc {
		return unescape(s)
	}
	return s, false
}

// unescape decodes the inside of a string. NUL and lone surrogates become
// U+FFFD, and damaged says so.
func unescape(s string) (out string, damaged bool) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b = append(b, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r, width := codepoint(s, i+1)
			if r == utf8.RuneError && width < 0 {
				width, damaged = -width, true
			}
			b = utf8.AppendRune(b, r)
			i += width
		default:
			b = append(b, s[i])
		}
	}
	return string(b), damaged
}

// codepoint reads what follows \u at i: 4 bytes, or 10 for a pair. The width is
// negative for NUL and a lone surrogate.
func codepoint(s string, i int) (r rune, width int) {
	r, _ = hex4(s, i)
	switch {
	case r == 0:
		return utf8.RuneError, -4
	case r < 0xD800 || r > 0xDFFF:
		return r, 4
	case r < 0xDC00 && strings.HasPrefix(s[i+4:], `\u`):
		if low, ok := hex4(s, i+6); ok && low >= 0xDC00 && low <= 0xDFFF {
			return (r-0xD800)<<10 | (low - 0xDC00) + 0x10000, 10
		}
	}
	return utf8.RuneError, -4
}

// Compact takes the blanks out of JSON text and replaces escapes of NUL and of
// lone surrogates by U+FFFD; damaged says whether there were any.
func Compact(s string) (out string, damaged bool) {
	var b []byte // nil while out is s itself
	inside, from := false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			inside = !inside
		case c == '\\':
			i++
			if s[i] != 'u' {
				continue
			}
			_, width := codepoint(s, i+1)
			if width < 0 {
				b = append(append(b, s[from:i-1]...), "\uFFFD"...)
				damaged, from = true, i+5
				width = -width
			}
			i += width
		case c <= ' ' && !inside:
			b = append(b, s[from:i]...)
			from = i + 1
		}
	}
	if from == 0 {
		return s, false
	}
	return string(append(b, s[from:]...)), damaged
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
