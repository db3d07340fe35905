package streams

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

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

// Each is the stream of a spec that says how those are read which entries of a setting name.
const Each = "each"

// Entry is an entry of a setting that names streams: name and value, and by other settings,
// which are maps, what stands under the same name.
type Entry map[string]string

// Of returns the spec with a stream for each entry of a setting, as Each says, in the order of
// their names; itself for the setting "". Settings that cannot be read have no entries.
func (s *Spec) Of(setting string, settings []byte) *Spec {
	if setting == "" {
		return s
	}
	var given map[string]json.RawMessage
	_ = json.Unmarshal(settings, &given) // Check refuses what is no object
	all := map[string]map[string]string{}
	for name, v := range given {
		var m map[string]string
		if json.Unmarshal(v, &m) == nil {
			all[name] = m
		}
	}
	out := *s
	out.Streams = nil
	each := s.Stream(Each)
	for _, key := range slices.Sorted(maps.Keys(all[setting])) {
		e := Entry{}
		for name, m := range all {
			e[name] = m[key]
		}
		e["name"], e["value"] = key, all[setting][key]
		x := *each
		x.Name, x.Doc, x.Entry = Named(e["name"]), e["name"], e
		if x.Name == "" || out.Stream(x.Name) != nil {
			continue
		}
		x.Key = nil
		for _, k := range each.Key {
			text, _ := Expand(k, e.value)
			if text = strings.TrimSpace(text); text == "" && x.Columns != nil {
				text = x.Columns.Number
			} else if text != k { // a field that the entry names: rows have no number, and need it
				c := *x.Columns
				c.Number, c.Require = "", append(slices.Clip(c.Require), []string{text})
				x.Columns = &c
			}
			x.Key = append(x.Key, text)
		}
		if each.Job != nil {
			job := *each.Job
			job.Entry = e
			x.Job = &job
		}
		out.Streams = append(out.Streams, x)
	}
	return &out
}

// value is what {stream.NAME} stands for.
func (e Entry) value(root, name, _ string) (string, bool) {
	v, ok := e[name]
	return v, ok && root == "stream"
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
