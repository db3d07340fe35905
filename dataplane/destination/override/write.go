package override

import (
	"github.com/go-json-experiment/json/jsontext"

	"weir/dataplane/destination/fields"
	"weir/dataplane/destination/values"
	"weir/shared/catalog/calls"
)

// node is what is changed at a field, and in it.
type node struct {
	value values.Value // nil: nothing at the field itself
	when  values.Condition
	kids  []kid
}

// kid is a member that is changed, or in which something is.
type kid struct {
	name string
	key  []byte // as JSON, with a colon
	node
}

// add adds a change at a path.
func (n *node) add(path []string, c *values.Compiler, when calls.Condition, v *calls.Value) {
	if len(path) > 0 {
		n.kid(path[0]).add(path[1:], c, when, v)
		return
	}
	holds, never := c.Condition(when)
	if value := c.Value(v); !never {
		n.value, n.when = value, holds
	}
}

// kid is the node of a member, which is made if there is none.
func (n *node) kid(name string) *node {
	for i := range n.kids {
		if n.kids[i].name == name {
			return &n.kids[i].node
		}
	}
	key, _ := jsontext.AppendQuote(nil, name) // settings are UTF-8
	n.kids = append(n.kids, kid{name: name, key: append(key, ':')})
	return &n.kids[len(n.kids)-1].node
}

// writer writes one body.
type writer struct {
	*editor
	scope *values.Scope
	part  func(n int) (item int) // goes on to the scope of part n
	large map[int]bool
}

// off is the place of what is not on the way to the parts.
const off = -1

// write appends v with what n changes, and reports whether there is something. at is how
// much of the way to the parts is behind v; off: it does not lead there.
func (w *writer) write(b []byte, v fields.Value, n *node, at int) ([]byte, bool) {
	if n != nil && n.value != nil && n.when.Holds(w.scope) {
		out, ok := n.value.Append(nil, w.scope)
		if v = nil; ok {
			v = out
		}
		at = off
	}
	onWay := at != off && at < len(w.parts)
	switch {
	case v.IsList() && (at == len(w.parts) || n != nil && len(n.kids) > 0):
		return w.list(b, v, n, at), true
	case n != nil && len(n.kids) > 0 || onWay && v.IsObject():
		return w.object(b, v, n, at)
	}
	return append(b, v...), len(v) > 0
}

// list writes each element of a list.
func (w *writer) list(b []byte, v fields.Value, n *node, at int) []byte {
	b = append(b, '[')
	some, count, whole := false, 0, w.scope
	var inside *node
	if n != nil {
		inside = &node{kids: n.kids}
	}
	v.Every(func(_, e fields.Value) bool {
		item, begun := 0, len(b)
		if at == len(w.parts) && w.part != nil {
			item = w.part(count)
		}
		count++
		if some {
			b = append(b, ',')
		}
		some = true
		b, _ = w.write(b, e, inside, off)
		if w.large != nil && at == len(w.parts) && !w.scope.Fits(len(b)-begun) {
			w.large[item] = true
			return false
		}
		return w.scope.Fits(0)
	})
	w.scope = whole
	return append(b, ']')
}

// object writes an object with what n changes in it. Another value than an object is kept
// unless there is something in the place of it.
func (w *writer) object(b []byte, v fields.Value, n *node, at int) ([]byte, bool) {
	begun := len(b)
	b = append(b, '{')
	var kids []kid
	if n != nil {
		kids = n.kids
	}
	seen := make([]bool, len(kids))
	some := false
	member := func(key []byte, v fields.Value, n *node, at int) {
		before := len(b)
		if some {
			b = append(b, ',')
		}
		b = append(b, key...)
		if key[len(key)-1] != ':' {
			b = append(b, ':')
		}
		var ok bool
		if b, ok = w.write(b, v, n, at); !ok {
			b = b[:before]
			return
		}
		some = true
	}
	v.Every(func(key, m fields.Value) bool {
		if key == nil {
			return false
		}
		name, next := key.Text(), off
		if at != off && at < len(w.parts) && name == w.parts[at] {
			next = at + 1
		}
		for i := range kids {
			if kids[i].name == name {
				seen[i] = true
				member(key, m, &kids[i].node, next)
				return w.scope.Fits(0)
			}
		}
		member(key, m, nil, next)
		return true
	})
	for i := range kids {
		if !seen[i] && w.scope.Fits(len(b)-begun) {
			member(kids[i].key, nil, &kids[i].node, off)
		}
	}
	if !some && !v.IsObject() {
		return append(b[:begun], v...), len(v) > 0
	}
	return append(b, '}'), true
}
