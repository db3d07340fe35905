package api_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestASpecOfOnesOwnIsReadAsTheCatalogueShowsKinds: its fields and secrets come back, its
// mistakes with their places, and nothing is kept.
func TestASpecOfOnesOwnIsReadAsTheCatalogueShowsKinds(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	const crm = "family: destination\nname: crm\ntitle: CRM\ndoc: Ours.\nbase: { any: \"https://crm.example\" }\n" +
		"fields:\n  - { name: team, type: string, title: Team, required: true }\nsecrets:\n  - { name: key, type: string, title: Key }\n" +
		"auth:\n  - { type: bearer, value: \"{secrets.key}\" }\ncalls:\n  - on: { type: [track] }\n    path: /events\n    body: { name: event }\n"
	read := func(family, spec string) string {
		body, err := json.Marshal(map[string]string{"family": family, "spec": spec})
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	const at = "/api/v1/catalog/custom"
	got := d.want(d.as("viewer", "POST", at, read("destination", crm)), 200)
	if got.field(t, "private") != true || got.field(t, "fields", "0", "name") != "team" || got.field(t, "secrets", "0", "name") != "key" || got.field(t, "base", "any") != "https://crm.example" {
		t.Errorf("the spec is read as %s", got.text)
	}
	wrong := d.want(d.as("viewer", "POST", at, read("destination", strings.Replace(crm, "path: /events", "way: /events", 1))), 422)
	if wrong.field(t, "problems", "0", "path") != "calls[0].way" || !strings.HasPrefix(wrong.field(t, "problems", "0", "text").(string), "line ") {
		t.Errorf("a wrong spec = %s", wrong.text)
	}
	for family, path := range map[string]string{"source": "family", "warehouse": "family", "": "family"} {
		if a := d.want(d.as("viewer", "POST", at, read(family, crm)), 422); a.field(t, "problems", "0", "path") != path {
			t.Errorf("family %q = %s", family, a.text)
		}
	}
	d.want(d.as("viewer", "POST", at, read("destination", "a: &a [*a]\n")), 422)
	d.want(d.send("POST", at, read("destination", crm)), 401)
}
