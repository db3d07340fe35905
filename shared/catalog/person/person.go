// Package person writes out what specs of ads platforms say of the person whom an event
// is about: { person: [em, ph] } in a list of values. The platforms took over one
// another's names and ways of hashing, so they stand here once, in person.yaml.
//
// It does nothing else with a spec, and follows no alias: what is anchored is written out
// where it stands.
package person

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"weir/shared/fault"
)

// word is what the form is known by.
const word = "person"

//go:embed person.yaml
var text []byte

// member is how a field of a person is made: with the setting hashed off, and on.
type member struct {
	From string `yaml:"from"`
	As   []any  `yaml:"as"`
}

// members are in the order of person.yaml.
var members, order = read()

func read() (map[string]member, []string) {
	var doc yaml.Node
	all := map[string]member{}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		panic("person.yaml: " + err.Error())
	}
	if err := doc.Decode(&all); err != nil {
		panic("person.yaml: " + err.Error())
	}
	var names []string
	for i := 0; i < len(doc.Content[0].Content); i += 2 {
		names = append(names, doc.Content[0].Content[i].Value)
	}
	return all, names
}

// Expand replaces each { person: [NAME, …] } that stands in a list below n by two objects
// with these members: one of hashes, for when the setting hashed is off, and one of the
// values as they are. It lists what is wrong, with places that begin with at.
func Expand(n *yaml.Node, at string) (problems []fault.Problem) {
	switch n.Kind {
	case yaml.DocumentNode, yaml.SequenceNode:
		var out []*yaml.Node
		for i, child := range n.Content {
			place := at
			if n.Kind == yaml.SequenceNode {
				place = fmt.Sprintf("%s[%d]", at, i)
			}
			if child.Kind == yaml.MappingNode && len(child.Content) == 2 && child.Content[0].Value == word && n.Kind == yaml.SequenceNode {
				both, wrong := both(child, place+"."+word)
				out, problems = append(out, both...), append(problems, wrong...)
				continue
			}
			problems = append(problems, Expand(child, place)...)
			out = append(out, child)
		}
		n.Content = out
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			problems = append(problems, Expand(n.Content[i+1], strings.TrimPrefix(at+"."+n.Content[i].Value, "."))...)
		}
	}
	return problems
}

// both are the two objects in the place of n.
func both(n *yaml.Node, at string) (out []*yaml.Node, problems []fault.Problem) {
	names := n.Content[1]
	if names.Kind != yaml.SequenceNode || len(names.Content) == 0 || len(names.Content) > len(order) {
		return nil, []fault.Problem{{Path: at, Code: "wrong_type", Text: "Name in a list which of these there are: " + strings.Join(order, ", ") + "."}}
	}
	hashes, plain := map[string]any{}, map[string]any{}
	var seen []string
	for i, name := range names.Content {
		m, known := members[name.Value]
		if !known || slices.Contains(seen, name.Value) {
			problems = append(problems, fault.Problem{Path: fmt.Sprintf("%s[%d]", at, i), Code: "not_in_enum", Text: fmt.Sprintf("%q is none of them, or is there twice: %s.", name.Value, strings.Join(order, ", "))})
			continue
		}
		seen = append(seen, name.Value)
		hashes[name.Value] = map[string]any{"list": []any{map[string]any{"from": m.From, "as": m.As}}}
		plain[name.Value] = map[string]any{"list": []any{m.From}}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	for hashed, of := range []map[string]any{hashes, plain} {
		object := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, name := range seen {
			object.Content = append(object.Content, node(name), node(of[name]))
		}
		when := map[string]bool{"settings.hashed": hashed == 1}
		one := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{node("object"), object, node("when"), node(when)}}
		place(one, n.Line, n.Column)
		out = append(out, one)
	}
	return out, nil
}

func node(v any) *yaml.Node {
	n := &yaml.Node{}
	if err := n.Encode(v); err != nil {
		panic("a value that cannot be YAML: " + err.Error()) // all are texts, lists and maps of them
	}
	return n
}

// place says of all that was made where it stands for people.
func place(n *yaml.Node, line, column int) {
	n.Line, n.Column = line, column
	for _, child := range n.Content {
		place(child, line, column)
	}
}
