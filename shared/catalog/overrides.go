package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"weir/shared/catalog/calls"
	"weir/shared/fault"
)

// typeValues is the type of the field overrides: an object of values as the calls of a
// destination have them, by the field of a body that each replaces or adds.
const typeValues Type = "values"

// overridesField is the field of destinations that changes the bodies of their requests.
const overridesField = "overrides"

// specOverrides wants what a spec says of overrides to be about its own fields.
func (c *checker) specOverrides(s Spec) {
	if s.Overrides == nil {
		return
	}
	if s.Family != Destinations {
		c.add("overrides", "not_allowed", "Only destinations have overrides.")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Overrides.Only)) {
		i := slices.IndexFunc(s.Fields, func(f Field) bool { return f.Name == name && f.Type == TypeEnum })
		for _, value := range s.Overrides.Only[name] {
			if i < 0 || !slices.Contains(s.Fields[i].Enum, value) {
				c.add("overrides.only."+name, "not_in_enum", "Name a field that is an enum, and its values with which there is a body that has fields.")
			}
		}
	}
}

// withOverrides gives a destination the field overrides, unless it has one of that name.
func withOverrides(s Spec) Spec {
	if s.Family != Destinations || slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Name == overridesField }) {
		return s
	}
	s.Fields = append(slices.Clip(s.Fields), Field{
		Name: overridesField, Type: typeValues, Title: "Changed fields",
		Doc: "Fields of the body of requests that are replaced or added: by a field such as custom_data.plan a value such as traits.plan.",
	})
	return s
}

// reached refuses overrides where other settings leave no body that has fields.
func (c *checker) reached(settings []byte, path string) {
	sent, _ := members(settings)
	if c.spec.Overrides == nil || sent[overridesField] == nil {
		return
	}
	filled := Fill(c.spec, settings)
	for _, name := range slices.Sorted(maps.Keys(c.spec.Overrides.Only)) {
		if only := c.spec.Overrides.Only[name]; !slices.Contains(only, setting(filled, name)) {
			c.add(join(path, overridesField), "not_allowed", fmt.Sprintf("There are fields to replace only where %s is %s.", name, strings.Join(only, " or ")))
		}
	}
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

// Changes gives each what settings change in the bodies of a destination without Calls.
// Problems are none when Check found nothing in the settings.
func (s Spec) Changes(settings []byte, each func(field []string, when calls.Condition, v *calls.Value)) []fault.Problem {
	sent, ok := members(settings)
	if s.Calls != nil || !ok || sent[overridesField] == nil || !slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Type == typeValues }) {
		return nil
	}
	return calls.Spec{}.Changes(sent[overridesField], "settings."+overridesField, known(s), each)
}
