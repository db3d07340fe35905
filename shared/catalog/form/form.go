// Package form is what a spec says of the form in which people fill a kind's settings in.
package form

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

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
	Doc     string     `json:"doc" yaml:"doc"`                   // a sentence: which are needed
	Of      [][]string `json:"of" yaml:"of"`                     // the ways: what belongs together
	Several bool       `json:"several,omitempty" yaml:"several"` // what is given beside one way does no harm
	Unless  string     `json:"unless,omitempty" yaml:"unless"`   // a field: where it has a value, none is needed
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
		if c.Unless != "" && !known(c.Unless) {
			add(at+".unless", "unknown_field", "This is no field of the kind.")
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

// Problems lists the choices of a form, which may be nil, that settings (a JSON object) and
// the names of the secrets that were given do not meet; secret says whether a name is one of
// a secret. A text that is empty, false and null count as absent. Paths begin with path, and
// go on with settings or secrets. Codes: required, not_allowed.
func (f *Form) Problems(settings []byte, given []string, secret func(name string) bool, path string) (problems []fault.Problem) {
	if f == nil || len(f.Choices) == 0 {
		return nil
	}
	var values map[string]any
	if len(settings) > 0 && json.Unmarshal(settings, &values) != nil {
		return nil // whoever checks settings says so
	}
	has := func(name string) bool {
		if secret(name) {
			return slices.Contains(given, name)
		}
		v := values[name]
		return v != nil && v != "" && v != false
	}
	for _, c := range f.Choices {
		name, code, text := c.lacking(has)
		if code == "" || code == "required" && c.Unless != "" && has(c.Unless) {
			continue
		}
		at := path + ".settings." + name
		if secret(name) {
			at = path + ".secrets." + name
		}
		problems = append(problems, fault.Problem{Path: at, Code: code, Text: text})
	}
	return problems
}

// lacking says what is wrong with what was given of a choice, and with which part of it
// first; no code: nothing.
func (c *Choice) lacking(has func(string) bool) (name, code, text string) {
	whole, begun := -1, -1
	var given []string
	for i, way := range c.Of {
		n := len(given)
		for _, part := range way {
			if has(part) {
				given = append(given, part)
			}
		}
		switch n = len(given) - n; {
		case n == len(way) && whole < 0:
			whole = i
		case n > 0 && begun < 0:
			begun = i
		}
	}
	ways := make([]string, len(c.Of))
	for i, way := range c.Of {
		ways[i] = strings.Join(way, " and ")
	}
	all := strings.Join(ways, ", or ")
	switch {
	case whole >= 0 && (c.Several || len(given) == len(c.Of[whole])):
		return "", "", ""
	case whole >= 0:
		beside := slices.DeleteFunc(given, func(part string) bool { return slices.Contains(c.Of[whole], part) })
		return beside[0], "not_allowed", fmt.Sprintf("Give %s, not both: leave out %s, or %s.", all, strings.Join(beside, " and "), ways[whole])
	case begun >= 0:
		missing := slices.DeleteFunc(slices.Clone(c.Of[begun]), has)
		return missing[0], "required", fmt.Sprintf("With what was given %s is needed, too: give %s.", strings.Join(missing, " and "), all)
	}
	return c.Of[0][0], "required", fmt.Sprintf("%s Their names are %s.", c.Doc, all)
}
