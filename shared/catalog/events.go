package catalog

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"weir/shared/filter"
)

// eventsField is the field of destinations that says which events they take.
const eventsField = "events"

// withEvents gives a destination the field events, with the lists allow and deny. A kind
// that has a field of this name keeps it, and the lists stand beside what it holds.
func withEvents(s Spec) Spec {
	if s.Family != Destinations {
		return s
	}
	s.Fields = slices.Clone(s.Fields)
	if i := slices.IndexFunc(s.Fields, func(f Field) bool { return f.Name == eventsField }); i >= 0 {
		s.Fields[i].Lists = true
		return s
	}
	s.Fields = append(s.Fields, Field{
		Name: eventsField, Type: TypeObject, Title: "Events that are sent", Lists: true,
		Doc: "Which events are sent, by the name that they have then; others are dropped with event_filtered.", Fields: lists(),
	})
	return s
}

// lists are the fields of events.
func lists() []Field {
	return []Field{
		{Name: "allow", Type: TypeStrings, Title: "Only these", Doc: "Names of track calls, pages and screens, which may end in *, and types of calls such as type:identify. Absent: all."},
		{Name: "deny", Type: TypeStrings, Title: "Not these", Doc: "The same; what stands here is not sent, also when it is allowed."},
	}
}

// specEvents wants a kind's own field events to be one beside which lists can stand.
func (c *checker) specEvents(s Spec) {
	for i, f := range s.Fields {
		if s.Family == Destinations && f.Name == eventsField && f.Type != TypeMap && f.Type != TypeBoolean {
			c.add(fmt.Sprintf("fields[%d].type", i), "not_allowed", "A field called events is a map or a boolean, because allow and deny stand beside it as lists of names; call it otherwise.")
		}
	}
}

// events checks a value of a field with Lists. It returns what is the kind's own; ok:
// there is something.
func (c *checker) events(f Field, v jsontext.Value, path string) (own jsontext.Value, ok bool) {
	given, own := apart(f, v)
	if given != nil {
		c.object(lists(), given, path)
		var e filter.Events
		if json.Unmarshal(given, &e) == nil {
			for _, p := range e.Check(path) {
				c.add(p.Path, p.Code, p.Text)
			}
		}
	}
	return own, own != nil
}

// apart takes a value of a field with Lists apart: the lists as an object, and what is
// the kind's own; nil for what there is not. Of an own map allow and deny are lists if
// their values are; of an own boolean any object is the lists.
func apart(f Field, v jsontext.Value) (given, own jsontext.Value) {
	if f.Type != TypeMap {
		if f.Type == TypeObject || v.Kind() == '{' {
			return v, nil
		}
		return nil, v
	}
	all, ok := members(v)
	if !ok || v.Kind() != '{' {
		return nil, v
	}
	of := map[string]jsontext.Value{}
	for _, name := range []string{"allow", "deny"} {
		if all[name].Kind() == '[' {
			of[name] = all[name]
			delete(all, name)
		}
	}
	if len(of) == 0 {
		return nil, v
	}
	given, _ = json.Marshal(of, json.Deterministic(true)) // both were read just now
	own, _ = json.Marshal(all, json.Deterministic(true))
	return given, own
}

// Events returns which events a destination takes, nil for all, and the settings without
// that, which are the kind's own. settings are those that Check found nothing in.
func (s Spec) Events(settings []byte) (names *filter.Names, own []byte) {
	i := slices.IndexFunc(s.Fields, func(f Field) bool { return f.Lists })
	sent, ok := members(settings)
	if i < 0 || !ok || sent[eventsField] == nil {
		return nil, settings
	}
	f := s.Fields[i]
	given, rest := apart(f, sent[eventsField])
	if given == nil {
		return nil, settings
	}
	var e filter.Events
	_ = json.Unmarshal(given, &e) // Check refuses what is not readable
	fields := slices.Clone(s.Fields)
	fields[i].Lists = false
	if sent[eventsField] = rest; rest == nil {
		delete(sent, eventsField)
	}
	text, _ := json.Marshal(sent, json.Deterministic(true))
	if f.Type == TypeObject {
		fields = slices.Delete(fields, i, i+1)
	}
	return e.Names(), fill(fields, text)
}
