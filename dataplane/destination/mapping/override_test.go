package mapping_test

import (
	"slices"
	"strings"
	"testing"

	"weir/dataplane/destination/mapping"
	"weir/shared/catalog"
	"weir/shared/fault"
	"weir/shared/secret"
)

// TestOverrides: fields of bodies that settings replace and add.
func TestOverrides(t *testing.T) {
	t.Parallel()
	const one = `calls:
  - on: { type: [track] }
    path: /x
    body: { a: event, o: { b: userId, c: { constant: 1 } }, copied: context.page, items: { each: $products, body: { id: product_id | sku } }, some: { from: context.locale, when: { settings.flag: true } } }
    then: [{ path: /then, body: { n: event } }]
`
	for name, tc := range map[string]struct{ lines, overrides, want string }{
		"nothing":               {one, `{}`, `{"a":"Completed Order","o":{"b":"ada","c":1},"copied":{"url":"https://shop.example/a?b=c"},"items":[{"id":"p1"},{"id":"s2"}]}`},
		"replaced in place":     {one, `{"a":"context.traits.plan","o.b":{"constant":[1]}}`, `{"a":"pro","o":{"b":[1],"c":1},"copied":{"url":"https://shop.example/a?b=c"},"items":[{"id":"p1"},{"id":"s2"}]}`},
		"added":                 {one, `{"z":"{userId}!","o.d.e":2,"n.m":true}`, `{"a":"Completed Order","o":{"b":"ada","c":1,"d":{"e":2}},"copied":{"url":"https://shop.example/a?b=c"},"items":[{"id":"p1"},{"id":"s2"}],"n":{"m":true},"z":"ada!"}`},
		"left out":              {one, `{"a":"properties.none","copied":"properties.none","items":"properties.none"}`, `{"o":{"b":"ada","c":1}}`},
		"beside what is copied": {one, `{"copied.plan":"$trait.plan","copied.url":{"constant":"u"}}`, `{"a":"Completed Order","o":{"b":"ada","c":1},"copied":{"plan":"pro","url":"u"},"items":[{"id":"p1"},{"id":"s2"}]}`},
		"in each element":       {one, `{"items.by":"userId","items.total":{"from":"properties.total","as":"number"},"items.first":"properties.products.0.name"}`, `{"a":"Completed Order","o":{"b":"ada","c":1},"copied":{"url":"https://shop.example/a?b=c"},"items":[{"id":"p1","by":"ada","first":"One","total":30.5},{"id":"s2","by":"ada","first":"One","total":30.5}]}`},
		"while a condition holds": {one, `{"a":{"when":{"event":"Order Completed"},"value":{"constant":"yes"}},"o.b":{"when":{"type":"page"},"value":{"constant":"no"}},"z":{"when":{"type":["track"]},"value":1},"y":{"when":{"type":"page"},"value":1}}`,
			`{"a":"yes","o":{"b":"ada","c":1},"copied":{"url":"https://shop.example/a?b=c"},"items":[{"id":"p1"},{"id":"s2"}],"z":1}`},
		"an object and within": {one, `{"o":{"constant":{"k":1}},"o.b":"userId","a.b":1}`, `{"a":{"b":1},"o":{"k":1,"b":"ada"},"copied":{"url":"https://shop.example/a?b=c"},"items":[{"id":"p1"},{"id":"s2"}]}`},
		"a condition of a setting": {one, `{"a":{"when":{"settings.flag":true},"value":{"constant":"yes"}},"o.c":{"when":{"settings.word":"w"},"value":"settings.word"}}`,
			`{"a":"Completed Order","o":{"b":"ada","c":"w"},"copied":{"url":"https://shop.example/a?b=c"},"items":[{"id":"p1"},{"id":"s2"}]}`},
		"a body that is copied": {"calls: [{ path: /x, body: context.page }]\n", `{"plan":{"constant":"p"}}`, `{"url":"https://shop.example/a?b=c","plan":"p"}`},
		"parts of a batch": {`calls:
  - { path: /x, batch: { wrap: { l: "{items}" } }, parts: [{ u: userId }, { each: $products, body: { id: product_id | sku } }, { object: { n: event }, when: { type: page } }] }
`, `{"v":"context.locale"}`, `{"l":[{"u":"ada","v":"en-GB"},{"id":"p1","v":"en-GB"},{"id":"s2","v":"en-GB"}]}`},
	} {
		d := open(t, tc.lines, `{"word":"w","overrides":`+tc.overrides+`}`)
		reqs, verdicts := d.Build(batchOf(order))
		if len(reqs) != 1 || len(verdicts) != 0 {
			t.Errorf("%s: %d requests, %v", name, len(reqs), verdicts)
			continue
		}
		if got := string(reqs[0].Body); got != tc.want {
			t.Errorf("%s:\n%s, want\n%s", name, got, tc.want)
		}
	}
	d := open(t, one, `{"overrides":{"n":{"constant":"changed"}}}`)
	b := batchOf(order)
	b.Stage = 1
	if reqs, _ := d.Build(b); len(reqs) != 1 || string(reqs[0].Body) != `{"n":"changed"}` {
		t.Errorf("a request that follows: %s", lines(reqs, nil))
	}
}

// TestOverridesAreChecked: with their places, where settings are checked, and where they
// are opened.
func TestOverridesAreChecked(t *testing.T) {
	t.Parallel()
	const calls = "lookups: { c: { key: userId, path: /c, found: id } }\ncalls: [{ path: /x, body: { a: event } }]\n"
	spec, err := catalog.Parse([]byte(head + calls))
	if err != nil {
		t.Fatal(err)
	}
	deep := strings.Repeat(`{"a":`, 60) + `1` + strings.Repeat(`}`, 60)
	many := `{"a0":1`
	for range 100 {
		many += `,"a` + strings.Repeat("x", len(many)%97) + `":1`
	}
	for overrides, want := range map[string]string{
		`{"a":"secrets.key"}`:                "settings.overrides.a not_allowed",
		`{"a":"{secrets.key}"}`:              "settings.overrides.a not_allowed",
		`{"a":"found.c"}`:                    "settings.overrides.a unknown_field",
		`{"a":{"go":"x"}}`:                   "settings.overrides.a not_allowed",
		`{"a":"nonsense"}`:                   "settings.overrides.a unknown_field",
		`{"a":"settings.none"}`:              "settings.overrides.a unknown_field",
		`{"a":{"from":"event","az":1}}`:      "settings.overrides.a.az unknown_field",
		`{"a":{"from":"event","as":"loud"}}`: "settings.overrides.a.as not_in_enum",
		`{"a":{"when":{"x":1},"value":1}}`:   "settings.overrides.a.when.x unknown_field",
		`{"a":{"when":{},"value":"{event"}}`: "settings.overrides.a.value malformed",
		`{"a":null}`:                         "settings.overrides.a required",
		`{"":1}`:                             "settings.overrides. bad_pattern",
		`{"a..b":1}`:                         "settings.overrides.a..b bad_pattern",
		`{"a.b.c.d.e.f.g.h.i.j.k":1}`:        "settings.overrides.a.b.c.d.e.f.g.h.i.j.k bad_pattern",
		`"x"`:                                "settings.overrides wrong_type",
		`[1]`:                                "settings.overrides wrong_type",
		`{"a":` + deep + `}`:                 "too_large",
	} {
		settings := `{"overrides":` + overrides + `}`
		problems := catalog.Check(spec, []byte(settings), "settings")
		var got []string
		for _, p := range problems {
			got = append(got, p.Path+" "+p.Code)
			if !slices.Contains(catalog.Codes(), p.Code) {
				t.Errorf("code %s is not listed", p.Code)
			}
		}
		if len(got) == 0 || !strings.HasSuffix(got[0], want) {
			t.Errorf("%s: %q, want %s", overrides, got, want)
		}
		if _, err := mapping.Define([]byte(head+calls))().Open([]byte(settings), map[string]secret.String{"key": secret.NewString("k")}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: opened with %v", overrides, err)
		}
	}
	if problems := catalog.Check(spec, []byte(`{"overrides":`+many+`}}`), "settings"); len(problems) == 0 {
		t.Error("a hundred and one fields were taken")
	}
}
