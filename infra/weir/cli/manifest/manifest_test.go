package manifest_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/infra/weir/cli/manifest"
	"weir/shared/fault"
	"weir/shared/filter"
	"weir/shared/secret"
	"weir/shared/workspace/activation"
	"weir/shared/workspace/document"
)

const whole = `
workspace: acme
region: eu
sources:
  - name: web
    type: http                 # a comment
    writeKey: wk_dev_web
    secrets: { signing: { from: file, path: s.txt } }
transformations:
  - name: mask-pii
    language: javascript
    code: |
      export function transformEvent(event, metadata) {
        return event;
      }
destinations:
  - name: hook
    type: webhook
    settings: { url: "http://127.0.0.1:9999/events", z: 12345678901234567890, a: [1, 2.50, null, yes, 0x10, 2026-01-02] }
    secrets: { headers: { from: env, name: WEIR_SECRET_HOOK_HEADERS }, token: { from: file, path: t.txt }, kept: { sealed: "12", version: 3 } }
  - name: lake
    type: duckdb
    disabled: true
    settings: { path: "./acme.duckdb", syncEvery: 5s }
consentCategories: [{ name: ads, description: "Advertising" }]
models: [{ name: customers, warehouse: lake, sql: "select * from users", key: id }]
syncs:
  - { name: crm, model: customers, destination: hook, object: record, mapping: { "plan name": plan, a: b }, schedule: { every: 1h, afterLoad: true } }
connections:
  - source: web
    destination: hook
    transformations: [mask-pii]
    events: { allow: ["Order *", "type:identify"], deny: [Order Refunded] }
    filter: event.type == "identify" || event.properties.revenue > 10
    consent: { categories: [ads], require: any }
  - { source: web, destination: lake }
---
workspace: second
region: us
`

func TestAFileIsReadWhole(t *testing.T) {
	files, err := manifest.Parse("weir.yaml", strings.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	want := document.Document{
		Workspace: "acme", Region: "eu",
		Sources: []document.Source{{Name: "web", Type: "http", WriteKey: "wk_dev_web"}},
		Transformations: []document.Transformation{{Name: "mask-pii", Language: "javascript",
			Code: "export function transformEvent(event, metadata) {\n  return event;\n}\n"}},
		Destinations: []document.Destination{
			{Name: "hook", Type: "webhook", Settings: json.RawMessage(`{"url":"http://127.0.0.1:9999/events","z":12345678901234567890,"a":[1,2.50,null,"yes",16,"2026-01-02"]}`)},
			{Name: "lake", Type: "duckdb", Disabled: true, Settings: json.RawMessage(`{"path":"./acme.duckdb","syncEvery":"5s"}`)},
		},
		ConsentCategories: []document.ConsentCategory{{Name: "ads", Description: "Advertising"}},
		Models:            []document.Model{{Name: "customers", Warehouse: "lake", SQL: "select * from users", Column: "id"}},
		Syncs: []document.Sync{{Name: "crm", Model: "customers", Destination: "hook", Object: "record", Mapping: map[string]string{"plan name": "plan", "a": "b"},
			Schedule: &activation.Schedule{Every: "1h", AfterLoad: true}}},
		Connections: []document.Connection{
			{Source: "web", Destination: "hook", Transformations: []string{"mask-pii"},
				Events: &filter.Events{Allow: []string{"Order *", "type:identify"}, Deny: []string{"Order Refunded"}},
				Filter: `event.type == "identify" || event.properties.revenue > 10`, Consent: &filter.Consent{Categories: []string{"ads"}, Require: "any"}},
			{Source: "web", Destination: "lake"},
		},
	}
	if d := cmp.Diff(want, files[0].Document); d != "" {
		t.Errorf("first document (-want +got):\n%s", d)
	}
	wanted := []manifest.Wanted{
		{Family: secret.Source, Field: "signing", From: manifest.FromFile, Name: "s.txt", Path: "sources[0].secrets.signing"},
		{Family: secret.Destination, Field: "headers", From: manifest.FromEnv, Name: "WEIR_SECRET_HOOK_HEADERS", Path: "destinations[0].secrets.headers"},
		{Family: secret.Destination, Field: "token", From: manifest.FromFile, Name: "t.txt", Path: "destinations[0].secrets.token"},
		{Family: secret.Destination, Field: "kept", From: manifest.Kept, Fingerprint: "12", Version: 3, Path: "destinations[0].secrets.kept"},
	}
	if d := cmp.Diff(wanted, files[0].Secrets); d != "" {
		t.Errorf("secrets (-want +got):\n%s", d)
	}
	if len(files) != 2 || files[1].Document.Workspace != "second" {
		t.Errorf("got %d documents, want acme and second", len(files))
	}
	for path, want := range map[string]string{
		"destinations[1].settings.syncEvery": "weir.yaml:24 destinations[1].settings.syncEvery",
		"destinations[1].settings.unknown.x": "weir.yaml:24 destinations[1].settings.unknown.x",
		"nowhere":                            "weir.yaml nowhere",
	} {
		if got := files[0].At(path); got != want {
			t.Errorf("At(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestProblemsNameTheirLines(t *testing.T) {
	in := `workspace: acme
sources:
  - name: web
    typ: http
    writekey: x
  - name: 12
    type: http
    type: http
    disabled: "no"
destinations:
  - name: hook
    type: webhook
    settings: [1]
    secrets:
      a: clear-text
      b: { from: vault, name: x }
      c: { from: env, name: WEIR_SECRET_X, sealed: f, version: 1 }
connections: { source: web }
---
workspace: acme
region: eu
colour: blue
sources:
  - <<: {}
    settings: { a: .inf, b: !!binary aGk= }
  - name: s
    type: http
    settings: { url: "https://${HOST}/x" }
`
	_, err := manifest.Parse("weir.yaml", strings.NewReader(in))
	var got []string
	for _, p := range fault.ProblemsOf(err) {
		got = append(got, p.Path+": "+p.Text)
	}
	want := []string{
		`weir.yaml:4 sources[0].typ: there is no key "typ" here; did you mean "type"?`,
		`weir.yaml:5 sources[0].writekey: there is no key "writekey" here; did you mean "writeKey"?`,
		`weir.yaml:3 sources[0].type: type is missing; add a line "type: ..."`,
		`weir.yaml:6 sources[1].name: here stands a number, not text; put it in quotes: "12"`,
		`weir.yaml:8 sources[1].type: the key "type" is here twice; remove one`,
		`weir.yaml:9 sources[1].disabled: here stands text; write true or false`,
		`weir.yaml:13 destinations[0].settings: here stands a list, not an object`,
		`weir.yaml:15 destinations[0].secrets.a: a secret's value must not stand in this file; write { from: env, name: WEIR_SECRET_... } or { from: file, path: ... }`,
		`weir.yaml:16 destinations[0].secrets.b: a secret is { from: env, name: WEIR_SECRET_... }, { from: file, path: ... } or, as export writes it, { sealed: ..., version: ... }`,
		`weir.yaml:17 destinations[0].secrets.c: a secret is { from: env, name: WEIR_SECRET_... }, { from: file, path: ... } or, as export writes it, { sealed: ..., version: ... }`,
		`weir.yaml:18 connections: here stands an object, not a list; begin each member with "- "`,
		`weir.yaml:1 region: region is missing; add a line "region: ..."`,
		`weir.yaml:22 colour: there is no key "colour" here; known are workspace, region, id, sources, libraries, transformations, destinations, consentCategories, models, profiles, syncs, connections`,
		`weir.yaml:24 sources[0]: merge keys (<<) are not understood; write the keys out`,
		`weir.yaml:25 sources[0].settings.a: .inf is not a number that can be sent`,
		`weir.yaml:25 sources[0].settings.b: values of YAML type !!binary are not understood`,
		`weir.yaml:24 sources[0].name: name is missing; add a line "name: ..."`,
		`weir.yaml:24 sources[0].type: type is missing; add a line "type: ..."`,
		`weir.yaml:28 sources[1].settings: ${HOST} is not filled in: only secrets are read from the environment; write the value, or fill in the file before: envsubst < weir.yaml | weir apply -f -`,
		`weir.yaml:20 workspace: workspace "acme" stands in this file twice, first at weir.yaml:1 workspace; join the two documents`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("problems (-want +got):\n%s\n%v", d, err)
	}
}

func TestHostileFilesAreRefused(t *testing.T) {
	bomb := "workspace: w\nregion: eu\ndestinations:\n- name: d\n  type: t\n  settings:\n    a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := 1; i < 12; i++ {
		prev, next := "*a"+string(rune('a'+i-2)), "a"+string(rune('a'+i-1))
		if i == 1 {
			prev = "*a0"
		}
		bomb += "    " + next + ": &" + next + " [" + strings.Repeat(prev+",", 9) + prev + "]\n"
	}
	for name, in := range map[string]string{
		"nothing":            "",
		"only comments":      "# hello\n---\n",
		"no YAML":            "a: [",
		"a list":             "- a\n",
		"an alias bomb":      bomb,
		"an alias to itself": "workspace: w\nregion: eu\nsources: [{name: a, type: b, settings: &s {me: *s}}]\n",
		"deep nesting":       "workspace: w\nregion: eu\nsources: [{name: a, type: b, settings: {a: " + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "}}]\n",
		"too large":          "workspace: w\nregion: eu\n#" + strings.Repeat("x", manifest.MaxSize),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := manifest.Parse("f", strings.NewReader(in)); err == nil || fault.KindOf(err) != fault.Invalid {
				t.Errorf("Parse = %v, want fault.Invalid", err)
			}
		})
	}
}

func TestWhatIsFormattedIsReadBackEqual(t *testing.T) {
	doc := document.Document{
		ID: "ws_x", Workspace: "yes", Region: "eu",
		Sources:         []document.Source{{ID: "src_x", Name: "12", Type: "http", WriteKey: "wk: # 'odd'", Settings: json.RawMessage(`{"z":1,"a":{"n":12345678901234567890,"f":1.50,"e":"😀\n line","empty":{},"none":null,"list":[],"t":true,"s":"true","d":"2026-01-02","x":"~"}}`)}},
		Libraries:       []document.Library{{Name: "text", Language: "javascript", Code: "export const cut = (s) => s.slice(0, 3);\n"}},
		Transformations: []document.Transformation{{Name: "t", Language: "javascript", Code: "a();\n\n  b(); // trailing  \n\tc()", MaxOutputs: 100}},
		Destinations: []document.Destination{{Name: "hook", Type: "webhook", Disabled: true,
			Secrets: map[string]document.Secret{"headers": {Version: 2, Fingerprint: "00012345"}}}},
		ConsentCategories: []document.ConsentCategory{{Name: "12", Description: "yes: #"}},
		Models:            []document.Model{{Name: "m", Warehouse: "hook", SQL: "select 1 -- a: b\nfrom t", Column: "#id"}},
		Syncs: []document.Sync{{Name: "s", Model: "m", Destination: "hook", Object: "o", Mode: "mirror", Identifiers: map[string]string{"12": "true"}, Mapping: map[string]string{"b: c": "#d", "a": "~"},
			Schedule: &activation.Schedule{Cron: "0 6 * * *"}}},
		Connections: []document.Connection{{Source: "12", Destination: "hook", Transformations: []string{"t"},
			Events: &filter.Events{Deny: []string{"yes", "a: b*"}}, Filter: "event.a == \"#'\" ||\n  true", Consent: &filter.Consent{Categories: []string{"12"}}}},
	}
	var b bytes.Buffer
	if err := manifest.Format(&b, doc, document.Document{Workspace: "b", Region: "us"}); err != nil {
		t.Fatal(err)
	}
	files, err := manifest.Parse("out", bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	want := doc
	want.ID, want.Sources[0].ID, want.Destinations[0].Secrets = "", "", nil
	if d := cmp.Diff(want, files[0].Document); d != "" {
		t.Errorf("(-want +got):\n%s\n%s", d, b.String())
	}
	if s := files[0].Secrets; len(s) != 1 || s[0].From != manifest.Kept || s[0].Version != 2 || s[0].Fingerprint != "00012345" {
		t.Errorf("secrets = %+v\n%s", s, b.String())
	}
	if len(files) != 2 {
		t.Errorf("%d documents, want 2", len(files))
	}
}

// TestOneSetOfProfilesNeedsNoList, and no name.
func TestOneSetOfProfilesNeedsNoList(t *testing.T) {
	const alone, listed = "workspace: a\nregion: eu\nprofiles:\n  warehouse: lake\n  features: [{ name: n, count: events }]\n",
		"workspace: a\nregion: eu\nprofiles:\n  - name: profiles\n    warehouse: lake\n    features: [{ name: n, count: events }]\n"
	read := func(text string) document.Document {
		files, err := manifest.Parse("weir.yaml", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return files[0].Document
	}
	got := read(alone)
	if d := cmp.Diff(read(listed), got); d != "" || len(got.Profiles) != 1 || got.Profiles[0].Warehouse != "lake" {
		t.Errorf("(-list +alone):\n%s", d)
	}
}

// TestScores: numbers with a sign and models in files are read, and what is written is read alike.
func TestScores(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "churn.txt"), []byte("tree\nof: numbers\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := "workspace: a\nregion: eu\nprofiles:\n  warehouse: lake\n  scores:\n    - { name: one, model: logistic, intercept: -1.25, weights: { a: -0.5, b: 1e-3 } }\n    - { name: two, model: boosted, lightgbm: { from: file, path: ./churn.txt } }\n    - { name: three, model: boosted, xgboost: '{}', features: [a] }\n"
	files, err := manifest.Parse(filepath.Join(dir, "weir.yaml"), strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	got := files[0].Document.Profiles[0].Scores
	if len(got) != 3 || got[0].Intercept != -1.25 || string(got[0].Weights) != `{"a":-0.5,"b":1e-3}` || got[1].LightGBM != "tree\nof: numbers\n" || got[2].XGBoost != "{}" {
		t.Errorf("the scores are %+v", got)
	}
	var b strings.Builder
	if err := manifest.Format(&b, files[0].Document); err != nil {
		t.Fatal(err)
	}
	again, err := manifest.Parse("weir.yaml", strings.NewReader(b.String()))
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if d := cmp.Diff(got, again[0].Document.Profiles[0].Scores); d != "" {
		t.Errorf("written and read again:\n%s\n%s", d, b.String())
	}
	for _, bad := range []string{"intercept: much", "intercept: .inf", "lightgbm: { from: file, path: ./nowhere.txt }", "lightgbm: { from: env, name: X }", "xgboost: 1"} {
		text := "workspace: a\nregion: eu\nprofiles:\n  warehouse: lake\n  scores:\n    - { name: one, model: boosted, " + bad + " }\n"
		if _, err := manifest.Parse("weir.yaml", strings.NewReader(text)); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
}
