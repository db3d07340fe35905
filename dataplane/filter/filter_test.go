package filter_test

import (
	"strings"
	"testing"

	"weir/dataplane/event"
	"weir/dataplane/filter"
	rules "weir/shared/filter"
)

// parsed returns an event as the gateway makes it.
func parsed(t testing.TB, text string) *event.Event {
	t.Helper()
	var p event.Parser
	p.Begin(event.Stamp{}, nil, len(text), 1)
	e, code := p.Event([]byte(text))
	if code != "" {
		t.Fatalf("%s: %s", text, code)
	}
	return &e
}

func compiled(t testing.TB, r rules.Rules) *filter.Filter {
	t.Helper()
	f, problem := filter.New(r, &rules.Compiler{})
	if problem != nil {
		t.Fatal(problem)
	}
	return f
}

func TestRulesDecideWhichEventsGoOn(t *testing.T) {
	t.Parallel()
	names := func(allow, deny string) rules.Rules {
		split := func(s string) []string {
			if s == "" {
				return nil
			}
			return strings.Split(s, ",")
		}
		return rules.Rules{Events: &rules.Events{Allow: split(allow), Deny: split(deny)}}
	}
	ads := rules.Rules{Consent: &rules.Consent{Categories: []string{"ads"}}}
	expression := func(text string) rules.Rules { return rules.Rules{Filter: text} }
	for _, tc := range []struct {
		rules rules.Rules
		event string
		want  string
	}{
		{names("A", ""), `{"type":"track","event":"A","userId":"u"}`, ""},
		{names("A", ""), `{"type":"track","event":"B","userId":"u"}`, "event_filtered"},
		{names("é", ""), `{"type":"track","event":"\u00e9","userId":"u"}`, ""},
		{names("Home", ""), `{"type":"page","name":"Home","userId":"u"}`, ""},
		{names("Home", ""), `{"type":"screen","name":"Out","userId":"u"}`, "event_filtered"},
		{names("Home", ""), `{"type":"identify","name":"Home","userId":"u"}`, "event_filtered"},
		{names("type:identify", ""), `{"type":"identify","userId":"u"}`, ""},
		{names("", "B*"), `{"type":"track","event":"Bc","userId":"u"}`, "event_filtered"},
		{names("", "B*"), `{"type":"track","userId":"u"}`, ""},

		{ads, `{"type":"track","event":"A","userId":"u"}`, ""},
		{ads, `{"type":"track","event":"A","userId":"u","context":{"consent":{}}}`, ""},
		{ads, `{"type":"track","event":"A","userId":"u","context":{"consentManagement":{"provider":"x"}}}`, ""},
		{ads, `{"type":"track","event":"A","userId":"u","context":{"consent":{"categoryPreferences":{}}}}`, "consent_missing"},
		{ads, `{"type":"track","event":"A","userId":"u","context":{"consent":{"categoryPreferences":{"ads":true}}}}`, ""},
		{ads, `{"type":"track","event":"A","userId":"u","context":{"consent":{"categoryPreferences":{"ads":"true"}}}}`, "consent_missing"},
		{ads, `{"type":"track","event":"A","userId":"u","context":{"consent":{"categoryPreferences":{"ads":false}}}}`, "consent_missing"},
		{ads, `{"type":"track","event":"A","userId":"u","context":{"consentManagement":{"allowedConsentIds":["ads"],"deniedConsentIds":["x",1]}}}`, ""},
		{ads, `{"type":"track","event":"A","userId":"u","context":{"consentManagement":{"allowedConsentIds":[]}}}`, "consent_missing"},
		{ads, `{"type":"track","event":"A","userId":"u","context":{"consentManagement":{"deniedConsentIds":["ads"]}}}`, "consent_missing"},
		{ads, `{"type":"track","event":"A","userId":"u","context":{"consentManagement":{"deniedConsentIds":["x"]}}}`, ""},

		{expression(`event.properties.n > 2`), `{"type":"track","event":"A","userId":"u","properties":{"n":3}}`, ""},
		{expression(`event.properties.n > 2`), `{"type":"track","event":"A","userId":"u","properties":{"n":1}}`, "event_filtered"},
		{expression(`event.properties.n > 2`), `{"type":"track","event":"A","userId":"u"}`, "event_filtered"},
		{expression(`!(event.properties.n > 2)`), `{"type":"track","event":"A","userId":"u","properties":{}}`, "event_filtered"},
		{expression(`event.properties.n > 2`), `{"type":"track","event":"A","userId":"u","properties":{"n":"no such key: "}}`, "filter_failed"},
		{expression(`event.properties.n > 2 || event.userId == "u"`), `{"type":"track","event":"A","userId":"u"}`, ""},
		{expression(`event.?properties.n.orValue(9) > 2`), `{"type":"track","event":"A","userId":"u"}`, ""},
		{expression(`event.userId == "u" && size(event) > 2`), `{"type":"track","event":"A","userId":"u"}`, ""},

		{rules.Rules{Events: &rules.Events{Allow: []string{"A"}}, Filter: `event.x.y == 1`}, `{"type":"track","event":"B","userId":"u"}`, "event_filtered"},
		{rules.Rules{Events: &rules.Events{Allow: []string{"A"}}, Consent: ads.Consent}, `{"type":"track","event":"A","userId":"u","context":{"consent":{"categoryPreferences":{}}}}`, "consent_missing"},
	} {
		var v filter.View
		if got := compiled(t, tc.rules).Judge(v.Of(parsed(t, tc.event))); got != tc.want {
			t.Errorf("%+v of %s: %q, want %q", tc.rules, tc.event, got, tc.want)
		}
	}
	if compiled(t, rules.Rules{Events: &rules.Events{}}) != nil {
		t.Error("rules that take every event make a filter")
	}
}

// TestAViewServesManyFilters: what one filter has read does not change what the next says.
func TestAViewServesManyFilters(t *testing.T) {
	t.Parallel()
	e := parsed(t, `{"type":"track","event":"A","userId":"u","properties":{"n":3},"context":{"ip":"1"}}`)
	var v filter.View
	for _, text := range []string{`event.properties.n == 3`, `has(event.context.ip)`, `event.all(k, k != "")`, `!has(event.traits)`, `event.event == "A"`} {
		if got := compiled(t, rules.Rules{Filter: text}).Judge(v.Of(e)); got != "" {
			t.Errorf("%s: %q", text, got)
		}
	}
	other := parsed(t, `{"type":"track","event":"B","userId":"u"}`)
	if got := compiled(t, rules.Rules{Filter: `event.event == "B" && !has(event.context)`}).Judge(v.Of(other)); got != "" {
		t.Errorf("the view of another event: %q", got)
	}
}

// FuzzJudge: no event and no rule of these stops the plane.
func FuzzJudge(f *testing.F) {
	f.Add(`event.properties.n > 2`, `{"type":"track","event":"A","userId":"u","context":{"consent":{"categoryPreferences":{"ads":1}},"consentManagement":{"allowedConsentIds":{}}}}`)
	f.Fuzz(func(t *testing.T, expression, text string) {
		var p event.Parser
		p.Begin(event.Stamp{}, nil, len(text), 1)
		e, code := p.Event([]byte(text))
		if code != "" {
			return
		}
		made, problem := filter.New(rules.Rules{Events: &rules.Events{Deny: []string{"B*"}}, Filter: expression, Consent: &rules.Consent{Categories: []string{"ads"}}}, &rules.Compiler{})
		if problem != nil {
			return
		}
		var v filter.View
		made.Judge(v.Of(&e))
	})
}

func BenchmarkNames(b *testing.B) {
	f := compiled(b, rules.Rules{Events: &rules.Events{Allow: []string{"Order Completed"}}})
	e := parsed(b, `{"type":"track","anonymousId":"a","context":{"page":{"url":"https://example.com/x"},"locale":"en"},"event":"Order Completed","userId":"u","properties":{"n":3}}`)
	b.ReportAllocs()
	for b.Loop() {
		var v filter.View
		if f.Judge(v.Of(e)) != "" {
			b.Fatal("filtered")
		}
	}
}
