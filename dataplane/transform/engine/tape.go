package engine

// node is one value of a JSON text, as positions in it. The values inside an
// object or list follow it; next is the node after all of them.
type node struct {
	start, end       int32
	key, keyEnd      int32 // inside the quotes; of a member of an object
	next             int32
	kind             byte // the value's first byte
	keyEscaped, text bool // the key, the string has escapes
}

// tape is a JSON text as a flat list of its values, in their order.
type tape struct {
	json  []byte
	nodes []node
}

// maxTape is how many nodes of working memory are kept.
const maxTape = 1 << 16

// read fills t from valid JSON of which nothing but one value is left. It
// reports false when the text is not that after all.
func (t *tape) read(json []byte) bool {
	if cap(t.nodes) > maxTape {
		t.nodes = nil
	}
	t.json, t.nodes = json, t.nodes[:0]
	i := blank(json, 0)
	i = t.value(i, 0)
	return i >= 0 && blank(json, i) == len(json)
}

// maxLevels is the deepest nesting that is followed.
const maxLevels = 200

// value appends the value that begins at i and returns the position after it,
// -1 for what is none.
func (t *tape) value(i, level int) int {
	b := t.json
	if i >= len(b) || level > maxLevels {
		return -1
	}
	at := len(t.nodes)
	t.nodes = append(t.nodes, node{start: int32(i), kind: b[i]})
	switch c := b[i]; c {
	case '{', '[':
		i = t.inside(i, level, c == '{')
	case '"':
		var escaped bool
		if i, escaped = pastString(b, i); escaped {
			t.nodes[at].text = true
		}
	default:
		start := i
		for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] > ' ' {
			i++
		}
		if i == start {
			return -1
		}
	}
	t.nodes[at].end, t.nodes[at].next = int32(i), int32(len(t.nodes))
	return i
}

// inside appends what stands in the brackets that begin at i.
func (t *tape) inside(i, level int, object bool) int {
	b, closing := t.json, byte(']')
	if object {
		closing = '}'
	}
	if i = blank(b, i+1); i < len(b) && b[i] == closing {
		return i + 1
	}
	for {
		var key, keyEnd int
		escaped := false
		if object {
			if i = blank(b, i); i >= len(b) || b[i] != '"' {
				return -1
			}
			key = i + 1
			if i, escaped = pastString(b, i); i < 0 {
				return -1
			}
			keyEnd = i - 1
			if i = blank(b, i); i >= len(b) || b[i] != ':' {
				return -1
			}
			i++
		}
		i = blank(b, i)
		at := len(t.nodes)
		if i = t.value(i, level+1); i < 0 {
			return -1
		}
		t.nodes[at].key, t.nodes[at].keyEnd, t.nodes[at].keyEscaped = int32(key), int32(keyEnd), escaped
		if i = blank(b, i); i >= len(b) {
			return -1
		}
		switch b[i] {
		case ',':
			i++
		case closing:
			return i + 1
		default:
			return -1
		}
	}
}

func (t *tape) raw(n int32) []byte { return t.json[t.nodes[n].start:t.nodes[n].end] }

// name returns the key of a member, without escapes.
func (t *tape) name(n int32) []byte {
	raw := t.json[t.nodes[n].key:t.nodes[n].keyEnd]
	if t.nodes[n].keyEscaped {
		return unescape(raw)
	}
	return raw
}

func blank(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// pastString returns the position after the string that begins at i, -1 when it
// does not end, and whether it has escapes.
func pastString(b []byte, i int) (end int, escaped bool) {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			return i + 1, escaped
		}
	}
	return -1, escaped
}
