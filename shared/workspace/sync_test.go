package workspace_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"weir/shared/catalog"
	"weir/shared/catalog/objects"
	"weir/shared/workspace"
	"weir/shared/workspace/activation"
	"weir/shared/workspace/profiles"
)

// synced is a configuration with a model and a sync that may be used.
func synced() (workspace.Config, []catalog.Spec) {
	specs := []catalog.Spec{
		{Family: catalog.Warehouses, Name: "lake", Models: true, Profiles: true}, {Family: catalog.Warehouses, Name: "heap"}, {Family: catalog.Destinations, Name: "mail"},
		{Family: catalog.Destinations, Name: "crm", Objects: []objects.Object{
			{Name: "contact", Actions: []string{"upsert", "update", "delete"}, Identifiers: []objects.Field{{Name: "email"}, {Name: "id"}}},
			{Name: "set", Actions: []string{"snapshot"}},
			{Name: "row", Actions: []string{"insert"}, Closed: true, Fields: []objects.Field{{Name: "a", Required: true}, {Name: "b"}}},
		}},
	}
	return workspace.Config{
		Format: 1, Workspace: "ws", Name: "acme", Region: "eu",
		Destinations: []workspace.Destination{{ID: "lake", Name: "lake", Type: "lake"}, {ID: "heap", Name: "heap", Type: "heap"}, {ID: "mail", Name: "mail", Type: "mail"}, {ID: "crm", Name: "crm", Type: "crm"}},
		Models:       []activation.Model{{ID: "m", Name: "customers", Warehouse: "lake", SQL: "select * from users", Column: "id"}},
		Syncs: []activation.Sync{{ID: "s", Name: "contacts", Model: "m", Destination: "crm", Object: "contact", Identifiers: map[string]string{"email": "email"},
			Mapping: map[string]string{"plan": "plan"}, Schedule: &activation.Schedule{Every: "15m", Cron: "0 6 * * 1-5", AfterLoad: true}}},
	}, specs
}

// profiled are profiles with one audience.
var profiled = profiles.Plan{
	Entities:  []profiles.Entity{{Name: "user", IDs: []profiles.Identifier{{Name: "user_id"}}}},
	Inputs:    []profiles.Input{{Name: "events", Events: "*"}},
	Features:  []profiles.Feature{{Name: "n", Count: "events"}},
	Audiences: []profiles.Audience{{Name: "few", Where: json.RawMessage(`{"n":{"atMost":2}}`)}},
}

func TestModelsAndSyncsAreCheckedAsAWhole(t *testing.T) {
	t.Parallel()
	model := func(f func(*activation.Model)) func(*workspace.Config) {
		return func(c *workspace.Config) { f(&c.Models[0]) }
	}
	sync := func(f func(*activation.Sync)) func(*workspace.Config) {
		return func(c *workspace.Config) { f(&c.Syncs[0]) }
	}
	for name, tc := range map[string]struct {
		change func(*workspace.Config)
		want   string
	}{
		"good":          {func(*workspace.Config) {}, ""},
		"a table":       {model(func(m *activation.Model) { m.SQL, m.Table = "", "crm.users" }), ""},
		"table and sql": {model(func(m *activation.Model) { m.Table = "users" }), "models[0] required"},
		"an audience": {func(c *workspace.Config) {
			c.Profiles = []workspace.Profile{{Name: "p", Warehouse: "lake", Plan: profiled}}
			c.Models[0].SQL, c.Models[0].Audience, c.Models[0].Column = "", "few", "weir_id"
			c.Syncs[0].Schedule.AfterProfiles = true
		}, ""},
		"an unknown audience": {func(c *workspace.Config) {
			c.Profiles = []workspace.Profile{{Name: "p", Warehouse: "lake", Plan: profiled}}
			c.Models[0].SQL, c.Models[0].Audience, c.Models[0].Column = "", "many", "weir_id"
		}, "models[0].audience unknown_audience"},
		"an audience without profiles": {model(func(m *activation.Model) { m.SQL, m.Audience, m.Column = "", "few", "weir_id" }), "models[0].audience unknown_audience"},
		"another key of an audience": {func(c *workspace.Config) {
			c.Profiles = []workspace.Profile{{Name: "p", Warehouse: "lake", Plan: profiled}}
			c.Models[0].SQL, c.Models[0].Audience = "", "few"
		}, "models[0].key not_allowed"},
		"sql and audience":         {model(func(m *activation.Model) { m.Audience = "few" }), "models[0] required"},
		"after no profiles":        {sync(func(s *activation.Sync) { s.Schedule.AfterProfiles = true }), "syncs[0].schedule.afterProfiles not_allowed"},
		"neither":                  {model(func(m *activation.Model) { m.SQL = "" }), "models[0] required"},
		"a table in quotes":        {model(func(m *activation.Model) { m.SQL, m.Table = "", `a"b` }), "models[0].table bad_name"},
		"no key":                   {model(func(m *activation.Model) { m.Column = "" }), "models[0].key bad_name"},
		"another warehouse":        {model(func(m *activation.Model) { m.Warehouse = "heap" }), "models[0].warehouse not_allowed"},
		"no warehouse":             {model(func(m *activation.Model) { m.Warehouse = "x" }), "models[0].warehouse unknown_destination"},
		"no model":                 {sync(func(s *activation.Sync) { s.Model = "x" }), "syncs[0].model unknown_model"},
		"no destination":           {sync(func(s *activation.Sync) { s.Destination = "x" }), "syncs[0].destination unknown_destination"},
		"no objects":               {sync(func(s *activation.Sync) { s.Destination = "mail" }), "syncs[0].destination not_supported"},
		"another object":           {sync(func(s *activation.Sync) { s.Object = "deal" }), "syncs[0].object unknown_object"},
		"an unknown mode":          {sync(func(s *activation.Sync) { s.Mode = "merge" }), "syncs[0].mode not_in_enum"},
		"a mode that is not there": {sync(func(s *activation.Sync) { s.Mode = "append" }), "syncs[0].mode not_allowed"},
		"mirror":                   {sync(func(s *activation.Sync) { s.Mode = "mirror" }), ""},
		"a snapshot": {func(c *workspace.Config) {
			c.Syncs[0].Mode, c.Syncs[0].Object, c.Syncs[0].Identifiers, c.Syncs[0].Mapping = "snapshot", "set", nil, map[string]string{"a": "a"}
		}, ""},
		"a snapshot where there are none": {sync(func(s *activation.Sync) { s.Mode = "snapshot" }), "syncs[0].mode not_allowed"},
		"a snapshot that keeps": {func(c *workspace.Config) {
			c.Syncs[0].Mode, c.Syncs[0].Object, c.Syncs[0].Removed, c.Syncs[0].Identifiers = "snapshot", "set", "nothing", nil
		}, "syncs[0].removed not_allowed"},
		"mirror that keeps":     {sync(func(s *activation.Sync) { s.Mode, s.Removed = "mirror", "nothing" }), "syncs[0].removed not_allowed"},
		"no identifier":         {sync(func(s *activation.Sync) { s.Identifiers = nil }), "syncs[0].identifiers required"},
		"an unknown identifier": {sync(func(s *activation.Sync) { s.Identifiers["phone"] = "phone" }), "syncs[0].identifiers.phone unknown_field"},
		"a field with a break":  {sync(func(s *activation.Sync) { s.Mapping["a\nb"] = "x" }), "syncs[0].mapping bad_name"},
		"a column in quotes":    {sync(func(s *activation.Sync) { s.Mapping["a"] = `x"` }), "syncs[0].mapping.a bad_name"},
		"an unknown field": {sync(func(s *activation.Sync) {
			s.Mode, s.Object, s.Mapping = "append", "row", map[string]string{"a": "a", "z": "z"}
		}), "syncs[0].mapping.z unknown_field"},
		"a required field":          {sync(func(s *activation.Sync) { s.Mode, s.Object, s.Mapping = "append", "row", map[string]string{"b": "b"} }), "syncs[0].mapping required"},
		"too often":                 {sync(func(s *activation.Sync) { s.Schedule.Every = "5s" }), "syncs[0].schedule.every bad_duration"},
		"no cron":                   {sync(func(s *activation.Sync) { s.Schedule.Cron = "@daily" }), "syncs[0].schedule.cron bad_cron"},
		"a cron of another zone":    {sync(func(s *activation.Sync) { s.Schedule.Cron = "TZ=UTC 0 6 * * *" }), "syncs[0].schedule.cron bad_cron"},
		"a schedule of nothing":     {sync(func(s *activation.Sync) { s.Schedule = &activation.Schedule{} }), "syncs[0].schedule required"},
		"an object that is in hide": {sync(func(s *activation.Sync) { s.Mapping, s.Identifiers = nil, nil }), "syncs[0].mapping required"},
	} {
		c, specs := synced()
		tc.change(&c)
		var got []string
		for _, p := range workspace.Check(c, specs) {
			got = append(got, p.Path+" "+p.Code)
		}
		if tc.want == "" && len(got) > 0 || tc.want != "" && !slices.Contains(got, tc.want) {
			t.Errorf("%s: problems %v, want %q", name, got, tc.want)
		}
	}
}

func TestAModelIsOneStatementThatReads(t *testing.T) {
	t.Parallel()
	for sql, good := range map[string]bool{
		"select 1": true, "with a as (select 1) select * from a;": true, "from users": true, "(select 1) union (select 2)": true,
		"select ')' from t -- )\n": true, "select \"a)\" /* ) */ from t ; -- ; \n": true, "select $$ ) ; $$, $x$ ' $x$": true, "select 'it''s'": true,
		"": false, "-- nothing": false, "select 1; select 2": false, "select 1) x; drop table t; (select 1": false, "select (1": false,
		"delete from t": false, "select 'a": false, "select /* /* */ 1": false, "select E'\\'' || ')' ": false, "update t set a = 1": false, "/* select 1": false, "select $a$ 1": false,
	} {
		c, specs := synced()
		c.Models[0].SQL = sql
		if problems := workspace.Check(c, specs); (len(problems) == 0) != good {
			t.Errorf("%q: %v, want good: %v", sql, problems, good)
		}
	}
	m := activation.Model{SQL: "select 1; -- done"}
	if got := m.Relation(); got != "(select 1\n)" {
		t.Errorf("the relation is %q", got)
	}
	if got := (activation.Model{Table: "crm.My users"}).Relation(); got != `"crm"."My users"` {
		t.Errorf("the relation is %q", got)
	}
}

func TestASyncRunsWhenItsScheduleSays(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		of   *activation.Schedule
		last time.Time
		want time.Time
	}{
		"never":               {nil, now, time.Time{}},
		"after a load":        {&activation.Schedule{AfterLoad: true}, now, time.Time{}},
		"at first":            {&activation.Schedule{Every: "1h"}, time.Time{}, now},
		"every hour":          {&activation.Schedule{Every: "1h"}, now.Add(-time.Minute), now.Add(59 * time.Minute)},
		"by cron":             {&activation.Schedule{Cron: "30 6 * * *"}, now.Add(-time.Hour), time.Date(2026, 3, 3, 6, 30, 0, 0, time.UTC)},
		"by cron, missed":     {&activation.Schedule{Cron: "30 6 * * *"}, now.Add(-48 * time.Hour), time.Date(2026, 3, 1, 6, 30, 0, 0, time.UTC)},
		"whichever is sooner": {&activation.Schedule{Every: "1h", Cron: "10 12 * * *"}, now, now.Add(10 * time.Minute)},
	} {
		if got := tc.of.Next(tc.last, now); !got.Equal(tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
	if s := (activation.Sync{Mode: activation.Mirror}).WithDefaults(); s.Removed != activation.Delete {
		t.Errorf("a mirror does %q with removed rows", s.Removed)
	}
}
