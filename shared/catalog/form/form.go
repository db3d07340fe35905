// Package form is what a spec says of the form in which people fill a kind's settings in.
package form

import (
	"fmt"

	"weir/shared/fault"
)

// Form is how settings and secrets stand in a form. What it does not name stands as the
// fields themselves say: those that are required in the open, others among more.
type Form struct {
	Open    []string             `json:"open,omitempty" yaml:"open"`       // fields that stand in the open though a configuration may leave them out
	Choices []Choice             `json:"choices,omitempty" yaml:"choices"` // of which something is needed
	Columns map[string][2]string `json:"columns,omitempty" yaml:"columns"` // by a field of the type map the titles of its names and of its values
}

// Choice is fields and secrets of which some are needed: those of one way.
type Choice struct {
	Doc string     `json:"doc" yaml:"doc"` // a sentence: which are needed
	Of  [][]string `json:"of" yaml:"of"`   // the ways: what belongs together
}

// Check lists what is wrong with a form, which may be nil; known says whether there is a field
// or a secret of a name. Codes: required, unknown_field, duplicate_name.
func (f *Form) Check(known func(name string) bool) (problems []fault.Problem) {
	if f == nil {
		return nil
	}
	add := func(path, code, text string) {
		problems = append(problems, fault.Problem{Path: path, Code: code, Text: text})
	}
	seen := map[string]bool{}
	look := func(name, path string) {
		if !known(name) {
			add(path, "unknown_field", "This is no field or secret of the kind.")
		}
		if seen[name] {
			add(path, "duplicate_name", "A form shows each field once.")
		}
		seen[name] = true
	}
	for i, name := range f.Open {
		look(name, fmt.Sprintf("form.open[%d]", i))
	}
	for i, c := range f.Choices {
		at := fmt.Sprintf("form.choices[%d]", i)
		if c.Doc == "" {
			add(at+".doc", "required", "Say in a sentence which of them are needed.")
		}
		if len(c.Of) < 2 {
			add(at+".of", "required", "A choice has two ways at least.")
		}
		for j, way := range c.Of {
			if len(way) == 0 {
				add(fmt.Sprintf("%s.of[%d]", at, j), "required", "Name the fields of the way.")
			}
			for k, name := range way {
				look(name, fmt.Sprintf("%s.of[%d][%d]", at, j, k))
			}
		}
	}
	for name := range f.Columns {
		if !known(name) {
			add("form.columns."+name, "unknown_field", "This is no field of the kind.")
		}
	}
	return problems
}
