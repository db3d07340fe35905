package filter_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"weir/shared/filter"
)

func TestNamesAdmitWhatIsAllowedAndNotDenied(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		events    filter.Events
		typ, name string
		want      bool
	}{
		{filter.Events{}, "track", "A", true},
		{filter.Events{Allow: []string{"A"}}, "track", "A", true},
		{filter.Events{Allow: []string{"A"}}, "track", "a", false},
		{filter.Events{Allow: []string{"A"}}, "track", "AB", false},
		{filter.Events{Allow: []string{"A"}}, "page", "A", true},
		{filter.Events{Allow: []string{"A"}}, "identify", "", false},
		{filter.Events{Allow: []string{"A", "type:identify"}}, "identify", "", true},
		{filter.Events{Allow: []string{"Order *"}}, "track", "Order Completed", true},
		{filter.Events{Allow: []string{"Order *"}}, "track", "Order", false},
		{filter.Events{Allow: []string{"*"}}, "track", "x", true},
		{filter.Events{Allow: []string{"*"}}, "identify", "", false},
		{filter.Events{Allow: []string{"*"}, Deny: []string{"Order *"}}, "track", "Order Completed", false},
		{filter.Events{Allow: []string{"A"}, Deny: []string{"A"}}, "track", "A", false},
		{filter.Events{Allow: []string{"type:track"}, Deny: []string{"A"}}, "track", "A", false},
		{filter.Events{Deny: []string{"type:page"}}, "page", "Home", false},
		{filter.Events{Deny: []string{"type:page"}}, "track", "Home", true},
		{filter.Events{Deny: []string{"A"}}, "identify", "", true},
	} {
		if got := tc.events.Names().Admits(tc.typ, tc.name); got != tc.want {
			t.Errorf("%+v admits %s %q: %v, want %v", tc.events, tc.typ, tc.name, got, tc.want)
		}
	}
}

// TestNamesAgreeWithAPlainReading compares compiled lists with entries read one by one.
func TestNamesAgreeWithAPlainReading(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	word := func() string {
		b := make([]byte, r.IntN(5))
		for i := range b {
			b[i] = "abé"[r.IntN(4)]
		}
		return string(b)
	}
	kinds := []string{"track", "page", "identify"}
	plain := func(list []string, typ, name string) bool {
		return slices.ContainsFunc(list, func(entry string) bool {
			start, wild := strings.CutSuffix(entry, "*")
			return entry == "type:"+typ || name != "" && (entry == name || wild && strings.HasPrefix(name, start))
		})
	}
	for range 5_000 {
		var lists [2][]string
		for i := range lists {
			for range r.IntN(6) {
				entry := word()
				switch r.IntN(4) {
				case 0:
					entry = "type:" + kinds[r.IntN(3)]
				case 1, 2:
					entry += "*"
				}
				lists[i] = append(lists[i], entry)
			}
		}
		n := filter.Events{Allow: lists[0], Deny: lists[1]}.Names()
		typ, name := kinds[r.IntN(3)], word()
		want := !plain(lists[1], typ, name) && (len(lists[0]) == 0 || plain(lists[0], typ, name))
		if got := n.Admits(typ, name); got != want {
			t.Fatalf("seed %d: allow %q deny %q: %s %q: %v, want %v", seed, lists[0], lists[1], typ, name, got, want)
		}
	}
}

func TestNamesAreLookedUpWithoutAllocation(t *testing.T) {
	n := filter.Events{Allow: []string{"A", "Order *", "Orde*"}, Deny: []string{"type:page"}}.Names()
	if allocs := testing.AllocsPerRun(100, func() { n.Admits("track", "Order Completed") }); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestRulesAreChecked(t *testing.T) {
	t.Parallel()
	many := make([]string, 1001)
	for i := range many {
		many[i] = fmt.Sprint("x", i)
	}
	for name, tc := range map[string]struct {
		rules filter.Rules
		want  []string
	}{
		"nothing":            {filter.Rules{}, nil},
		"all good":           {filter.Rules{Events: &filter.Events{Allow: []string{"A*", "type:track"}}, Filter: `event.type == "track"`, Consent: &filter.Consent{Categories: []string{"ads"}, Require: "any"}}, nil},
		"entries":            {filter.Rules{Events: &filter.Events{Allow: []string{"", "a*b", "**"}, Deny: []string{"type:trak"}}}, []string{"c.events.allow[0] required", "c.events.allow[1] bad_pattern", "c.events.allow[2] bad_pattern", "c.events.deny[0] bad_pattern"}},
		"too many":           {filter.Rules{Events: &filter.Events{Allow: many}}, []string{"c.events.allow too_many"}},
		"a long name":        {filter.Rules{Events: &filter.Events{Deny: []string{strings.Repeat("x", 513)}}}, []string{"c.events.deny[0] too_large"}},
		"no category":        {filter.Rules{Consent: &filter.Consent{}}, []string{"c.consent.categories required"}},
		"odd consent":        {filter.Rules{Consent: &filter.Consent{Categories: []string{"a", "a", ""}, Require: "some"}}, []string{"c.consent.categories[1] duplicate_name", "c.consent.categories[2] required", "c.consent.require not_in_enum"}},
		"no expression":      {filter.Rules{Filter: "event.type =="}, []string{"c.filter bad_expression"}},
		"unknown variable":   {filter.Rules{Filter: `name == "x"`}, []string{"c.filter bad_expression"}},
		"no truth":           {filter.Rules{Filter: `1 + 1`}, []string{"c.filter bad_expression"}},
		"a macro of lists":   {filter.Rules{Filter: `event.list.map(x, x).size() > 1`}, []string{"c.filter bad_expression"}},
		"a long expression":  {filter.Rules{Filter: `event.type == "` + strings.Repeat("x", 4096) + `"`}, []string{"c.filter too_large"}},
		"a deep expression":  {filter.Rules{Filter: strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200)}, []string{"c.filter bad_expression"}},
		"deep selections":    {filter.Rules{Filter: "event" + strings.Repeat(".a", 100)}, []string{"c.filter bad_expression"}},
		"too many nodes":     {filter.Rules{Filter: "true" + strings.Repeat("||event.a", 400)}, []string{"c.filter bad_expression"}},
		"a bad regexp":       {filter.Rules{Filter: `event.event.matches("(")`}, []string{"c.filter bad_expression"}},
		"an endless regexp":  {filter.Rules{Filter: `event.event.matches("((a{1,100}){1,100}){1,100}")`}, []string{"c.filter bad_expression"}},
		"an odd encoding":    {filter.Rules{Filter: "\xff"}, []string{"c.filter bad_expression"}},
		"ordinary selection": {filter.Rules{Filter: `event.?properties.plan.orValue("free") != "free" && has(event.traits)`}, nil},
	} {
		var got []string
		for _, p := range tc.rules.Check("c", &filter.Compiler{}) {
			got = append(got, p.Path+" "+p.Code)
			if p.Text == "" || !slices.Contains(filter.Codes(), p.Code) {
				t.Errorf("%s: problem %+v", name, p)
			}
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestAWorkspaceHasABoundedNumberOfExpressions(t *testing.T) {
	t.Parallel()
	var c filter.Compiler
	first, _ := c.Compile("true")
	for i := range 499 {
		if _, problem := c.Compile(fmt.Sprintf("event.a == %d", i)); problem != nil {
			t.Fatal(problem)
		}
	}
	if _, problem := c.Compile("false"); problem == nil || problem.Code != "too_many" {
		t.Errorf("the 501st gave %+v", problem)
	}
	if again, problem := c.Compile("true"); again != first || problem != nil {
		t.Errorf("a known one gave %v %+v", again, problem)
	}
}

const order = `{"type":"track","event":"Order Completed","userId":"u1","properties":{"revenue":25.5,"quantity":3,"plan":"pro","products":[{"sku":"a","price":3},{"sku":"b","price":9}],"big":"` + "x" + `"},"context":{"locale":"en"}}`

func TestExpressionsJudgeEvents(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`event.type == "track"`:                                             "true",
		`event.properties.revenue > 20`:                                     "true",
		`event.properties.quantity == 3`:                                    "true",
		`event.properties.quantity * 2.0 == 6.0`:                            "true",
		`event.properties.plan in ["free", "pro"]`:                          "true",
		`event.event.startsWith("Order ") && event.properties.revenue < 20`: "false",
		`event.properties.products.exists(p, p.sku == "b")`:                 "true",
		`event.properties.products.all(p, p.price > 5)`:                     "false",
		`has(event.properties.coupon)`:                                      "false",
		`event.?properties.coupon.orValue("none") == "none"`:                "true",
		`event.?traits.email.hasValue()`:                                    "false",
		`event["type"] == "track"`:                                          "true",
		`event.type == "page" && event.properties.none > 1`:                 "false",
		`event.properties.none > 1`:                                         "false",
		`event.properties.plan > 1`:                                         "error",
		`event.properties.plan`:                                             "error",
		`event.type.matches("tr.*")`:                                        "true",
		`event.nothing == 1`:                                                "false",
	} {
		x, problem := filter.Compile(text)
		if problem != nil {
			t.Errorf("%s: %+v", text, problem)
			continue
		}
		var event map[string]any
		if err := json.Unmarshal([]byte(order), &event); err != nil {
			t.Fatal(err)
		}
		if x.Members != nil { // what it does not name is not needed
			for name := range event {
				if !slices.Contains(x.Members, name) {
					delete(event, name)
				}
			}
		}
		holds, err := x.Holds(event)
		got := fmt.Sprint(holds)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%s: %s (%v), want %s", text, got, err, want)
		}
	}
}

// TestExpressionsEnd: what would take long ends with an error.
func TestExpressionsEnd(t *testing.T) {
	t.Parallel()
	list := make([]any, 1000)
	for i := range list {
		list[i] = float64(i)
	}
	x, problem := filter.Compile(`event.l.all(a, event.l.all(b, event.l.all(c, a + b + c >= 0.0)))`)
	if problem != nil {
		t.Fatal(problem)
	}
	if holds, err := x.Holds(map[string]any{"l": list}); err == nil {
		t.Errorf("a billion steps gave %v", holds)
	}
	if want := []string{"l"}; !slices.Equal(x.Members, want) {
		t.Errorf("members %q, want %q", x.Members, want)
	}
}

func TestConsentIsReadOfBothForms(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		given    filter.Given
		all, any bool // of ads and analytics
	}{
		"both preferred":        {filter.Given{Preferences: map[string]bool{"ads": true, "analytics": true}}, true, true},
		"one preferred":         {filter.Given{Preferences: map[string]bool{"ads": true, "analytics": false}}, false, true},
		"one unknown":           {filter.Given{Preferences: map[string]bool{"ads": true}}, false, true},
		"no preference":         {filter.Given{Preferences: map[string]bool{}}, false, false},
		"both allowed":          {filter.Given{Lists: true, Allowed: []string{"analytics", "ads"}}, true, true},
		"one allowed":           {filter.Given{Lists: true, Allowed: []string{"ads"}}, false, true},
		"allowed and denied":    {filter.Given{Lists: true, Allowed: []string{"ads", "analytics"}, Denied: []string{"ads"}}, false, true},
		"none allowed":          {filter.Given{Lists: true}, false, false},
		"only one denied":       {filter.Given{Denied: []string{"ads"}}, false, true},
		"another denied":        {filter.Given{Denied: []string{"x"}}, true, true},
		"preferred, denied":     {filter.Given{Preferences: map[string]bool{"ads": true, "analytics": true}, Denied: []string{"ads", "analytics"}}, false, false},
		"preferred and allowed": {filter.Given{Preferences: map[string]bool{"ads": true}, Lists: true, Allowed: []string{"analytics"}}, true, true},
		"refused and allowed":   {filter.Given{Preferences: map[string]bool{"ads": false}, Lists: true, Allowed: []string{"ads", "analytics"}}, false, true},
	} {
		all := filter.Consent{Categories: []string{"ads", "analytics"}}
		some := filter.Consent{Categories: []string{"ads", "analytics"}, Require: filter.Any}
		if got := all.Permits(&tc.given); got != tc.all {
			t.Errorf("%s: all: %v, want %v", name, got, tc.all)
		}
		if got := some.Permits(&tc.given); got != tc.any {
			t.Errorf("%s: any: %v, want %v", name, got, tc.any)
		}
	}
}

func BenchmarkExpression(b *testing.B) {
	x, problem := filter.Compile(`event.type == "track" && event.properties.revenue > 20`)
	if problem != nil {
		b.Fatal(problem)
	}
	var event map[string]any
	if err := json.Unmarshal([]byte(order), &event); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if holds, err := x.Holds(event); !holds || err != nil {
			b.Fatal(holds, err)
		}
	}
}
