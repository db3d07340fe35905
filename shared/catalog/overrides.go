package catalog

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"weir/shared/catalog/calls"
	"weir/shared/fault"
)

// typeValues is the type of the field overrides: an object of values as the calls of a
// destination have them, by the field of a body that each replaces or adds.
const typeValues Type = "values"

// overridesField is the field of destinations with Calls that changes their bodies.
const overridesField = "overrides"

// withOverrides gives a destination that says its calls itself the field overrides, unless
// it has one of that name.
func withOverrides(s Spec) Spec {
	if s.Calls == nil || s.Family != Destinations || slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Name == overridesField }) {
		return s
	}
	s.Fields = append(slices.Clip(s.Fields), Field{
		Name: overridesField, Type: typeValues, Title: "Changed fields",
		Doc: "Fields of the body of requests that are replaced or added: by a field such as custom_data.plan a value such as traits.plan.",
	})
	return s
}

// overrides checks a value of typeValues.
func (c *checker) overrides(v jsontext.Value, path string) {
	_, problems := (calls.Spec{}).With(v, path, known(c.spec))
	for _, p := range problems {
		c.add(p.Path, p.Code, p.Text)
	}
}

// Common reports whether a field is one that destinations have without saying so in their
// file, and that the engine sees to: their code never sees it.
func (f Field) Common() bool { return f.Lists && f.Type == TypeObject || f.Type == typeValues }

// Overridden returns the calls of s with what settings change in their bodies. Problems
// are none when Check found nothing in the settings.
func (s Spec) Overridden(settings []byte) (calls.Spec, []fault.Problem) {
	i := slices.IndexFunc(s.Fields, func(f Field) bool { return f.Type == typeValues })
	sent, ok := members(settings)
	if i < 0 || !ok || sent[s.Fields[i].Name] == nil {
		return *s.Calls, nil
	}
	return s.Calls.With(sent[s.Fields[i].Name], "settings."+s.Fields[i].Name, known(s))
}
