package layout

import (
	"strings"

	"weir/dataplane/layout/name"
	"weir/dataplane/layout/tree"
	"weir/shared/fault"
)

// maxNames is the most bytes that the names of one event's columns may have
// together, before they are cut: deep objects with long keys make each name of
// nearly the size of the event.
const maxNames = 8 << 20

// walk turns one event into blocks. It is used again for the next event.
type walk struct {
	tree.Tree
	d     *Dialect
	o     *Options
	m     Meta
	now   string // the time of m
	calls uint8  // the bit of the event's type in entry.standard
	cloud bool
	names *name.Cache
	row   block
	paths *pathSet
	name  []byte // the name so far, joined with _
	path  []byte // the path so far, joined with NUL, when there are paths
	below int    // where in path that begins what stands below properties or context
	left  int    // bytes of names
	err   error
}

// flat puts the values of the object obj, which stands at the path root of the
// event, under names that begin with prefix.
func (w *walk) flat(b *block, prefix string, obj int, o origin, root ...string) {
	if w.Kind(obj) != '{' {
		return
	}
	w.name = append(w.name[:0], prefix...)
	if w.paths != nil {
		w.path = append(w.path[:0], w.paths.kind...)
		for _, k := range root {
			w.path = append(append(w.path, 0), k...)
		}
		w.below = 0
		if root[0] == "properties" || root[0] == "context" {
			w.below = len(w.paths.kind) + 1 + len(root[0])
		}
	}
	w.object(b, obj, 0, o)
}

func (w *walk) object(b *block, obj, level int, o origin) {
	named, passed := len(w.name), len(w.path)
	for i := obj + 1; i < int(w.Nodes[obj].Next); i = int(w.Nodes[i].Next) {
		if w.err != nil {
			return
		}
		key := w.Key(i)
		w.name = append(w.name, key...)
		isPath := false
		if w.paths != nil {
			w.path = append(append(w.path, 0), key...)
			isPath = w.paths.match(w.path, w.below)
		}
		switch {
		case isPath:
			w.json(b, i, w.d.JSONPathType, o)
		case w.Nodes[i].Kind == '{' && (level < 3 || !w.cloud):
			w.nested(b, i, level, o)
		case key == "violationErrors" && w.d.ViolationErrors && !w.segment():
			w.json(b, i, JSON, o)
		default:
			if c, sent, none := w.leaf(i); !none {
				w.put(b, c, sent, o)
			}
		}
		w.name, w.path = w.name[:named], w.path[:passed]
	}
}

func (w *walk) nested(b *block, i, level int, o origin) {
	if !w.segment() && o == fromContext && string(w.name) == "context_traits" {
		if s, ok := w.letters(i); ok {
			w.put(b, Column{Type: w.d.long(s), Raw: s}, "", o)
			return
		}
	}
	w.name = append(w.name, '_')
	w.object(b, i, level+1, o)
}

// json puts a value as JSON text.
func (w *walk) json(b *block, i int, typ Type, o origin) {
	n := &w.Nodes[i]
	if n.Kind == 'n' || n.Kind == '"' && n.End-n.Start == 2 || n.Kind == '[' && n.Next == int32(i+1) {
		return
	}
	s, damaged := tree.Compact(w.Raw(i))
	sent := ""
	if damaged {
		sent = w.Raw(i)
	}
	w.put(b, Column{Type: typ, Raw: s}, sent, o)
}

// put names a column as w.name says and puts it, unless the name is that of a
// standard column of this type of event.
func (w *walk) put(b *block, c Column, sent string, o origin) {
	if w.left -= len(w.name); w.left < 0 {
		w.err = fault.New(fault.Invalid, "the names of the event's columns have more than %d MiB together", maxNames>>20)
		return
	}
	e := w.names.Column(w.name)
	c.Name = e.Out
	if e.Mark&w.calls != 0 {
		if w.segment() || w.calls != callIdentify || o != fromTraits || e.Out != w.d.std[stdUserID] {
			return
		}
		c.Name = w.d.names.Fold("_user_id")
	}
	if c.Name != "" {
		b.put(c, sent, o)
	}
}

// pathSet holds the JSON paths that concern one event, joined with NUL: full
// ones begin with its type, bare ones with NUL and what stands below properties
// or context.
type pathSet struct {
	kind string
	set  map[string]bool
	bare bool // there are bare ones
	off  bool // they do not count now
}

func (p *pathSet) match(path []byte, below int) bool {
	return p.set[string(path)] || p.bare && !p.off && below > 0 && len(path) > below && p.set[string(path[below:])]
}

// prefixed are the types that a path may begin with.
var prefixed = map[string]bool{"track": true, "identify": true, "page": true, "screen": true, "alias": true, "group": true, "extract": true}

// pathsOf gathers the paths of the settings and of the event's integrations.
func (w *walk) pathsOf(kind string) *pathSet {
	if w.d.JSONPathType == "" {
		return nil
	}
	p := &pathSet{kind: kind}
	for _, s := range w.o.JSONPaths {
		p.add(s)
	}
	all := w.Get(0, "integrations")
	if w.Kind(all) == '{' {
		for i := all + 1; i < int(w.Nodes[all].Next); i = int(w.Nodes[i].Next) {
			if k := w.Key(i); strings.EqualFold(k, "DATA_WAREHOUSE") || w.d.IsFor(k) {
				w.addPaths(p, w.At(i, "options", "jsonPaths"))
			}
		}
	}
	if len(p.set) == 0 {
		return nil
	}
	return p
}

func (w *walk) addPaths(p *pathSet, i int) {
	switch w.Kind(i) {
	case '"':
		s, _ := w.Decoded(i)
		p.add(s)
	case '[':
		for k := i + 1; k < int(w.Nodes[i].Next); k = int(w.Nodes[k].Next) {
			if w.Nodes[k].Kind == '"' {
				s, _ := w.Decoded(k)
				p.add(s)
			}
		}
	}
}

// add takes one path, or several with commas.
func (p *pathSet) add(list string) {
	if p.set == nil {
		p.set = map[string]bool{}
	}
	for s := range strings.SplitSeq(list, ",") {
		s = strings.TrimSpace(s)
		first, _, deep := strings.Cut(s, ".")
		switch joined := strings.ReplaceAll(s, ".", "\x00"); {
		case s == "":
		case deep && prefixed[first]:
			p.set[joined] = true
		case p.kind == "track":
			p.set["\x00"+joined], p.bare = true, true
		}
	}
}
