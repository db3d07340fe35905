package draft

import (
	"crypto/sha256"
	stdjson "encoding/json"
	"fmt"

	"weir/shared/workspace"
	"weir/shared/workspace/document"
)

// side is what differs of a configuration, before or after a commit: by kind, then by what
// objects are known by, their names and the fields that differ.
type side map[string]map[string]map[string]any

// sides returns what differs between former (nil: nothing) and next, for the audit log.
// Secrets are the fingerprints that a configuration holds; write keys, and what is long,
// are digests.
func sides(former *workspace.Config, next workspace.Config) (before, after side) {
	before, after = side{}, side{}
	if former == nil {
		former = &workspace.Config{}
	}
	were, are := namesOf(*former), namesOf(next)
	for _, k := range document.Kinds() {
		was := map[string]part{}
		for _, p := range partsOf(listOf(former, k), were) {
			was[p.key] = p
		}
		for _, p := range partsOf(listOf(&next, k), are) {
			f, there := was[p.key]
			delete(was, p.key)
			fields := changed(f.fields, p.fields)
			if there && len(fields) == 0 && f.name == p.name {
				continue
			}
			if there {
				before.add(k.Name, f, fields)
			}
			after.add(k.Name, p, fields)
		}
		for _, f := range was {
			before.add(k.Name, f, changed(f.fields, nil))
		}
	}
	return before, after
}

// add puts an object's fields of these names into s.
func (s side) add(kind string, p part, fields []string) {
	shown := map[string]any{"name": p.name} // no field is called so
	for _, name := range fields {
		if value, ok := p.fields[name]; ok {
			shown[name] = shownValue(name, value)
		}
	}
	if s[kind] == nil {
		s[kind] = map[string]map[string]any{}
	}
	s[kind][p.key] = shown
}

// longestValue is how long a field's value may be in the audit log, in bytes.
const longestValue = 300

// shownValue is a field's value, JSON, as the audit log shows it.
func shownValue(name, value string) any {
	if name == "writeKey" || len(value) > longestValue {
		return fmt.Sprintf("sha256:%x, %d bytes", sha256.Sum256([]byte(value)), len(value))
	}
	return stdjson.RawMessage(value)
}
