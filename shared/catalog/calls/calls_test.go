package calls_test

import (
	"strings"
	"testing"

	"weir/shared/catalog"
	"weir/shared/fault"
)

const head = `
family: destination
name: acme
title: Acme
doc: A test.
base: { any: "https://api.acme.example" }
limits: { batch: { size: 100 } }
codes: [{ name: acme_a, doc: a reason }]
secrets: [{ name: key, type: string, title: Key }]
fields:
  - { name: flag, type: boolean, title: Flag }
  - { name: words, type: strings, title: Words }
  - { name: events, type: map, title: Events }
`

// TestMistakesAreRefusedWithTheirPlace: each mistake of a file is a sentence with its
// place.
func TestMistakesAreRefusedWithTheirPlace(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, at, code string }{
		"an unknown word":            {"calls:\n  - { path: /x, bdy: {} }", "calls[0].bdy", "unknown_field"},
		"no address":                 {"calls:\n  - { body: { a: userId } }", "calls[0]", "required"},
		"no body":                    {"calls:\n  - { path: /x }", "calls[0]", "required"},
		"a body too many":            {"calls:\n  - { path: /x, format: none, body: { a: 1 } }", "calls[0]", "not_allowed"},
		"an unknown member":          {"calls:\n  - { path: /x, body: { a: propertys.a } }", "calls[0].body.a", "unknown_field"},
		"a constant without saying":  {"calls:\n  - { path: /x, body: { a: purchase } }", "calls[0].body.a", "unknown_field"},
		"an unknown setting":         {"calls:\n  - { path: /x, body: { a: \"{settings.flog}\" } }", "calls[0].body.a", "unknown_field"},
		"a secret":                   {"calls:\n  - { path: /x, body: { a: \"{secrets.key}\" } }", "calls[0].body.a", "not_allowed"},
		"an open brace":              {"calls:\n  - { path: /x, body: { a: \"{userId\" } }", "calls[0].body.a", "malformed"},
		"an empty path":              {"calls:\n  - { path: /x, body: { a: \"userId |\" } }", "calls[0].body.a", "malformed"},
		"a name that is missing":     {"calls:\n  - { path: /x, body: { a: properties..a } }", "calls[0].body.a", "malformed"},
		"an unknown conversion":      {"calls:\n  - { path: /x, body: { a: { from: userId, as: [lower, shout] } } }", "calls[0].body.a.as[1]", "not_in_enum"},
		"a word beside another":      {"calls:\n  - { path: /x, body: { a: { from: userId, to: b } } }", "calls[0].body.a.to", "unknown_field"},
		"a list that is none":        {"calls:\n  - { path: /x, body: { a: { list: userId } } }", "calls[0].body.a.list", "wrong_type"},
		"each without a body":        {"calls:\n  - { path: /x, body: { a: { each: $products } } }", "calls[0].body.a", "required"},
		"an index outside of each":   {"calls:\n  - { path: /x, body: { a: $index } }", "calls[0].body.a", "not_allowed"},
		"a name twice":               {"calls:\n  - { path: /x, body: { a: userId, a: event } }", "calls", "duplicate"},
		"a path that is none":        {"calls:\n  - { path: x, format: none }", "calls[0].path", "bad_url"},
		"a query in the path":        {"calls:\n  - { path: \"/x?a=b\", format: none }", "calls[0].path", "bad_url"},
		"an address of the event":    {"calls:\n  - { url: \"https://{userId}/\", format: none }", "calls[0].url", "bad_url"},
		"a header of the engine":     {"calls:\n  - { path: /x, headers: { authorization: userId }, format: none }", "calls[0].headers.Authorization", "not_allowed"},
		"an undeclared code":         {"calls:\n  - { drop: acme_b }", "calls[0].drop", "not_in_enum"},
		"drop and send":              {"calls:\n  - { drop: acme_a, path: /x }", "calls[0]", "not_allowed"},
		"parts without a batch":      {"calls:\n  - { path: /x, parts: [{ a: userId }] }", "calls[0].parts", "not_allowed"},
		"a wrap without its list":    {"calls:\n  - { path: /x, batch: { wrap: { a: 1 } }, body: { a: userId } }", "calls[0].batch.wrap", "required"},
		"no such type":               {"calls:\n  - { on: { type: [trak] }, drop: acme_a }", "calls[0].on.type", "not_in_enum"},
		"on of what follows":         {"calls:\n  - { path: /x, format: none, then: [{ on: { type: [track] }, path: /y, format: none }] }", "calls[0].then[0].on", "unknown_field"},
		"no expression":              {"calls:\n  - { when: { userId: { matches: \"(\" } }, drop: acme_a }", "calls[0].when.userId.matches", "bad_pattern"},
		"a setting of another type":  {"calls:\n  - { on: { event: \"{settings.flag}\" }, drop: acme_a }", "calls[0].on.event", "wrong_type"},
		"an unknown look-up":         {"calls:\n  - { path: \"/{found.x}\", format: none }", "calls[0].path", "unknown_field"},
		"a look-up without key":      {"lookups:\n  c: { path: /x, found: id }\ncalls:\n  - { drop: acme_a }", "lookups.c", "required"},
		"an answer without meaning":  {"answers:\n  - { status: 200 }", "answers[0]", "required"},
		"a 200 without a code":       {"answers:\n  - { status: 200, is: dead }", "answers[0]", "required"},
		"a dead 500":                 {"answers:\n  - { status: 5xx, is: dead, code: acme_a }", "answers[0].is", "not_allowed"},
		"items without *":            {"answers:\n  - { status: 200, items: failed, is: dead, code: acme_a }", "answers[0].items", "malformed"},
		"an id without its part":     {"answers:\n  - { status: 200, items: failed.*, id: id, is: dead, code: acme_a }", "answers[0]", "not_allowed"},
		"an event path in an answer": {"answers:\n  - { status: 200, when: { $user: a }, is: dead, code: acme_a }", "answers[0].when.$user", "not_allowed"},
		"each in a batch":            {"calls:\n  - { each: $products, path: /x, batch: true, body: { a: sku } }", "calls[0].each", "not_allowed"},
		"max without each":           {"calls:\n  - { max: 3, path: /x, format: none }", "calls[0].max", "not_allowed"},
		"each and drop":              {"calls:\n  - { each: $products, drop: acme_a }", "calls[0]", "not_allowed"},
		"an element in when":         {"calls:\n  - { each: $products, when: { sku: a }, path: /x, format: none }", "calls[0].when.sku", "unknown_field"},
		"no duration":                {"calls:\n  - { age: { max: 7w }, drop: acme_a }", "calls[0].age.max", "bad_duration"},
		"more of a thing than fits":  {"calls: &c\n  - { path: /x, body: { a: &a { constant: [1,1,1,1,1,1,1,1,1,1] }, b: &b [*a,*a] } }", "calls[0].body.b[0]", "wrong_type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := catalog.Parse([]byte(head + tc.text))
			if err == nil {
				t.Fatal("it was accepted")
			}
			for _, p := range fault.ProblemsOf(err) {
				if p.Path == tc.at && p.Code == tc.code && strings.HasSuffix(p.Text, ".") {
					return
				}
			}
			if tc.code != "duplicate" { // YAML itself refuses it
				t.Errorf("problems %+v, want one at %s with %s", fault.ProblemsOf(err), tc.at, tc.code)
			}
		})
	}
}

// TestHostileFilesAreRefused: what would take long is refused.
func TestHostileFilesAreRefused(t *testing.T) {
	t.Parallel()
	bomb := "calls:\n  - path: /x\n    body:\n      a0: &a0 { constant: [1,1,1,1,1,1,1,1,1,1] }\n"
	for i := range 9 {
		n := string(rune('0' + i))
		m := string(rune('1' + i))
		bomb += "      a" + m + ": &a" + m + " { list: [*a" + n + ",*a" + n + ",*a" + n + ",*a" + n + ",*a" + n + ",*a" + n + ",*a" + n + ",*a" + n + "] }\n"
	}
	for name, text := range map[string]string{
		"many aliases": bomb,
		"a cycle":      "calls:\n  - path: /x\n    body: &b { a: *b }\n",
		"deep":         "calls:\n  - path: /x\n    body: " + strings.Repeat("{ a: ", 200) + "userId" + strings.Repeat(" }", 200) + "\n",
	} {
		if _, err := catalog.Parse([]byte(head + text)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
}
