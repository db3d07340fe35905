package engine

import (
	"bytes"
	"math"
	"strconv"
	"unicode/utf8"
)

// Restorer puts the bytes that were sent back into what JavaScript returned. A
// value that equals the sent one at the same path is written as it was sent,
// whole subtrees at once: integers beyond 2^53, 1.0, escapes, numbers that
// JavaScript cannot hold. Keys keep the sender's order, new ones follow in the
// code's. Numbers are compared as JavaScript holds them. A Restorer keeps
// working memory and is not safe for concurrent use.
type Restorer struct{ sent, got tape }

// Restore appends the restored text to dst, or sent itself when all of it is
// unchanged. Both have to be valid JSON; it reports false when one is not.
func (r *Restorer) Restore(dst, sent, got []byte) ([]byte, bool) {
	if bytes.Equal(sent, got) {
		return append(dst, sent...), true
	}
	if !r.sent.read(sent) || !r.got.read(got) {
		return dst, false
	}
	start := len(dst)
	dst, same := r.value(dst, 0, 0)
	if same {
		dst = append(dst[:start], sent...)
	}
	return dst, true
}

// value appends the value at g, with the bytes of the one at s where they are
// equal. It reports whether the whole is equal; what it appended is then the
// sent bytes.
func (r *Restorer) value(dst []byte, s, g int32) ([]byte, bool) {
	sent, got := &r.sent.nodes[s], &r.got.nodes[g]
	raw := r.sent.raw(s)
	if sent.kind == got.kind && bytes.Equal(raw, r.got.raw(g)) {
		return append(dst, raw...), true
	}
	switch {
	case sent.kind == '{' && got.kind == '{':
		return r.object(dst, s, g)
	case sent.kind == '[' && got.kind == '[':
		return r.list(dst, s, g)
	case r.equal(s, g):
		return append(dst, raw...), true
	}
	return append(dst, r.got.raw(g)...), false
}

// equal compares two values of which one at least is no container.
func (r *Restorer) equal(s, g int32) bool {
	sent, got := &r.sent.nodes[s], &r.got.nodes[g]
	switch {
	case sent.kind == '"' && got.kind == '"':
		return (sent.text || got.text) && bytes.Equal(r.sent.string(s), r.got.string(g))
	case number(sent.kind) && number(got.kind):
		a, b := float(r.sent.raw(s)), float(r.got.raw(g))
		return a == b
	case number(sent.kind) && got.kind == 'n':
		return math.IsInf(float(r.sent.raw(s)), 0)
	}
	return false // true, false and null that are equal have equal bytes
}

// string returns the text of a string, without escapes.
func (t *tape) string(n int32) []byte {
	raw := t.raw(n)
	return unescape(raw[1 : len(raw)-1])
}

// list is value for two lists: same path is same index.
func (r *Restorer) list(dst []byte, s, g int32) ([]byte, bool) {
	start, same := len(dst), true
	dst = append(dst, '[')
	i, end := s+1, r.sent.nodes[s].next
	for j := g + 1; j < r.got.nodes[g].next; j = r.got.nodes[j].next {
		if j > g+1 {
			dst = append(dst, ',')
		}
		if i >= end {
			dst, same = append(dst, r.got.raw(j)...), false
			continue
		}
		var equal bool
		dst, equal = r.value(dst, i, j)
		same = same && equal
		i = r.sent.nodes[i].next
	}
	if same && i >= end {
		return append(dst[:start], r.sent.raw(s)...), true
	}
	return append(dst, ']'), false
}

// object is value for two objects.
func (r *Restorer) object(dst []byte, s, g int32) ([]byte, bool) {
	start := len(dst)
	endS, endG := r.sent.nodes[s].next, r.got.nodes[g].next
	i, j := s+1, g+1
	for i < endS && j < endG && bytes.Equal(r.sent.name(i), r.got.name(j)) {
		i, j = r.sent.nodes[i].next, r.got.nodes[j].next
	}
	w := members{Restorer: r, dst: append(dst, '{'), same: true, first: true}
	if i == endS && j == endG {
		for i, j := s+1, g+1; i < endS; i, j = r.sent.nodes[i].next, r.got.nodes[j].next {
			w.both(i, j)
		}
	} else {
		w.mixed(s, g)
	}
	if w.same {
		return append(w.dst[:start], r.sent.raw(s)...), true
	}
	return append(w.dst, '}'), false
}

// members writes the members of an object.
type members struct {
	*Restorer
	dst         []byte
	same, first bool
}

func (w *members) key(t *tape, n int32) {
	if !w.first {
		w.dst = append(w.dst, ',')
	}
	w.first = false
	w.dst = append(w.dst, t.json[t.nodes[n].key-1:t.nodes[n].keyEnd+1]...)
	w.dst = append(w.dst, ':')
}

// both writes a member that was sent and returned.
func (w *members) both(i, j int32) {
	w.key(&w.sent, i)
	var equal bool
	w.dst, equal = w.value(w.dst, i, j)
	w.same = w.same && equal
}

// mixed writes the members of two objects whose keys differ, or differ in their
// order. Of a key that was sent twice the last one counts, as in JavaScript.
func (w *members) mixed(s, g int32) {
	endS, endG := w.sent.nodes[s].next, w.got.nodes[g].next
	returned := make(map[string]int32)
	for j := g + 1; j < endG; j = w.got.nodes[j].next {
		returned[string(w.got.name(j))] = j
	}
	last := make(map[string]int32)
	for i := s + 1; i < endS; i = w.sent.nodes[i].next {
		last[string(w.sent.name(i))] = i
	}
	for i := s + 1; i < endS; i = w.sent.nodes[i].next {
		name := w.sent.name(i)
		if last[string(name)] != i {
			continue
		}
		if j, ok := returned[string(name)]; ok {
			w.both(i, j)
		} else {
			w.same = false
		}
	}
	for j := g + 1; j < endG; j = w.got.nodes[j].next {
		if _, ok := last[string(w.got.name(j))]; !ok {
			w.same = false
			w.key(&w.got, j)
			w.dst = append(w.dst, w.got.raw(j)...)
		}
	}
}

func number(kind byte) bool { return kind == '-' || kind >= '0' && kind <= '9' }

// float returns a number as JavaScript holds it: infinite beyond its range.
func float(raw []byte) float64 {
	f, _ := strconv.ParseFloat(string(raw), 64)
	return f
}

// unescape returns the text of what stands between the quotes of a valid JSON
// string. A lone surrogate becomes three bytes that valid UTF-8 never has.
func unescape(raw []byte) []byte {
	at := bytes.IndexByte(raw, '\\')
	if at < 0 {
		return raw
	}
	out := append(make([]byte, 0, len(raw)), raw[:at]...)
	for i := at; i < len(raw); {
		if raw[i] != '\\' || i+1 >= len(raw) {
			out = append(out, raw[i])
			i++
			continue
		}
		c := raw[i+1]
		if c == 'u' {
			r, n := escaped(raw[i:])
			out = appendRune(out, r)
			i += n
			continue
		}
		if k := bytes.IndexByte([]byte("bfnrt"), c); k >= 0 {
			c = "\b\f\n\r\t"[k]
		}
		out = append(out, c)
		i += 2
	}
	return out
}

// escaped reads \uXXXX, two when they are a pair, and returns how many bytes.
func escaped(raw []byte) (rune, int) {
	if len(raw) < 6 {
		return utf8.RuneError, len(raw)
	}
	high, err := strconv.ParseUint(string(raw[2:6]), 16, 32)
	if err != nil {
		return utf8.RuneError, 6
	}
	if high >= 0xD800 && high < 0xDC00 && len(raw) >= 12 && raw[6] == '\\' && raw[7] == 'u' {
		if low, err := strconv.ParseUint(string(raw[8:12]), 16, 32); err == nil && low >= 0xDC00 && low < 0xE000 {
			return rune((high-0xD800)<<10|(low-0xDC00)) + 0x10000, 12
		}
	}
	return rune(high), 6
}

func appendRune(b []byte, r rune) []byte {
	if r >= 0xD800 && r < 0xE000 {
		return append(b, byte(0xE0|r>>12), byte(0x80|r>>6&0x3F), byte(0x80|r&0x3F))
	}
	return utf8.AppendRune(b, r)
}
