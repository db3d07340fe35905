// Package private reads the specs of destinations and sources that a workspace declares
// itself: of the type custom, in the same formats as those of the catalog.
package private

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"weir/shared/catalog"
	"weir/shared/catalog/document"
	"weir/shared/catalog/requests"
	"weir/shared/fault"
)

// Type is the type of destinations and sources whose spec stands in their workspace.
const Type = "custom"

// MaxBytes is the longest spec of such an object.
const MaxBytes = 256 << 10

// Find returns the Spec of an object of the type kind, whose own spec is text; "" of all
// that are not of Type. ok is false when there is no such kind, or text is not right.
func Find(specs []catalog.Spec, kind, text string, families ...catalog.Family) (s catalog.Spec, ok bool) {
	if s, ok = catalog.Find(specs, kind, families...); !ok || s.Family == catalog.Warehouses || kind != Type {
		return s, ok
	}
	parse := Parse
	if s.Family == catalog.Sources {
		parse = ParseSource
	}
	s, err := parse(text)
	return s, err == nil
}

// ParseSource is Parse of a source of Type: a spec.yaml with streams.
func ParseSource(text string) (catalog.Spec, error) { return parse(text, catalog.Sources) }

// Parse reads the spec of a destination of Type: a spec.yaml with calls, without
// values that Go code makes. What it declares of secrets is sealed for every address that
// it names; see catalog.SentTo. What it costs to read and to run is bounded.
//
// fault.Invalid, with every problem, its place in the text and its line.
func Parse(text string) (catalog.Spec, error) { return parse(text, catalog.Destinations) }

func parse(text string, family catalog.Family) (s catalog.Spec, err error) {
	if len(text) > MaxBytes {
		return catalog.Spec{}, refused("", "too_large", fmt.Sprintf("The spec is longer than %d KiB.", MaxBytes>>10))
	}
	defer func() { // of the YAML library, on what was made for that
		if recover() != nil {
			s, err = catalog.Spec{}, refused("", "malformed", "The spec is not readable.")
		}
	}()
	s, err = catalog.Parse([]byte(text))
	problems := slices.Clone(fault.ProblemsOf(err))
	if err != nil && len(problems) == 0 {
		return catalog.Spec{}, refused("", "malformed", err.Error())
	}
	if err == nil {
		problems = privately(s, family)
	}
	lined(text, problems)
	if err := fault.Problems("The spec has problems:", problems); err != nil {
		return catalog.Spec{}, err
	}
	s.Private = true
	return s, nil
}

func refused(path, code, text string) error {
	return fault.Problems("The spec has problems:", []fault.Problem{{Path: path, Code: code, Text: text}})
}

// privately lists what an object of Type may not say beside what no spec may.
func privately(s catalog.Spec, family catalog.Family) []fault.Problem {
	var problems []fault.Problem
	add := func(path, code, text string) {
		problems = append(problems, fault.Problem{Path: path, Code: code, Text: text})
	}
	if s.Family != family {
		add("family", "not_in_enum", "The family is "+string(family)+".")
		return problems
	}
	switch {
	case family == catalog.Sources && s.Pull == nil:
		add("streams", "required", "Say in streams which rows are pulled.")
	case family == catalog.Sources:
	case s.Calls == nil || len(s.Calls.Calls) == 0:
		add("calls", "required", "Say in calls what becomes of events.")
		return problems
	default:
		for _, name := range s.Calls.Go {
			add("calls", "not_allowed", "The value "+name+" is made by Go code, which a spec of one's own does not have.")
		}
	}
	for i, a := range s.Auth {
		for _, m := range requests.References(a.TokenURL) {
			if m[0] != "settings" || !slices.Contains(s.SentTo, m[1]) {
				add(fmt.Sprintf("auth[%d].tokenUrl", i), "not_allowed", "What the address of tokens is made of stands in sentTo: secrets are sent there.")
			}
		}
	}
	return problems
}

// lined writes the line of each problem before its text.
func lined(text string, problems []fault.Problem) {
	var doc yaml.Node
	if yaml.Unmarshal([]byte(text), &doc) != nil || len(doc.Content) == 0 {
		return
	}
	for i, p := range problems {
		if !strings.HasPrefix(p.Text, "line ") {
			problems[i].Text = fmt.Sprintf("line %d: %s", document.Line(doc.Content[0], p.Path), p.Text)
		}
	}
}
