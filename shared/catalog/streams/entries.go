package streams

import (
	"fmt"
	"maps"
	"slices"

	"weir/shared/catalog/streams/word"
	"weir/shared/fault"
)

// InEntries returns the streams that entries of a setting name, in the order of their keys.
// The name of one is Named of the entry's key; its cursor is the entry's value.
func InEntries(entries map[string]string) []Outline {
	var all []Outline
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		of := Outline{Name: Named(key), Doc: key, Key: []string{}, Cursor: entries[key], Deletes: word.Unseen}
		if !slices.ContainsFunc(all, func(x Outline) bool { return x.Name == of.Name }) {
			all = append(all, of)
		}
	}
	return all
}

// maxEntries is how many streams settings name.
const maxEntries = 500

// CheckEntries lists what is wrong with entries that name streams; path is the setting's.
func CheckEntries(entries map[string]string, path string) (problems []fault.Problem) {
	add := func(at, code, text string) {
		problems = append(problems, fault.Problem{Path: at, Code: code, Text: text})
	}
	if len(entries) == 0 {
		add(path, "required", "Name one at least.")
	}
	if len(entries) > maxEntries {
		add(path, "too_many", fmt.Sprintf("There are %d of these at most; make several sources.", maxEntries))
		return problems
	}
	names := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		name := Named(key)
		switch {
		case name == "":
			add(path+"."+key, "bad_name", "A stream's name begins with a letter, of a to z, and has at most 63 characters.")
		case names[name] != "":
			add(path+"."+key, "duplicate_name", "The rows of "+names[name]+" go to the stream "+name+" too.")
		}
		names[name] = key
	}
	return problems
}
