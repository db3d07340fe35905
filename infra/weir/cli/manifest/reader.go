package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"weir/shared/fault"
)

// maxNodes bounds what aliases may expand to, per file. A configuration of
// thousands of objects has some hundred thousand nodes.
const maxNodes = 1_000_000

// maxDepth bounds nesting, so that recursion is bounded.
const maxDepth = 100

// maxProblems is how many problems one answer holds.
const maxProblems = 100

// reader walks YAML nodes and collects what is wrong with them.
type reader struct {
	file     string
	lines    map[string]int
	problems []fault.Problem
	nodes    int
}

// field is one known key of an object and what to do with its value.
type field struct {
	name string
	read func(n *yaml.Node, path string)
}

// wrong notes a problem at n.
func (r *reader) wrong(n *yaml.Node, path, code, format string, args ...any) {
	if len(r.problems) >= maxProblems {
		return
	}
	where := fmt.Sprintf("%s:%d", r.file, n.Line)
	if path != "" {
		where += " " + path
	}
	r.problems = append(r.problems, fault.Problem{Path: where, Code: code, Text: fmt.Sprintf(format, args...)})
}

// follow returns what n stands for. ok is false when there is too much of it.
func (r *reader) follow(n *yaml.Node, path string) (*yaml.Node, bool) {
	r.nodes++
	if r.nodes > maxNodes {
		if r.nodes == maxNodes+1 {
			r.wrong(n, path, "too_large", "with its aliases resolved the file holds over %d values; write it without them", maxNodes)
		}
		return n, false
	}
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n, true
}

// object reads a mapping of known keys.
func (r *reader) object(n *yaml.Node, path string, fields ...field) {
	n, ok := r.follow(n, path)
	if !ok {
		return
	}
	if n.Kind != yaml.MappingNode {
		r.wrong(n, path, "wrong_type", "here stands %s, not an object with the keys %s", kindOf(n), keyList(fields))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !r.key(key, path, seen) {
			continue
		}
		at := join(path, key.Value)
		k := slices.IndexFunc(fields, func(f field) bool { return f.name == key.Value })
		if k < 0 {
			r.wrong(key, at, "unknown_key", "there is no key %q here; %s", key.Value, suggestion(key.Value, fields))
			continue
		}
		r.lines[at] = key.Line
		if isNull(value) {
			continue // `settings:` with nothing behind it is the same as no key
		}
		fields[k].read(value, at)
	}
}

// key checks that n can be a key and was not there before.
func (r *reader) key(n *yaml.Node, path string, seen map[string]bool) bool {
	if n.Tag == "!!merge" {
		r.wrong(n, path, "merge_key", "merge keys (<<) are not understood; write the keys out")
		return false
	}
	if n.Kind != yaml.ScalarNode {
		r.wrong(n, path, "wrong_type", "a key must be text, here stands %s", kindOf(n))
		return false
	}
	if seen[n.Value] {
		r.wrong(n, join(path, n.Value), "repeated_key", "the key %q is here twice; remove one", n.Value)
		return false
	}
	seen[n.Value] = true
	return true
}

// list reads a sequence, calling read for each member.
func (r *reader) list(n *yaml.Node, path string, read func(n *yaml.Node, path string)) {
	n, ok := r.follow(n, path)
	if !ok {
		return
	}
	if n.Kind != yaml.SequenceNode {
		r.wrong(n, path, "wrong_type", "here stands %s, not a list; begin each member with \"- \"", kindOf(n))
		return
	}
	for i, m := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		r.lines[at] = m.Line
		read(m, at)
	}
}

// text returns a reader of a string into to.
func (r *reader) text(to *string) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		n, ok := r.follow(n, path)
		if !ok {
			return
		}
		switch {
		case n.Kind != yaml.ScalarNode:
			r.wrong(n, path, "wrong_type", "here stands %s, not text", kindOf(n))
		case n.ShortTag() != "!!str":
			r.wrong(n, path, "wrong_type", "here stands %s, not text; put it in quotes: %q", kindOf(n), n.Value)
		default:
			*to = n.Value
		}
	}
}

// yes returns a reader of a boolean into to.
func (r *reader) yes(to *bool) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		n, ok := r.follow(n, path)
		if !ok {
			return
		}
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" || n.Decode(to) != nil {
			r.wrong(n, path, "wrong_type", "here stands %s; write true or false", kindOf(n))
		}
	}
}

// count returns a reader of a number from 1 into to.
func (r *reader) count(to *uint64) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		n, ok := r.follow(n, path)
		if !ok {
			return
		}
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || n.Decode(to) != nil || *to == 0 {
			r.wrong(n, path, "wrong_type", "here stands %s; write a whole number from 1", kindOf(n))
		}
	}
}

// number returns a reader of a number into to.
func (r *reader) number(to *float64) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		n, ok := r.follow(n, path)
		if !ok {
			return
		}
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" && n.ShortTag() != "!!float" || n.Decode(to) != nil || math.IsInf(*to, 0) || math.IsNaN(*to) {
			r.wrong(n, path, "wrong_type", "here stands %s; write a number", kindOf(n))
		}
	}
}

// variable is how shells and other tools write a variable of the environment.
var variable = regexp.MustCompile(`\$\{[A-Z_][A-Z0-9_]*\}`)

// settings returns a reader of an object of any keys into to, as JSON in the
// order of the file.
func (r *reader) settings(to *json.RawMessage) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		var b bytes.Buffer
		before := len(r.problems)
		if at, ok := r.follow(n, path); ok && at.Kind != yaml.MappingNode {
			r.wrong(at, path, "wrong_type", "here stands %s, not an object", kindOf(at))
		}
		r.json(&b, n, path, 0)
		if name := variable.FindString(b.String()); name != "" {
			r.wrong(n, path, "variable", "%s is not filled in: only secrets are read from the environment; write the value, or fill in the file before: envsubst < weir.yaml | weir apply -f -", name)
		}
		if len(r.problems) == before {
			*to = b.Bytes()
		}
	}
}

// json writes n as JSON.
func (r *reader) json(b *bytes.Buffer, n *yaml.Node, path string, depth int) {
	n, ok := r.follow(n, path)
	if !ok {
		return
	}
	if depth > maxDepth {
		r.wrong(n, path, "too_deep", "nested over %d levels", maxDepth)
		r.nodes = maxNodes + 2 // an alias may lead back to itself: stop everywhere
		return
	}
	if b.Len() > MaxSize {
		r.wrong(n, path, "too_large", "with its aliases resolved this is over %d MiB", MaxSize>>20)
		r.nodes = maxNodes + 2
		return
	}
	switch n.Kind {
	case yaml.MappingNode:
		seen := map[string]bool{}
		b.WriteByte('{')
		for i := 0; i+1 < len(n.Content) && r.nodes <= maxNodes; i += 2 {
			key := n.Content[i]
			if !r.key(key, path, seen) {
				continue
			}
			at := join(path, key.Value)
			r.lines[at] = key.Line
			if len(seen) > 1 {
				b.WriteByte(',')
			}
			quote(b, key.Value)
			b.WriteByte(':')
			r.json(b, n.Content[i+1], at, depth+1)
		}
		b.WriteByte('}')
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, m := range n.Content {
			if r.nodes > maxNodes {
				return
			}
			at := fmt.Sprintf("%s[%d]", path, i)
			r.lines[at] = m.Line
			if i > 0 {
				b.WriteByte(',')
			}
			r.json(b, m, at, depth+1)
		}
		b.WriteByte(']')
	default:
		r.scalar(b, n, path)
	}
}

// scalar writes one value as JSON. Times stay as they are written.
func (r *reader) scalar(b *bytes.Buffer, n *yaml.Node, path string) {
	switch n.ShortTag() {
	case "!!null":
		b.WriteString("null")
	case "!!bool":
		b.WriteString(strings.ToLower(n.Value))
	case "!!int":
		if json.Valid([]byte(n.Value)) {
			b.WriteString(n.Value) // a big number keeps every digit
			return
		}
		v, err := strconv.ParseInt(strings.ReplaceAll(n.Value, "_", ""), 0, 64)
		if err != nil {
			r.wrong(n, path, "wrong_number", "%s is not a number that can be sent; write it in decimal digits", n.Value)
			return
		}
		b.WriteString(strconv.FormatInt(v, 10))
	case "!!float":
		if json.Valid([]byte(n.Value)) {
			b.WriteString(n.Value)
			return
		}
		var v float64
		if n.Decode(&v) != nil || math.IsInf(v, 0) || math.IsNaN(v) {
			r.wrong(n, path, "wrong_number", "%s is not a number that can be sent", n.Value)
			return
		}
		b.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
	case "!!str", "!!timestamp":
		quote(b, n.Value)
	default:
		r.wrong(n, path, "wrong_type", "values of YAML type %s are not understood", n.ShortTag())
	}
}

// quote writes s as a JSON string, leaving <, > and & as they are.
func quote(b *bytes.Buffer, s string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string and a buffer cannot fail
	b.Truncate(b.Len() - 1)
}

// place returns path with the line it, or its nearest parent, has in file.
func place(file string, lines map[string]int, path string) string {
	for p := path; p != ""; p = parent(p) {
		if line, ok := lines[p]; ok {
			return fmt.Sprintf("%s:%d %s", file, line, path)
		}
	}
	return file + " " + path
}

// parent returns path without its last step.
func parent(path string) string {
	if i := strings.LastIndexAny(path, ".["); i > 0 {
		return path[:i]
	}
	return ""
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// kindOf names what n is, for a sentence.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "an object"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!str":
		return "text"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "nothing"
	case "!!timestamp":
		return "a date"
	}
	return "a value of YAML type " + n.ShortTag()
}

// suggestion says which key was probably meant, else which there are.
func suggestion(key string, fields []field) string {
	best, least := "", 3
	for _, f := range fields {
		if d := distance(strings.ToLower(key), strings.ToLower(f.name)); d < least && d < len(f.name) {
			best, least = f.name, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "known are " + keyList(fields)
}

func keyList(fields []field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return strings.Join(names, ", ")
}

// distance counts the letters to insert, remove or replace between a and b.
func distance(a, b string) int {
	if len(a) > 40 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
