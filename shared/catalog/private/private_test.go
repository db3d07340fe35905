package private_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir/shared/catalog"
	"weir/shared/catalog/private"
	"weir/shared/fault"
)

const crm = `family: destination
name: crm
title: CRM
doc: Ours.
base: { any: "https://{settings.tenant}.crm.example" }
fields:
  - { name: tenant, type: string, title: Tenant, pattern: "[a-z]+", required: true }
sentTo: [tenant]
secrets:
  - { name: key, type: string, title: Key }
auth:
  - { type: bearer, value: "{secrets.key}" }
calls:
  - on: { type: [track] }
    path: /events
    body: { name: event }
`

func TestASpecOfOnesOwnIsReadWithEveryMistakeAndItsLine(t *testing.T) {
	t.Parallel()
	s, err := private.Parse(crm)
	if err != nil || !s.Private || s.Name != "crm" || s.Calls == nil {
		t.Fatalf("Custom = %+v, %v", s, err)
	}
	token := `auth:
  - { type: oauth2, tokenUrl: "https://{settings.tenant}.id.example", clientId: a, clientSecret: "{secrets.key}" }`
	for name, tc := range map[string]struct {
		old, with string
		want      []string // path, line
	}{
		"several":               {"title: CRM\ndoc: Ours.", "titel: CRM\ncolour: red", []string{"titel 3", "colour 4", "title 1", "doc 1"}},
		"deep":                  {"path: /events\n    body: { name: event }", "path: events\n    body:\n      name: { from: event, as: shout }", []string{"calls[0].path 15", "calls[0].body.name.as 17"}},
		"a value of Go":         {"{ name: event }", "{ name: { go: x } }", []string{"calls 13"}},
		"no calls":              {"calls:\n  - on: { type: [track] }\n    path: /events\n    body: { name: event }\n", "", []string{"calls 1"}},
		"a source":              {"family: destination", "family: source", []string{"family 1"}},
		"a host in a header":    {"bearer, value", "header, name: host, value", []string{"auth[0].name 12"}},
		"tokens sent elsewhere": {"auth:\n  - { type: bearer, value: \"{secrets.key}\" }", strings.Replace(token, "tenant", "other", 1) + "\n", []string{"auth[0] 12"}},
		"http":                  {"https://{settings.tenant}", "http://{settings.tenant}", []string{"base.any 5"}},
		"no YAML":               {"fields:", "fields: [", []string{""}},
		"another type":          {"required: true", "required: perhaps", []string{"7"}},
		"a second document":     {"sentTo:", "---\nsentTo:", []string{""}},
	} {
		_, err := private.Parse(strings.Replace(crm, tc.old, tc.with, 1))
		got := []string{}
		for _, p := range fault.ProblemsOf(err) {
			line, _, _ := strings.Cut(strings.TrimPrefix(p.Text, "line "), ":")
			got = append(got, strings.TrimSpace(p.Path+" "+line))
		}
		for _, want := range tc.want {
			if fault.KindOf(err) != fault.Invalid || !slices.ContainsFunc(got, func(g string) bool { return strings.HasPrefix(g, want) }) {
				t.Errorf("%s: %q of %v, want %q", name, got, err, want)
			}
		}
	}
}

func TestASpecOfOnesOwnCostsLittle(t *testing.T) {
	t.Parallel()
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := range 12 {
		fmt.Fprintf(&bomb, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i+1, i+1, i, i, i, i, i, i, i, i)
	}
	for name, text := range map[string]string{
		"too long":           crm + "#" + strings.Repeat("x", private.MaxBytes),
		"aliases of aliases": crm + bomb.String() + "calls: *a12\n",
		"aliases as calls":   strings.Replace(crm, "calls:", bomb.String()+"answers: *a12\ncalls:", 1),
		"aliases as fields":  strings.Replace(bomb.String()+crm, "pattern: \"[a-z]+\"", "default: *a12", 1),
		"depth":              crm + "answers: " + strings.Repeat("[", 50_000),
		"many things":        strings.Replace(crm, "{ name: event }", "{ a: ["+strings.Repeat("x,", 60_000)+"x] }", 1),
	} {
		if _, err := private.Parse(text); fault.KindOf(err) != fault.Invalid || len(fault.ProblemsOf(err)) == 0 || len(fault.ProblemsOf(err)) > 250 {
			t.Errorf("%s: %.300v", name, err)
		}
	}
}

func TestSecretsOfOnesOwnKindAreSealedForItsAddresses(t *testing.T) {
	t.Parallel()
	settings := []byte(`{"tenant":"acme"}`)
	sent := func(text string) string {
		t.Helper()
		s, err := private.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return catalog.SentTo(s, settings)
	}
	first := sent(crm)
	if first != "custom base.any=https://%7Bsettings.tenant%7D.crm.example tenant=acme" {
		t.Errorf("SentTo = %q", first)
	}
	if again := sent(strings.Replace(strings.Replace(crm, "path: /events", "path: /other", 1), "name: crm", "name: ours", 1)); again != first {
		t.Errorf("with another path and name they are sealed for %q, want %q", again, first)
	}
	oauth := func(url string) string {
		return strings.Replace(crm, `{ type: bearer, value: "{secrets.key}" }`, `{ type: oauth2, tokenUrl: "`+url+`", clientId: a, clientSecret: "{secrets.key}" }`, 1)
	}
	seen := map[string]bool{first: true}
	for _, text := range []string{strings.Replace(crm, ".crm.example", ".evil.example", 1), oauth("https://id.example/t"), oauth("https://evil.example/t")} {
		if to := sent(text); seen[to] {
			t.Errorf("%q is where another spec sends its secrets", to)
		} else {
			seen[to] = true
		}
	}
	if s, ok := private.Find(catalog.All(), "custom", crm, catalog.Destinations); !ok || s.Name != "crm" {
		t.Errorf("Of custom = %v, %v", s.Name, ok)
	}
	if s, ok := private.Find(catalog.All(), "webhook", "", catalog.Destinations); !ok || s.Name != "webhook" {
		t.Errorf("Of webhook = %v, %v", s.Name, ok)
	}
	for kind, text := range map[string]string{"custom": "no", "none": crm} {
		if _, ok := private.Find(catalog.All(), kind, text, catalog.Destinations); ok {
			t.Errorf("%s of %q is there", kind, text)
		}
	}
}
