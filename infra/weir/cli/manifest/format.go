package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Format writes docs as a file that Parse reads, without identifiers; secrets
// become { sealed: <fingerprint>, version: n }.
func Format(out io.Writer, docs ...Document) error {
	enc := yaml.NewEncoder(out)
	enc.SetIndent(2)
	for _, d := range docs {
		n, err := document(d)
		if err != nil {
			return fmt.Errorf("write workspace %s as YAML: %w", d.Workspace, err)
		}
		if err := enc.Encode(n); err != nil {
			return fmt.Errorf("write workspace %s as YAML: %w", d.Workspace, err)
		}
	}
	return enc.Close()
}

// WriteYAML writes v, as its JSON describes it, as YAML in the same order.
func WriteYAML(out io.Writer, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the result: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	n, err := value(dec)
	if err != nil {
		return fmt.Errorf("write the result as YAML: %w", err)
	}
	enc := yaml.NewEncoder(out)
	enc.SetIndent(2)
	if err := enc.Encode(n); err != nil {
		return fmt.Errorf("write the result as YAML: %w", err)
	}
	return enc.Close()
}

// object is a YAML mapping that leaves out what is absent.
type object struct{ yaml.Node }

func newObject(style yaml.Style) *object {
	return &object{yaml.Node{Kind: yaml.MappingNode, Style: style}}
}

func (o *object) add(key string, value *yaml.Node) {
	o.Content = append(o.Content, text(key), value)
}

func (o *object) addText(key, value string) {
	if value != "" {
		o.add(key, text(value))
	}
}

func (o *object) addYes(key string, value bool) {
	if value {
		o.add(key, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"})
	}
}

func (o *object) addJSON(key string, raw json.RawMessage) error {
	if len(raw) == 0 || string(raw) == "null" || string(raw) == "{}" {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	n, err := value(dec)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	o.add(key, n)
	return nil
}

func (o *object) addList(key string, members []*yaml.Node) {
	if len(members) > 0 {
		o.add(key, &yaml.Node{Kind: yaml.SequenceNode, Content: members})
	}
}

// addSecrets adds the versions and fingerprints of an object's secrets.
func (o *object) addSecrets(of map[string]Secret) {
	if len(of) == 0 {
		return
	}
	secrets := newObject(0)
	for _, field := range slices.Sorted(maps.Keys(of)) {
		s := newObject(yaml.FlowStyle)
		s.add("sealed", text(of[field].Fingerprint))
		s.add("version", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: fmt.Sprint(of[field].Version)})
		secrets.add(field, &s.Node)
	}
	o.add("secrets", &secrets.Node)
}

func text(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	if strings.Contains(s, "\n") {
		n.Style = yaml.LiteralStyle
	}
	return n
}

func document(d Document) (*yaml.Node, error) {
	o := newObject(0)
	o.addText("workspace", d.Workspace)
	o.addText("region", d.Region)
	var sources, libraries, transformations, destinations, connections []*yaml.Node
	for _, s := range d.Sources {
		m := newObject(0)
		m.addText("name", s.Name)
		m.addText("type", s.Type)
		m.addText("writeKey", s.WriteKey)
		m.addYes("disabled", s.Disabled)
		if err := m.addJSON("settings", s.Settings); err != nil {
			return nil, fmt.Errorf("source %s: %w", s.Name, err)
		}
		m.addSecrets(s.Secrets)
		sources = append(sources, &m.Node)
	}
	for _, l := range d.Libraries {
		m := newObject(0)
		m.addText("name", l.Name)
		m.addText("language", l.Language)
		m.addText("code", l.Code)
		libraries = append(libraries, &m.Node)
	}
	for _, t := range d.Transformations {
		m := newObject(0)
		m.addText("name", t.Name)
		m.addText("language", t.Language)
		if t.MaxOutputs > 0 {
			m.add("maxOutputs", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: fmt.Sprint(t.MaxOutputs)})
		}
		m.addText("code", t.Code)
		transformations = append(transformations, &m.Node)
	}
	for _, dst := range d.Destinations {
		m, err := destination(dst)
		if err != nil {
			return nil, fmt.Errorf("destination %s: %w", dst.Name, err)
		}
		destinations = append(destinations, m)
	}
	for _, c := range d.Connections {
		m := newObject(yaml.FlowStyle)
		m.addText("source", c.Source)
		m.addText("destination", c.Destination)
		var names []*yaml.Node
		for _, t := range c.Transformations {
			names = append(names, text(t))
		}
		m.addList("transformations", names)
		connections = append(connections, &m.Node)
	}
	o.addList("sources", sources)
	o.addList("libraries", libraries)
	o.addList("transformations", transformations)
	o.addList("destinations", destinations)
	o.addList("connections", connections)
	return &o.Node, nil
}

func destination(d Destination) (*yaml.Node, error) {
	m := newObject(0)
	m.addText("name", d.Name)
	m.addText("type", d.Type)
	m.addYes("disabled", d.Disabled)
	if err := m.addJSON("settings", d.Settings); err != nil {
		return nil, err
	}
	m.addSecrets(d.Secrets)
	return &m.Node, nil
}

// value reads one JSON value as a YAML node, keeping order and digits.
func value(dec *json.Decoder) (*yaml.Node, error) {
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			return members(dec, yaml.SequenceNode)
		}
		return members(dec, yaml.MappingNode)
	case string:
		return text(t), nil
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: t.String()}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(t)}, nil
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	}
}

// members reads the rest of an array or object; keys and values alternate in
// both JSON's tokens and YAML's nodes.
func members(dec *json.Decoder, kind yaml.Kind) (*yaml.Node, error) {
	n := &yaml.Node{Kind: kind}
	for dec.More() {
		v, err := value(dec)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, v)
	}
	_, err := dec.Token()
	if len(n.Content) == 0 {
		n.Style = yaml.FlowStyle
	}
	return n, err
}
