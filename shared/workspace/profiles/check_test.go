package profiles_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir/shared/workspace/profiles"
	"weir/shared/workspace/profiles/scores"
)

func raw(s string) json.RawMessage { return json.RawMessage(s) }

// good is a plan without problems.
func good() profiles.Plan {
	return profiles.Plan{
		Every: "5m",
		Entities: []profiles.Entity{{Name: "user", IDs: []profiles.Identifier{
			{Name: "user_id", Unique: true}, {Name: "email", Clean: "email", Block: []string{"*@example.com"}, Limit: raw(`{"user_id":3}`)}, {Name: "anonymous_id", Expire: "400d"},
		}, Gate: &profiles.Gate{Largest: 200, Moved: "2%", Gone: "1%"}}},
		Inputs: []profiles.Input{{Name: "events", Events: "*"}, {Name: "tickets", From: "zendesk.tickets", At: "created_at", IDs: raw(`{"email":"requester"}`)}},
		Features: []profiles.Feature{
			{Name: "tickets_7d", Count: "tickets", Last: "7d", Where: raw(`{"status":["open","new"],"priority":{"atLeast":2}}`)},
			{Name: "mood", Average: "tickets.sentiment"}, {Name: "weighed", SQL: "tickets_7d * 2 / coalesce(mood, 1)"}, {Name: "share", Ratio: []string{"tickets_7d", "weighed"}},
			{Name: "mail", Latest: []string{"events.email", "tickets.requester"}},
		},
		Scores: []scores.Score{
			{Name: "churn", Model: scores.Logistic, Intercept: -1, Weights: raw(`{"tickets_7d":0.5,"mood":-2}`)}, {Name: "ready", Model: scores.SQL, SQL: "share / 2"}, {Name: "worth", Model: scores.Table, Table: "tickets.worth"},
		},
		Audiences: []profiles.Audience{{Name: "at_risk", Where: raw(`{"churn":{"over":0.7},"tickets_7d":{"over":1},"not":{"did":"events","where":{"event":"login"},"last":"14d"},"any":[{"mail":{"known":true}},{"mood":{"under":0}}]}`)}},
	}
}

func TestAPlanWithoutProblems(t *testing.T) {
	t.Parallel()
	if got := profiles.Check(good(), "profiles[0]"); len(got) > 0 {
		t.Errorf("got %v", got)
	}
	var order []string
	p := good()
	slices.Reverse(p.Features)
	for _, f := range p.Order() {
		order = append(order, f.Name)
	}
	if !(slices.Index(order, "mood") < slices.Index(order, "weighed") && slices.Index(order, "weighed") < slices.Index(order, "share")) {
		t.Errorf("the order is %v", order)
	}
}

// TestEntitiesShareNoTablesWithRuns: an erasure drops what a run that died left of work tables, _w_*.
func TestEntitiesShareNoTablesWithRuns(t *testing.T) {
	t.Parallel()
	for name, refused := range map[string]bool{"w": true, "w_x": true, "cut": true, "cut_user": true, "user_training": true, "wx": false, "cutter": false, "dog_training": false, "who": false} {
		p := good()
		p.Entities = append(p.Entities, profiles.Entity{Name: name, IDs: []profiles.Identifier{{Name: "email"}}})
		got := profiles.Check(p, "p")
		if is := len(got) == 1 && got[0].Path == "p.entities[1].name" && got[0].Code == "bad_name"; is != refused || !refused && len(got) > 0 {
			t.Errorf("an entity %s: %v, want it refused: %v", name, got, refused)
		}
	}
}

func TestEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	p := good()
	p.Every = "soon"
	p.Entities[0].IDs[1].Limit = raw(`{"phone":3,"user_id":0}`)
	p.Entities[0].IDs[0].Expire = "400 days"
	p.Entities[0].IDs[2].Unique = true
	p.Entities[0].Gate.Moved = "2"
	p.Inputs = append(p.Inputs, profiles.Input{Name: "events", From: "a.b"}, profiles.Input{Name: "Bad", Events: "x", From: "y", At: "t"}, profiles.Input{Name: "z", Events: "*", IDs: raw(`{"nothing":"x"}`)})
	p.Features = append(p.Features,
		profiles.Feature{Name: "two", Count: "events", Days: "events"}, profiles.Feature{Name: "none"}, profiles.Feature{Name: "lost", Sum: "orders.total"},
		profiles.Feature{Name: "whole", Sum: "tickets"}, profiles.Feature{Name: "a", SQL: "b + 1"}, profiles.Feature{Name: "b", SQL: "a"}, profiles.Feature{Name: "missing", SQL: "nowhere"},
		profiles.Feature{Name: "evil", SQL: "1; drop table x"}, profiles.Feature{Name: "call", SQL: "pg_sleep(1)"}, profiles.Feature{Name: "mood", Count: "events"}, profiles.Feature{Name: "as_of", Count: "events"},
		profiles.Feature{Name: "cond", Count: "events", Where: raw(`{"x":{"almost":1}}`)}, profiles.Feature{Name: "foreign", Count: "events", Entity: "cat"})
	p.Audiences = append(p.Audiences, profiles.Audience{Name: "empty", Where: raw(`{}`)}, profiles.Audience{Name: "unknown", Where: raw(`{"height":1,"did":"nowhere"}`)})
	p.Scores = append(p.Scores,
		scores.Score{Name: "mood", Model: scores.SQL, SQL: "1 +"}, scores.Score{Name: "s1", Model: "guess"}, scores.Score{Name: "s2", Model: scores.Logistic, SQL: "mood"}, scores.Score{Name: "s3", Model: scores.Table, Table: "nowhere.x", Entity: "shop"},
		scores.Score{Name: "s4", Model: scores.Logistic, Weights: raw(`{"churn":1,"height":1}`)}, scores.Score{Name: "s5", Model: scores.Logistic, Weights: raw(`{"mood":"1"}`)}, scores.Score{Name: "s6", Model: scores.Logistic, Weights: raw(`{"mood":1e300}`)}, scores.Score{Name: "churn", Model: scores.SQL, SQL: "nothing"},
		scores.Score{Name: "s7", Model: scores.Boosted, LightGBM: "tree"}, scores.Score{Name: "s8", Model: scores.Boosted, Features: []string{"height"}, Intercept: 1}, scores.Score{Name: "s9", Model: scores.SQL, SQL: "mood", XGBoost: "{}"},
		scores.Score{Name: "l1", Model: scores.SQL, Predict: raw(`{"mood":1}`)}, scores.Score{Name: "l2", Model: scores.Logistic, Weights: raw(`{"mood":1}`), Predict: raw(`{"did":"nowhere","next":"3d"}`), Among: raw(`{"height":1}`), Features: []string{"height"}},
		scores.Score{Name: "l3", Model: scores.Boosted, Predict: raw(`{"not":{"did":"events","last":"3d"}}`), Cuts: &scores.Cuts{Every: "x", Count: 99}, Gate: &scores.ModelGate{AUC: 0.4}},
		scores.Score{Name: "l4", Model: scores.Logistic, Weights: raw(`{"mood":1}`), Among: raw(`{"mood":1}`), Cuts: &scores.Cuts{}, Gate: &scores.ModelGate{}, Features: []string{"mood"}},
		scores.Score{Name: "l5", Model: scores.Boosted, Predict: raw(`{"any":[{"did":"events","next":"30d"},{"not":{"did":"tickets","where":{"status":"open"},"next":"2w"}}]}`), Among: raw(`{"did":"events","last":"90d"}`)})
	var got []string
	for _, x := range profiles.Check(p, "p") {
		got = append(got, strings.TrimPrefix(x.Path, "p.")+" "+x.Code)
	}
	want := strings.Fields(strings.ReplaceAll(`every/bad_duration entities[0].ids[2].unique/not_allowed entities[0].ids[0].expire/bad_duration entities[0].ids[1].limit.phone/unknown_identifier entities[0].ids[1].limit.user_id/too_small
		entities[0].gate.moved/bad_share inputs[2].name/duplicate_name inputs[2].at/required inputs[3].name/bad_name inputs[3]/required inputs[4].ids.nothing/unknown_identifier features[14].name/duplicate_name features[15].name/bad_name
		features[5]/bad_aggregate features[6]/bad_aggregate features[7].sum/unknown_input features[8].sum/bad_aggregate features[11].sql/unknown_feature features[12].sql/bad_expression features[13].sql/bad_expression
		features[16].where/bad_condition features[17].entity/unknown_entity features[9]/cycle
		scores[3].name/duplicate_name scores[3].sql/bad_expression scores[4].model/not_in_enum scores[5].sql/not_allowed scores[5].weights/bad_expression scores[6].entity/unknown_entity scores[6].table/unknown_input
		scores[7].weights/unknown_feature scores[7].weights/unknown_feature scores[8].weights/bad_expression scores[9].weights/bad_expression scores[10].name/duplicate_name scores[10].sql/unknown_feature
		scores[11].lightgbm/bad_model scores[12].lightgbm/bad_model scores[12].lightgbm/unknown_feature scores[12].intercept/not_allowed scores[13].xgboost/not_allowed
		scores[14].predict/not_allowed scores[14].predict/bad_condition scores[14].predict/required scores[15].predict/not_allowed scores[15].predict/unknown_input scores[15].predict/required scores[15].among/unknown_feature
		scores[15].features/unknown_feature scores[16].predict/bad_condition scores[16].predict/required scores[16].cuts.every/bad_duration scores[16].cuts.count/too_many scores[16].gate/bad_share
		scores[17].among/not_allowed scores[17].cuts/not_allowed scores[17].gate/not_allowed scores[17].features/not_allowed audiences[1].where/required audiences[2].where/unknown_input audiences[2].where/unknown_feature`, "\n", " "))
	for i := range want {
		want[i] = strings.Replace(want[i], "/", " ", 1)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestAnEntityOfAnother(t *testing.T) {
	t.Parallel()
	p := good()
	p.Entities = append(p.Entities, profiles.Entity{Name: "household", IDs: []profiles.Identifier{{Name: "user", Of: "user"}, {Name: "address", Clean: "text", Limit: raw(`{"user":8}`)}}})
	p.Features = append(p.Features, profiles.Feature{Name: "household_tickets", Entity: "household", Count: "tickets"})
	if got := profiles.Check(p, "p"); len(got) > 0 {
		t.Errorf("got %v", got)
	}
	p.Entities = append(p.Entities, profiles.Entity{Name: "street", IDs: []profiles.Identifier{{Name: "home", Of: "household"}, {Name: "self", Of: "street"}, {Name: "later", Of: "town"}, {Name: "mine", Of: "user", Unique: true}}})
	p.Inputs[1].IDs = raw(`{"email":"requester","user":"id"}`)
	var got []string
	for _, x := range profiles.Check(p, "p") {
		got = append(got, strings.TrimPrefix(x.Path, "p.")+" "+x.Code)
	}
	want := []string{"entities[2].ids[0].of unknown_entity", "entities[2].ids[1].of unknown_entity", "entities[2].ids[2].of unknown_entity", "entities[2].ids[3].of not_allowed", "inputs[1].ids.user not_allowed"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestAFeatureIsOfOneEntity: scores of all kinds, features and audiences are made of features of their own entity.
func TestAFeatureIsOfOneEntity(t *testing.T) {
	t.Parallel()
	p := good()
	p.Entities = append(p.Entities, profiles.Entity{Name: "account", IDs: []profiles.Identifier{{Name: "domain", Clean: "domain"}}})
	const next = `{"did":"events","next":"3d"}`
	own := []scores.Score{
		{Name: "a1", Entity: "account", Model: scores.SQL, SQL: "won * 2"}, {Name: "a2", Entity: "account", Model: scores.Logistic, Weights: raw(`{"won":1}`)},
		{Name: "a3", Entity: "account", Model: scores.Boosted, Predict: raw(next), Among: raw(`{"won":{"over":1}}`), Features: []string{"won"}}, {Name: "a4", Entity: "account", Model: scores.Table, Table: "tickets.worth"},
	}
	p.Features = append(p.Features, profiles.Feature{Name: "won", Entity: "account", Sum: "tickets.worth"})
	p.Scores = append(p.Scores, own...)
	p.Audiences = append(p.Audiences, profiles.Audience{Name: "large", Entity: "account", Where: raw(`{"a1":{"over":3},"won":{"over":1}}`)})
	p.Lookup = &profiles.Lookup{Features: []string{"won", "a1", "mood"}}
	if got := profiles.Check(p, "p"); len(got) > 0 {
		t.Errorf("got %v", got)
	}
	p.Features = append(p.Features, profiles.Feature{Name: "f1", Entity: "account", SQL: "won + mood"}, profiles.Feature{Name: "f2", Ratio: []string{"mood", "won"}})
	p.Scores = append(p.Scores, scores.Score{Name: "b1", Entity: "account", Model: scores.SQL, SQL: "mood * 2"}, scores.Score{Name: "b2", Model: scores.Logistic, Weights: raw(`{"won":1}`)},
		scores.Score{Name: "b3", Model: scores.Boosted, Predict: raw(next), Among: raw(`{"won":{"over":1}}`), Features: []string{"won"}})
	p.Audiences = append(p.Audiences, profiles.Audience{Name: "mixed", Where: raw(`{"not":{"a1":{"over":3}}}`)})
	var got []string
	for _, x := range profiles.Check(p, "p") {
		got = append(got, strings.TrimPrefix(x.Path, "p.")+" "+x.Code)
	}
	var want []string
	for _, path := range []string{"features[6].sql", "features[7].ratio", "scores[7].sql", "scores[8].weights", "scores[9].features", "scores[9].among", "audiences[2].where"} {
		want = append(want, path+" unknown_feature")
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestExpressions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a + b * 2":                              "({{a}} + ({{b}} * 2))",
		"a / b / c":                              "(({{a}} * 1.0 / nullif({{b}}, 0)) * 1.0 / nullif({{c}}, 0))",
		"case when a > 0 then 'x''y' else b end": "(case when ({{a}} > 0) then 'x''y' else {{b}} end)",
		"not a is null and (b or c = -1)":        "((not ({{a}} is null)) and ({{b}} or ({{c}} = (- 1))))",
		"Coalesce(a, lower(b))":                  "coalesce({{a}}, lower({{b}}))",
	} {
		if got, err := profiles.ParseExpression(text); err != nil || got.SQL != want {
			t.Errorf("%s: %s, %v, want %s", text, got.SQL, err, want)
		}
	}
	for _, text := range []string{"", "a b", "a +", "(a", "a)", "a; b", "select 1", `"a"`, "$1", "f(a)", "case end", "'a", `'a\'`, "a::text", "{{a}}", strings.Repeat("(", 300) + "a" + strings.Repeat(")", 300), "current_user()", "case when a then b"} {
		if got, err := profiles.ParseExpression(text); err == nil {
			t.Errorf("%q is %s", text, got.SQL)
		}
	}
}

func FuzzExpression(f *testing.F) {
	for _, s := range []string{"a + b", "case when a then 'b' end", "coalesce(a, 1.5)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := profiles.ParseExpression(s)
		if err != nil {
			return
		}
		if strings.ContainsAny(strings.NewReplacer("''", "").Replace(e.SQL), ";\\\"\x00") && !strings.Contains(s, "'") {
			t.Errorf("%q became %q", s, e.SQL)
		}
	})
}

func TestConditions(t *testing.T) {
	t.Parallel()
	for _, s := range []string{`[]`, `{"a":[]}`, `{"a":{}}`, `{"a":{"over":"x"}}`, `{"any":{}}`, `{"did":""}`, `{"did":"x","last":"7"}`, `{"did":"x","times":0}`, `{"a":[[1]]}`, `{"not":1}`,
		strings.Repeat(`{"not":`, 20) + `{"a":1}` + strings.Repeat(`}`, 20)} {
		if c, err := profiles.ParseCondition(raw(s)); err == nil {
			t.Errorf("%s is %+v", s, c)
		}
	}
	c, err := profiles.ParseCondition(raw(`{"a":{"not":["x"]},"b":null,"c":{"known":false}}`))
	if err != nil || len(c.All) != 3 || fmt.Sprint(c.All[1].Not.Op) != "known" {
		t.Errorf("%+v, %v", c, err)
	}
}
