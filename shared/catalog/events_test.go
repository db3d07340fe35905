package catalog_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir/shared/catalog"
)

// eventful is a destination with a field of its own, "" for none, called events.
func eventful(t *testing.T, own string) catalog.Spec {
	t.Helper()
	s, err := catalog.Parse([]byte("family: destination\nname: acme\ntitle: Acme\ndoc: A tool.\nfields:\n  - { name: list, type: string, title: List, default: a }\n" + own))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestDestinationsTakeEventsByName: in settings of each form, and what is left for the
// kind.
func TestDestinationsTakeEventsByName(t *testing.T) {
	t.Parallel()
	const ofMap = "  - { name: events, type: map, title: Events }\n"
	const ofBoolean = "  - { name: events, type: boolean, title: Events, default: true }\n"
	for _, tc := range []struct {
		own, settings string
		problems      string
		admits        string // of A and B
		left          string
	}{
		{"", `{}`, "", "AB", `{"list":"a"}`},
		{"", `{"events":{"allow":["A"]}}`, "", "A", `{"list":"a"}`},
		{"", `{"list":"b","events":{"deny":["A*"]}}`, "", "B", `{"list":"b"}`},
		{"", `{"events":{}}`, "", "AB", `{"list":"a"}`},
		{"", `{"events":null}`, "", "AB", `{"list":"a"}`},
		{"", `{"events":{"allow":["type:trak",""],"deni":[]}}`, "settings.events.deni unknown_field, settings.events.allow[0] bad_pattern, settings.events.allow[1] required", "", ""},
		{"", `{"events":{"allow":"A"}}`, "settings.events.allow wrong_type", "", ""},
		{"", `{"events":true}`, "settings.events malformed", "", ""},

		{ofMap, `{"events":{"Signed Up":"x"}}`, "", "AB", `{"list":"a","events":{"Signed Up":"x"}}`},
		{ofMap, `{"events":{"allow":"x","deny":"y"}}`, "", "AB", `{"list":"a","events":{"allow":"x","deny":"y"}}`},
		{ofMap, `{"events":{"allow":["A"],"deny":"y"}}`, "", "A", `{"list":"a","events":{"deny":"y"}}`},
		{ofMap, `{"events":{"S":"x","deny":["A"]}}`, "", "B", `{"list":"a","events":{"S":"x"}}`},
		{ofMap, `{"events":{"S":1,"deny":[1]}}`, "settings.events.deny[0] wrong_type, settings.events.S wrong_type", "", ""},
		{ofMap, `{"events":{"S":["A"]}}`, "settings.events.S wrong_type", "", ""},

		{ofBoolean, `{"events":false}`, "", "AB", `{"list":"a","events":false}`},
		{ofBoolean, `{"events":{"allow":["A"]}}`, "", "A", `{"list":"a","events":true}`},
		{ofBoolean, `{"events":{"send":true}}`, "settings.events.send unknown_field", "", ""},
	} {
		s := eventful(t, tc.own)
		var problems []string
		for _, p := range catalog.Check(s, []byte(tc.settings), "settings") {
			problems = append(problems, p.Path+" "+p.Code)
			if !slices.Contains(catalog.Codes(), p.Code) {
				t.Errorf("code %s is not listed", p.Code)
			}
		}
		if got := strings.Join(problems, ", "); got != tc.problems {
			t.Errorf("%s: problems %q, want %q", tc.settings, got, tc.problems)
		}
		if tc.problems != "" {
			continue
		}
		names, left := s.Events(catalog.Fill(s, []byte(tc.settings)))
		admits := ""
		for _, name := range []string{"A", "B"} {
			if names.Admits("track", name) {
				admits += name
			}
		}
		if admits != tc.admits || string(left) != tc.left {
			t.Errorf("%s: admits %q and leaves %s, want %q and %s", tc.settings, admits, left, tc.admits, tc.left)
		}
	}
	if _, err := catalog.Parse([]byte("family: destination\nname: acme\ntitle: Acme\ndoc: A tool.\nfields: [{ name: events, type: strings, title: Events }]\n")); err == nil {
		t.Error("a kind whose events are a list of its own was taken")
	}
}

func TestTheSchemaOfSettingsHasTheListsOfEvents(t *testing.T) {
	t.Parallel()
	for own, want := range map[string]string{
		"": `map[allow:map[description:Names of track calls, pages and screens, which may end in *, and types of calls such as type:identify. Absent: all. items:map[type:string] title:Only these type:array]`,
		"  - { name: events, type: map, title: Events }\n":     `additionalProperties:map[type:string] properties:map[allow:map[anyOf:[map[type:string]`,
		"  - { name: events, type: boolean, title: Events }\n": `map[anyOf:[map[type:boolean] map[additionalProperties:false`,
	} {
		var schema struct{ Properties map[string]any }
		if err := json.Unmarshal(catalog.JSONSchema(eventful(t, own)), &schema); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(schema.Properties["events"]); !strings.Contains(got, want) {
			t.Errorf("with %q the schema is %s, want in it %s", own, got, want)
		}
	}
}
