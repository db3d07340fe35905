package draft

import (
	"bytes"
	stdjson "encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/workspace"
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
	Kind   string   `json:"kind"` // source, library, destination, connection, transformation or workspace
	Name   string   `json:"name"` // of a connection: "source -> destination"
	Was    string   `json:"was,omitempty"`
	Fields []string `json:"fields,omitempty"`
}

// compare lists what leads from former (nil: nothing) to next: the workspace,
// sources, libraries, transformations, destinations, connections; in each removed ones
// last. It is never nil.
func compare(former *workspace.Config, next workspace.Config) []Change {
	changes := []Change{}
	if former == nil {
		changes = append(changes, Change{Op: Add, Kind: "workspace", Name: next.Name})
		former = &workspace.Config{}
	} else if former.Region != next.Region {
		changes = append(changes, Change{Op: Alter, Kind: "workspace", Name: next.Name, Fields: []string{"region"}})
	}
	changes = append(changes, differ("source", sourceParts(former.Sources), sourceParts(next.Sources))...)
	changes = append(changes, differ("library", libraryParts(former.Libraries), libraryParts(next.Libraries))...)
	changes = append(changes, differ("transformation", transformationParts(former.Transformations), transformationParts(next.Transformations))...)
	changes = append(changes, differ("destination", destinationParts(former.Destinations), destinationParts(next.Destinations))...)
	return append(changes, differ("connection", connectionParts(*former), connectionParts(next))...)
}

// part is an object as the comparison sees it: what it is known by, its name,
// and its fields as text.
type part struct {
	key    string
	name   string
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
		case f.name != p.name && kind != "connection": // a connection is named by its ends
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

func sourceParts(sources []workspace.Source) []part {
	parts := make([]part, len(sources))
	for i, s := range sources {
		fields := withSettings(map[string]string{"type": s.Type, "writeKey": s.WriteKey, "disabled": truth(s.Disabled)}, s.Settings)
		parts[i] = part{string(s.ID), s.Name, withSecrets(fields, s.Secrets)}
	}
	return parts
}

func libraryParts(libraries []workspace.Library) []part {
	parts := make([]part, len(libraries))
	for i, l := range libraries {
		parts[i] = part{l.Name, l.Name, map[string]string{"language": l.Language, "code": l.Code}}
	}
	return parts
}

func transformationParts(transformations []workspace.Transformation) []part {
	parts := make([]part, len(transformations))
	for i, t := range transformations {
		fields := map[string]string{"language": t.Language, "code": t.Code}
		if t.MaxOutputs > 0 {
			fields["maxOutputs"] = strconv.Itoa(t.MaxOutputs)
		}
		parts[i] = part{string(t.ID), t.Name, fields}
	}
	return parts
}

func destinationParts(destinations []workspace.Destination) []part {
	parts := make([]part, len(destinations))
	for i, d := range destinations {
		fields := withSettings(map[string]string{"type": d.Type, "disabled": truth(d.Disabled)}, d.Settings)
		parts[i] = part{string(d.ID), d.Name, withSecrets(fields, d.Secrets)}
	}
	return parts
}

func withSecrets(fields map[string]string, refs map[string]secret.Ref) map[string]string {
	for field, ref := range refs {
		fields["secrets."+field] = text(ref)
	}
	return fields
}

func connectionParts(c workspace.Config) []part {
	sources, destinations := map[id.Source]string{}, map[id.Destination]string{}
	for _, s := range c.Sources {
		sources[s.ID] = s.Name
	}
	for _, d := range c.Destinations {
		destinations[d.ID] = d.Name
	}
	parts := make([]part, len(c.Connections))
	for i, conn := range c.Connections {
		parts[i] = part{
			key:    string(conn.Source) + " " + string(conn.Destination),
			name:   named(sources, conn.Source) + " -> " + named(destinations, conn.Destination),
			fields: map[string]string{"transformations": chain(conn.Transformations)},
		}
	}
	return parts
}

// named returns an object's name; of one that is not there, the name under
// which it was looked for.
func named[ID ~string](names map[ID]string, object ID) string {
	if name, ok := names[object]; ok {
		return name
	}
	return strings.TrimPrefix(string(object), unknown)
}

func truth(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

func text(ref secret.Ref) string {
	b, _ := stdjson.Marshal(ref) // a number and a string always encode
	return string(b)
}

func chain(ids []id.Transformation) string {
	b, _ := stdjson.Marshal(append([]id.Transformation{}, ids...)) // strings always encode
	return string(b)
}

// withSettings adds the leaves of settings to fields, under "settings.".
func withSettings(fields map[string]string, settings stdjson.RawMessage) map[string]string {
	members, ok := flatten(settings)
	if !ok {
		fields["settings"] = string(settings)
	}
	for path, value := range members {
		fields["settings."+path] = value
	}
	return fields
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
