// Package formtest holds what a kind's form says of choices to what the kind itself refuses.
package formtest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"weir/shared/catalog/form"
	"weir/shared/fault"
)

// Kind is a kind as a form sees it.
type Kind struct {
	Form   *form.Form
	Secret func(name string) bool // whether this is the name of a secret
	// Open is what the kind says of settings and secrets; nil: it refuses nothing.
	Open func(settings []byte, secrets map[string]string) error
}

// examples are settings that are not any text.
var examples = map[string]any{"machineRole": true, "measurementId": "G-12345ABCDE", "firebaseAppId": "1:123:ios:abc"}

// Agree takes settings and secrets that are right, and fails when the form refuses them, or
// when form and kind do not refuse the same of all that may be given of a choice. Where it does
// no harm to give several, and there is something with which none is needed, the kind refuses
// nothing, and settings may lack it.
func Agree(t testing.TB, k Kind, settings []byte, secrets map[string]string) {
	t.Helper()
	problems := func(settings []byte, secrets map[string]string) []fault.Problem {
		return k.Form.Problems(settings, slices.Collect(maps.Keys(secrets)), k.Secret, "it")
	}
	lacking := slices.DeleteFunc(problems(settings, secrets), func(p fault.Problem) bool {
		_, name, _ := strings.Cut(strings.TrimPrefix(p.Path, "it."), ".")
		return p.Code == "required" && slices.ContainsFunc(k.Form.Choices, func(c form.Choice) bool {
			return c.Several && c.Unless != "" && slices.Contains(slices.Concat(c.Of...), name)
		})
	})
	if len(lacking) > 0 {
		t.Errorf("the form refuses %s with %d secrets, which is right: %v", settings, len(secrets), lacking)
	}
	if k.Form == nil || k.Open == nil {
		return
	}
	for _, c := range k.Form.Choices {
		if c.Several {
			continue
		}
		parts := slices.Concat(c.Of...)
		for chosen := range 1 << len(parts) {
			var values map[string]any
			if err := json.Unmarshal(settings, &values); err != nil {
				t.Fatal(err)
			}
			sealed := maps.Clone(secrets)
			if sealed == nil {
				sealed = map[string]string{}
			}
			for i, part := range parts {
				switch there := chosen&(1<<i) != 0; {
				case !there:
					delete(values, part)
					delete(sealed, part)
				case !k.Secret(part) && values[part] == nil:
					if values[part] = examples[part]; values[part] == nil {
						values[part] = "made-up"
					}
				case k.Secret(part) && sealed[part] == "":
					sealed[part] = "c2VjcmV0"
				}
			}
			body, err := json.Marshal(values)
			if err != nil {
				t.Fatal(err)
			}
			others := func(p fault.Problem) bool { // it is of something else than this choice
				name := p.Path[strings.LastIndex(p.Path, ".")+1:]
				return !slices.Contains(parts, name) || !slices.Contains([]string{"required", "not_allowed"}, p.Code)
			}
			refused := len(slices.DeleteFunc(fault.ProblemsOf(k.Open(body, sealed)), others)) > 0
			if found := slices.DeleteFunc(problems(body, sealed), others); refused != (len(found) > 0) {
				t.Errorf("%s with the secrets %v: the kind refuses it: %v, and the form says %v", body, slices.Sorted(maps.Keys(sealed)), refused, found)
			}
		}
	}
}
