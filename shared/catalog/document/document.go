// Package document reads YAML by words that are known, and gathers what is wrong with
// its place and a sentence. What one document costs is bounded: its nodes, with aliases
// as often as they are used, its depth, and its problems.
package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"weir/shared/catalog/duration"
	"weir/shared/fault"
)

// Limits of a file. Aliases count as often as they are used.
const (
	maxNodes    = 20_000
	maxDepth    = 40
	maxProblems = 100
	maxText     = 8 << 10 // bytes of one text
)

// Reader reads the parts of one document. The zero Reader is ready.
type Reader struct {
	Problems []fault.Problem
	nodes    int
	depth    int
}

// Add adds a problem.
func (r *Reader) Add(at, code, format string, args ...any) {
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, fault.Problem{Path: at, Code: code, Text: fmt.Sprintf(format, args...)})
	}
}

// Index is the place of an element of a list.
func Index(at string, i int) string { return at + "[" + strconv.Itoa(i) + "]" }

// Enter counts a node and reports whether it may be read.
func (r *Reader) Enter(at string) bool {
	if r.nodes++; r.nodes == maxNodes+1 {
		r.Add(at, "too_large", "The file says more than %d things.", maxNodes)
	}
	return r.nodes <= maxNodes
}

// Deeper guards what calls itself, and reports whether it may go on; Higher follows.
func (r *Reader) Deeper(at string) bool {
	if r.depth++; r.depth == maxDepth+1 {
		r.Add(at, "too_large", "This is nested more than %d deep.", maxDepth)
	}
	return r.depth <= maxDepth
}

// Resolved is the node that an alias stands for.
func Resolved(n *yaml.Node) *yaml.Node {
	for range 8 {
		if n.Kind != yaml.AliasNode {
			break
		}
		n = n.Alias
	}
	return n
}

// Pair is a member of a mapping.
type Pair struct {
	Key  string
	Node *yaml.Node // resolved
	At   string     // its place in the document
}

// Higher leaves what Deeper entered.
func (r *Reader) Higher() { r.depth-- }

// Mapping returns the members of a mapping, those of << behind its own.
func (r *Reader) Mapping(n *yaml.Node, at string) []Pair {
	var all []Pair
	r.members(Resolved(n), at, &all, 0)
	return all
}

func (r *Reader) members(n *yaml.Node, at string, all *[]Pair, depth int) {
	if n.Kind != yaml.MappingNode || depth > maxDepth {
		r.Add(at, "wrong_type", "This is a mapping of names to values.")
		return
	}
	var merged []*yaml.Node
	own := len(*all)
	for i := 0; i+1 < len(n.Content) && r.Enter(at); i += 2 {
		key, value := Resolved(n.Content[i]), Resolved(n.Content[i+1])
		if key.Kind != yaml.ScalarNode {
			r.Add(at, "wrong_type", "Names are texts.")
			continue
		}
		if key.Tag == "!!merge" || key.Value == "<<" && key.Style == 0 {
			merged = append(merged, value)
			continue
		}
		has := func(m Pair) bool { return m.Key == key.Value }
		if slices.ContainsFunc((*all)[own:], has) {
			r.Add(at+"."+key.Value, "duplicate_name", "This name stands twice.")
		}
		if !slices.ContainsFunc(*all, has) {
			*all = append(*all, Pair{key.Value, value, strings.TrimPrefix(at+"."+key.Value, ".")})
		}
	}
	for _, m := range merged {
		if m.Kind == yaml.SequenceNode {
			for _, each := range m.Content {
				r.members(Resolved(each), at, all, depth+1)
			}
			continue
		}
		r.members(m, at, all, depth+1)
	}
}

// Sequence returns the elements of a list; a single value counts as a list of one.
func (r *Reader) Sequence(n *yaml.Node, at string) []*yaml.Node {
	n = Resolved(n)
	if n.Kind != yaml.SequenceNode {
		return []*yaml.Node{n}
	}
	var all []*yaml.Node
	for _, e := range n.Content {
		if !r.Enter(at) {
			break
		}
		all = append(all, Resolved(e))
	}
	return all
}

// Words reads a mapping whose names are known: read is called with each.
func (r *Reader) Words(n *yaml.Node, at string, known map[string]func(Pair)) (given map[string]bool) {
	given = map[string]bool{}
	for _, m := range r.Mapping(n, at) {
		read := known[m.Key]
		if read == nil {
			names := make([]string, 0, len(known))
			for name := range known {
				names = append(names, name)
			}
			slices.Sort(names)
			r.Add(m.At, "unknown_field", "%q is no word of this place. There are: %s.", m.Key, strings.Join(names, ", "))
			continue
		}
		given[m.Key] = true
		read(m)
	}
	return given
}

// Text reads a text; numbers and booleans count as texts, as they stand.
func (r *Reader) Text(m Pair) string {
	if m.Node.Kind != yaml.ScalarNode || m.Node.Tag == "!!null" {
		r.Add(m.At, "wrong_type", "This is a text.")
		return ""
	}
	if len(m.Node.Value) > maxText {
		r.Add(m.At, "too_large", "A text has at most %d bytes.", maxText)
		return ""
	}
	return m.Node.Value
}

// Texts reads a text, or a list of them.
func (r *Reader) Texts(m Pair) []string {
	var all []string
	for i, n := range r.Sequence(m.Node, m.At) {
		all = append(all, r.Text(Pair{m.Key, n, Index(m.At, i)}))
	}
	return all
}

// OneOf reads one of words.
func (r *Reader) OneOf(m Pair, words ...string) string {
	text := r.Text(m)
	if !slices.Contains(words, text) {
		r.Add(m.At, "not_in_enum", "This is one of %s.", strings.Join(words, ", "))
		return words[0]
	}
	return text
}

// Boolean reads true or false.
func (r *Reader) Boolean(m Pair) bool { return r.OneOf(m, "false", "true") == "true" }

// Number reads a whole number from least to most.
func (r *Reader) Number(m Pair, least, most int) int {
	n, err := strconv.Atoi(r.Text(m))
	if err != nil || n < least || n > most {
		r.Add(m.At, "wrong_type", "This is a whole number from %d to %d.", least, most)
		return least
	}
	return n
}

// Float reads a number.
func (r *Reader) Float(m Pair) *float64 {
	n, err := strconv.ParseFloat(r.Text(m), 64)
	if err != nil {
		r.Add(m.At, "wrong_type", "This is a number.")
	}
	return &n
}

// Duration reads a duration above zero.
func (r *Reader) Duration(m Pair) time.Duration {
	d, ok := duration.Parse(r.Text(m))
	if !ok || d <= 0 {
		r.Add(m.At, "bad_duration", "This is a duration such as 5m or 168h.")
		return time.Minute
	}
	return d
}

// Constant reads any value as JSON, members in the order of the file.
func (r *Reader) Constant(n *yaml.Node, at string) []byte {
	defer r.Higher()
	if n = Resolved(n); !r.Deeper(at) || !r.Enter(at) {
		return []byte("0")
	}
	switch n.Kind {
	case yaml.SequenceNode:
		out := []byte{'['}
		for i, e := range n.Content {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, r.Constant(e, Index(at, i))...)
		}
		return append(out, ']')
	case yaml.MappingNode:
		out := []byte{'{'}
		for i, m := range r.Mapping(n, at) {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(append(append(out, Quoted(m.Key)...), ':'), r.Constant(m.Node, m.At)...)
		}
		return append(out, '}')
	}
	if slices.Contains([]string{"!!int", "!!float", "!!bool"}, n.Tag) {
		var v any
		if err := n.Decode(&v); err == nil {
			if b, err := json.Marshal(v); err == nil {
				return b
			}
		}
		r.Add(at, "malformed", "JSON cannot hold this.")
		return []byte("0")
	}
	if n.Tag == "!!null" {
		return []byte("null")
	}
	return Quoted(r.Text(Pair{"", n, at}))
}

// Quoted is text as a JSON string, without the escapes that only HTML needs.
func Quoted(text string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a text
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Line is the line of what stands at a place of a document, such as calls[0].body.user, or
// of the nearest thing around it that is there.
func Line(n *yaml.Node, at string) int {
	n = Resolved(n)
	line := n.Line
	for at != "" {
		step, rest := at, ""
		if i := strings.IndexAny(at[1:], ".["); i >= 0 {
			step, rest = at[:i+1], at[i+1:]
		}
		at = strings.TrimPrefix(rest, ".")
		next := child(n, strings.Trim(step, "[]."), step[0] == '[')
		if next == nil {
			break
		}
		line, n = max(line, next.Line), Resolved(next)
	}
	return line
}

// child is an element of a list, or a member; nil when it is not there. Names with dots are
// not found.
func child(n *yaml.Node, step string, element bool) *yaml.Node {
	if element {
		i, err := strconv.Atoi(step)
		if n.Kind != yaml.SequenceNode || err != nil || i < 0 || i >= len(n.Content) {
			return nil
		}
		return n.Content[i]
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == step {
			return &yaml.Node{Kind: yaml.AliasNode, Alias: n.Content[i+1], Line: n.Content[i].Line}
		}
	}
	return nil
}
