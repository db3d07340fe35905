package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"gopkg.in/yaml.v3"
)

// maxJSON is how deep FromJSON reads.
const maxJSON = 100

// errJSON is why FromJSON returns nothing.
var errJSON = errors.New("this is not one JSON value, or it is nested too deeply")

// FromJSON returns a JSON value as the YAML that says the same. Numbers and the order of
// members stay as they are.
func FromJSON(text []byte) (*yaml.Node, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	n, err := fromJSON(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errJSON
	}
	return n, nil
}

func fromJSON(dec *json.Decoder, depth int) (*yaml.Node, error) {
	t, err := dec.Token()
	if err != nil || depth > maxJSON {
		return nil, errJSON
	}
	scalar := func(tag, value string) (*yaml.Node, error) {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value, Style: yaml.DoubleQuotedStyle}, nil
	}
	switch t := t.(type) {
	case string:
		return scalar("!!str", t)
	case json.Number:
		n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: t.String()}
		if _, err := t.Int64(); err != nil {
			n.Tag = "!!float"
		}
		return n, nil
	case bool:
		if t {
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"}, nil
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "false"}, nil
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	}
	n := &yaml.Node{Kind: yaml.MappingNode}
	if t == json.Delim('[') {
		n.Kind = yaml.SequenceNode
	}
	for dec.More() { // names and values alternate, as in YAML's nodes
		v, err := fromJSON(dec, depth+1)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, v)
	}
	if _, err := dec.Token(); err != nil {
		return nil, errJSON
	}
	return n, nil
}

// Exactly reports whether n is a mapping of these names, which are sorted, and of no other.
func Exactly(n *yaml.Node, names ...string) bool {
	if n.Kind != yaml.MappingNode {
		return false
	}
	var has []string
	for i := 0; i < len(n.Content); i += 2 {
		has = append(has, n.Content[i].Value)
	}
	slices.Sort(has)
	return slices.Equal(has, names)
}
