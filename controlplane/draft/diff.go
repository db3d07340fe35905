package draft

import (
	"bytes"
	stdjson "encoding/json"
	"maps"
	"reflect"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"weir/shared/workspace"
	"weir/shared/workspace/document"
)

// Op is what happens to an object.
type Op string

// The operations. A renamed object that changes otherwise too is one Rename
// with Fields.
const (
	Add    Op = "add"
	Alter  Op = "change"
	Remove Op = "remove"
	Rename Op = "rename"
)

// Change is one line of a difference. Fields are paths inside the object, such
// as "settings.url"; values are never shown.
type Change struct {
	Op     Op       `json:"op"`
	Kind   string   `json:"kind"` // workspace, or the name of a document.Kind
	Name   string   `json:"name"` // of a connection: "source -> destination"
	Was    string   `json:"was,omitempty"`
	Fields []string `json:"fields,omitempty"`
}

// compare lists what leads from former (nil: nothing) to next: the workspace, then the
// kinds in their order; in each removed ones last. It is never nil.
func compare(former *workspace.Config, next workspace.Config) []Change {
	changes := []Change{}
	if former == nil {
		changes = append(changes, Change{Op: Add, Kind: "workspace", Name: next.Name})
		former = &workspace.Config{}
	} else if former.Region != next.Region {
		changes = append(changes, Change{Op: Alter, Kind: "workspace", Name: next.Name, Fields: []string{"region"}})
	}
	were, are := namesOf(*former), namesOf(next)
	for _, k := range document.Kinds() {
		changes = append(changes, differ(k.Name, partsOf(listOf(former, k), were), partsOf(listOf(&next, k), are))...)
	}
	return changes
}

// part is an object as the comparison sees it: what it is known by, what it is called
// and whether that is a name of its own, and its fields as text.
type part struct {
	key    string
	name   string
	named  bool
	fields map[string]string
}

func differ(kind string, former, next []part) []Change {
	was := make(map[string]part, len(former))
	for _, p := range former {
		was[p.key] = p
	}
	var changes []Change
	for _, p := range next {
		f, there := was[p.key]
		delete(was, p.key)
		fields := changed(f.fields, p.fields)
		switch {
		case !there:
			changes = append(changes, Change{Op: Add, Kind: kind, Name: p.name})
		case f.name != p.name && p.named:
			changes = append(changes, Change{Op: Rename, Kind: kind, Name: p.name, Was: f.name, Fields: fields})
		case len(fields) > 0:
			changes = append(changes, Change{Op: Alter, Kind: kind, Name: p.name, Fields: fields})
		}
	}
	for _, p := range former {
		if _, left := was[p.key]; left {
			delete(was, p.key)
			changes = append(changes, Change{Op: Remove, Kind: kind, Name: p.name})
		}
	}
	return changes
}

// changed lists the fields that differ, sorted.
func changed(former, next map[string]string) []string {
	var fields []string
	for name, value := range next {
		if was, there := former[name]; !there || was != value {
			fields = append(fields, name)
		}
	}
	for name := range former {
		if _, there := next[name]; !there {
			fields = append(fields, name)
		}
	}
	slices.Sort(fields)
	return fields
}

// partsOf returns the objects of a list; names are those of the configuration.
func partsOf(list reflect.Value, names table) []part {
	if list.Len() == 0 {
		return nil // without looking at what the kind declares
	}
	parts, declared := make([]part, list.Len()), document.Fields(list.Type().Elem())
	for i := range parts {
		object, fields := list.Index(i), map[string]string{}
		for _, f := range declared {
			if f.Name != "id" && f.Name != "name" {
				leaves(fields, f.Name, object.FieldByIndex(f.Index))
			}
		}
		parts[i] = part{keyOf(object), called(object, names), object.FieldByName("Name").IsValid(), fields}
	}
	return parts
}

// leaves adds a value to fields as JSON: of an object each leaf by its dotted path, of
// secrets each one, and everything else whole.
func leaves(fields map[string]string, path string, value reflect.Value) {
	depth := 0
	switch value.Kind() {
	case reflect.Slice, reflect.Map:
		if value.Len() == 0 {
			return // the empty list and the absent one are the same
		}
		if value.Kind() == reflect.Map {
			depth = deepest
		}
	case reflect.Pointer:
		if value.IsNil() {
			return
		}
	}
	text, _ := stdjson.Marshal(value.Interface()) // it was read from JSON
	if k := value.Kind(); k == reflect.String || k == reflect.Bool {
		fields[path] = string(text)
		return
	}
	if !flattenInto(fields, path, text, depth) {
		fields[path] = string(text)
	}
}

// deepest is how many objects deep flatten looks; what lies deeper is one leaf.
const deepest = 4

// flatten returns the leaves of a JSON object by their dotted path, each as
// compact JSON. ok is false when settings is not an object.
func flatten(settings stdjson.RawMessage) (leaves map[string]string, ok bool) {
	leaves = map[string]string{}
	if len(bytes.TrimSpace(settings)) == 0 {
		return leaves, true
	}
	ok = flattenInto(leaves, "", jsontext.Value(settings), 0)
	return leaves, ok
}

func flattenInto(leaves map[string]string, path string, object jsontext.Value, depth int) bool {
	var members map[string]jsontext.Value
	if object.Kind() != '{' || json.Unmarshal(object, &members) != nil {
		return false
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value := members[name]
		at := name
		if path != "" {
			at = path + "." + name
		}
		if value.Kind() == '{' && depth < deepest {
			before := len(leaves)
			if flattenInto(leaves, at, value, depth+1) && len(leaves) > before {
				continue
			}
		}
		_ = value.Compact() // it was parsed just now
		leaves[at] = string(value)
	}
	return true
}
