// Package objects is what destinations say of the records that syncs keep in them: which
// kinds of records there are, by which fields they are known, and what can be done to them.
package objects

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"weir/shared/fault"
)

// Object is a kind of record that syncs keep in a destination, such as contacts.
type Object struct {
	Name    string   `json:"name" yaml:"name"` // as syncs and the calls of a file name it
	Title   string   `json:"title" yaml:"title"`
	Doc     string   `json:"doc,omitempty" yaml:"doc"`
	Actions []string `json:"actions" yaml:"actions"` // what can be done to a record, of Actions
	// Identifiers say which record is meant; a sync gives one of them, or each that is
	// required. Without any, syncs choose the names.
	Identifiers []Field `json:"identifiers,omitempty" yaml:"identifiers"`
	Fields      []Field `json:"fields,omitempty" yaml:"fields"` // that every account has
	Closed      bool    `json:"closed,omitempty" yaml:"closed"` // there are no other fields
}

// Field is a field of an object.
type Field struct {
	Name     string `json:"name" yaml:"name"`
	Doc      string `json:"doc,omitempty" yaml:"doc"`
	Required bool   `json:"required,omitempty" yaml:"required"`
}

// Actions are what can be done to the records of an object: upsert makes a record or
// changes the one that is there, insert and update do one of both alone. snapshot takes all
// rows of a model as one set, in the place of the former set.
func Actions() []string { return []string{"upsert", "insert", "update", "delete", "snapshot"} }

// name is what objects may be called.
var name = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// field is what fields and identifiers of records may be called.
var field = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$:. -]{0,127}$`) })

// ValidField reports whether a field of a record may have the name: 1 to 128 of
// letters, digits, '_', '$', ':', '.', '-' and spaces, the first a letter, '_' or '$'.
func ValidField(name string) bool { return field().MatchString(name) }

// Check lists what is wrong with the objects of a spec.
func Check(all []Object) []fault.Problem {
	var problems []fault.Problem
	add := func(path, code, text string) {
		problems = append(problems, fault.Problem{Path: path, Code: code, Text: text})
	}
	seen := map[string]bool{}
	for i, o := range all {
		at := fmt.Sprintf("objects[%d]", i)
		if !name.MatchString(o.Name) || seen[o.Name] {
			add(at+".name", "bad_name", "An object's name is 1 to 40 of a-z, 0-9 and _, a letter first, and no other object's.")
		}
		if seen[o.Name] = true; o.Title == "" {
			add(at+".title", "required", "Give the object a title.")
		}
		if len(o.Actions) == 0 {
			add(at+".actions", "required", "Say what can be done to records: "+strings.Join(Actions(), ", ")+".")
		}
		for _, a := range o.Actions {
			if !slices.Contains(Actions(), a) {
				add(at+".actions", "not_in_enum", "An action is one of "+strings.Join(Actions(), ", ")+".")
			}
		}
		if o.Closed && len(o.Fields) == 0 {
			add(at+".fields", "required", "An object without other fields lists those that there are.")
		}
		for list, fields := range map[string][]Field{"identifiers": o.Identifiers, "fields": o.Fields} {
			known := map[string]bool{}
			for n, f := range fields {
				if !ValidField(f.Name) || known[f.Name] {
					add(fmt.Sprintf("%s.%s[%d].name", at, list, n), "bad_name", "A field's name is letters, digits, '_', '$', ':', '.', '-' and spaces, and no other field's.")
				}
				known[f.Name] = true
			}
		}
	}
	return problems
}
