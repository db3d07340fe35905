package layout

import (
	"bytes"
	"encoding/json"
	"strings"

	"weir/shared/fault"
)

const maxDepth = 128

// node is one JSON value: kind is '{', '[', '"', '0', 't' or 'n'.
type node struct {
	kind byte
	raw  string // the text as sent
	str  string // a string decoded
	keys []string
	kids []*node
}

func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for i := len(n.keys) - 1; i >= 0; i-- {
		if n.keys[i] == key {
			return n.kids[i]
		}
	}
	return nil
}

func (n *node) text() string {
	if n == nil || n.kind == 'n' {
		return ""
	}
	if n.kind == '"' {
		return n.str
	}
	return n.raw
}

func parse(b []byte) (*node, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	n, err := read(d, b, 0)
	if err != nil || n.kind != '{' {
		return nil, fault.New(fault.Invalid, "the event is no JSON object of at most %d levels", maxDepth)
	}
	return n, nil
}

func read(d *json.Decoder, b []byte, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, fault.New(fault.Invalid, "too deep")
	}
	before := d.InputOffset()
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	n := &node{}
	start := before + int64(len(b[before:])-len(bytes.TrimLeft(b[before:], " \t\r\n,:")))
	switch v := t.(type) {
	case json.Delim:
		n.kind = byte(v)
		for d.More() {
			if n.kind == '{' {
				k, err := d.Token()
				if err != nil {
					return nil, err
				}
				n.keys = append(n.keys, k.(string))
			}
			kid, err := read(d, b, depth+1)
			if err != nil {
				return nil, err
			}
			n.kids = append(n.kids, kid)
		}
		if _, err := d.Token(); err != nil {
			return nil, err
		}
	case string:
		n.kind, n.str = '"', v
	case json.Number:
		n.kind = '0'
	case bool:
		n.kind = 't'
	default:
		n.kind = 'n'
	}
	n.raw = string(b[start:d.InputOffset()])
	return n, nil
}

// damaged says whether a string as sent cannot be kept as text.
func (n *node) damaged() bool {
	return n.kind == '"' && (strings.ContainsRune(n.str, 0) || strings.ContainsRune(n.str, 0xFFFD) && strings.Contains(n.raw, `\u`))
}
