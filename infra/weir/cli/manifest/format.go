package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"weir/shared/workspace/document"
)

// Format writes docs as a file that Parse reads, without identifiers; secrets
// become { sealed: <fingerprint>, version: n }.
func Format(out io.Writer, docs ...document.Document) error {
	enc := yaml.NewEncoder(out)
	enc.SetIndent(2)
	for _, d := range docs {
		n, err := record(reflect.ValueOf(d))
		if err != nil {
			return fmt.Errorf("write workspace %s as YAML: %w", d.Workspace, err)
		}
		n.Style = 0
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

func text(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	if strings.Contains(s, "\n") {
		n.Style = yaml.LiteralStyle
	}
	return n
}

// record writes the object that a struct stands for, without identifiers. One of
// scalars and lists of them that has no name fits on a line.
func record(v reflect.Value) (*yaml.Node, error) {
	n, short := &yaml.Node{Kind: yaml.MappingNode}, true
	for _, f := range document.Fields(v.Type()) {
		if f.Name == "id" || v.FieldByIndex(f.Index).IsZero() {
			continue
		}
		value, err := written(v.FieldByIndex(f.Index))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		if len(value.Content) == 0 && value.Kind != yaml.ScalarNode {
			continue // the empty list or object is the same as none
		}
		short = short && f.Name != "name" && value.Kind != yaml.MappingNode && (len(value.Content) == 0 || value.Content[0].Kind == yaml.ScalarNode)
		n.Content = append(n.Content, text(f.Name), value)
	}
	if short {
		n.Style = yaml.FlowStyle
	}
	return n, nil
}

// written writes a value by its type.
func written(v reflect.Value) (*yaml.Node, error) {
	switch of := v.Interface().(type) {
	case json.RawMessage:
		if string(of) == "null" {
			return &yaml.Node{Kind: yaml.MappingNode}, nil
		}
		dec := json.NewDecoder(bytes.NewReader(of))
		dec.UseNumber()
		return value(dec)
	case map[string]document.Secret:
		return secrets(of), nil
	case map[string]string:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, name := range slices.Sorted(maps.Keys(of)) {
			n.Content = append(n.Content, text(name), text(of[name]))
		}
		return n, nil
	}
	switch v.Kind() {
	case reflect.String:
		return text(v.String()), nil
	case reflect.Float64:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: strconv.FormatFloat(v.Float(), 'g', -1, 64)}, nil
	case reflect.Bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(v)}, nil
	case reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range v.Len() {
			one, err := written(v.Index(i))
			if err != nil {
				return nil, fmt.Errorf("[%d]: %w", i, err)
			}
			n.Content = append(n.Content, one)
		}
		return n, nil
	case reflect.Pointer:
		return written(v.Elem())
	case reflect.Struct:
		return record(v)
	default:
		return number(fmt.Sprint(v)), nil
	}
}

func number(digits string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: digits}
}

// secrets writes the versions and fingerprints of an object's secrets.
func secrets(of map[string]document.Secret) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, field := range slices.Sorted(maps.Keys(of)) {
		n.Content = append(n.Content, text(field), &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle, Content: []*yaml.Node{
			text("sealed"), text(of[field].Fingerprint), text("version"), number(fmt.Sprint(of[field].Version)),
		}})
	}
	return n
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
