package catalog_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/shared/catalog"
	"weir/shared/fault"
)

const hook = `
family: destination
name: hook
title: Hook
doc: One request per event.
fields:
  - { name: url, type: url, title: Address, required: true, max: 200 }
  - { name: method, type: enum, title: Method, enum: [POST, PUT], default: POST }
  - { name: headers, type: map, title: Headers, pattern: '[^\r\n]*' }
  - { name: topics, type: strings, title: Topics, min: 1 }
  - { name: ordered, type: boolean, title: Ordered, default: true }
  - { name: rate, type: integer, title: Rate, min: 1, max: 9007199254740993 }
  - { name: timeout, type: duration, title: Timeout, default: 10s, min: 100, max: 60000 }
  - name: batch
    type: object
    title: Batch
    fields:
      - { name: size, type: integer, title: Size, required: true, min: 1, max: 1000 }
      - { name: wait, type: duration, title: Wait, default: 1s }
sentTo: [url, method, rate]
secrets:
  - { name: headers, type: map, title: Secret headers }
  - { name: token, type: string, title: Token, required: true, min: 4 }
codes:
  - { name: hook_list_full, doc: the list is full }
`

func spec(t *testing.T) catalog.Spec {
	t.Helper()
	s, err := catalog.Parse([]byte(hook))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// short lists problems as "path code".
func short(ps []fault.Problem) []string {
	var out []string
	for _, p := range ps {
		out = append(out, p.Path+" "+p.Code)
	}
	return out
}

func TestCheckNamesEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	s := spec(t)
	for name, tc := range map[string]struct {
		settings string
		want     []string
	}{
		"all good": {`{"url":"https://a.example/x?y=1","method":"PUT","headers":{"A":"b"},"topics":["t"],"ordered":false,"rate":9007199254740993,"timeout":"1m","batch":{"size":3}}`, nil},
		"nothing":  {``, []string{"p.url required"}},
		"null":     {`{"url":null,"batch":null}`, []string{"p.url required"}},
		"several": {`{"urll":"x","method":"GET","headers":{"A":1,"B":"x\ny"},"topics":["",2],"ordered":"yes","rate":0,"timeout":"1h","batch":{"wait":"-1s","sizes":1}}`, []string{
			"p.url required", "p.method not_in_enum", "p.headers.A wrong_type", "p.headers.B bad_pattern", "p.headers.B malformed", "p.topics[0] too_small", "p.topics[1] wrong_type",
			"p.ordered wrong_type", "p.rate too_small", "p.timeout too_large", "p.batch.size required", "p.batch.wait bad_duration", "p.batch.sizes unknown_field", "p.urll unknown_field"}},
		"beyond a float":      {`{"url":"http://a","rate":9007199254740994}`, []string{"p.rate too_large"}},
		"a fraction":          {`{"url":"http://a","rate":1.5}`, []string{"p.rate wrong_type"}},
		"wrong shapes":        {`{"url":["http://a"],"headers":[],"topics":{},"batch":7,"rate":"1","timeout":5}`, []string{"p.url wrong_type", "p.headers wrong_type", "p.topics wrong_type", "p.rate wrong_type", "p.timeout wrong_type", "p.batch malformed"}},
		"no scheme":           {`{"url":"a.example/x"}`, []string{"p.url bad_url"}},
		"no host":             {`{"url":"http:///x"}`, []string{"p.url bad_url"}},
		"another scheme":      {`{"url":"file:///etc/passwd"}`, []string{"p.url bad_url"}},
		"credentials in it":   {`{"url":"https://user:pass@a.example/"}`, []string{"p.url bad_url"}},
		"too long":            {`{"url":"http://a/` + strings.Repeat("x", 200) + `"}`, []string{"p.url too_large"}},
		"a member twice":      {`{"url":"http://a","url":"http://b"}`, []string{"p malformed"}},
		"no object":           {`[1]`, []string{"p malformed"}},
		"no JSON":             {`{"url":`, []string{"p malformed"}},
		"two values":          {`{"url":"http://a"} {}`, []string{"p malformed"}},
		"a member twice deep": {`{"url":"http://a","batch":{"size":1,"size":2}}`, []string{"p malformed"}},
	} {
		got := catalog.Check(s, []byte(tc.settings), "p")
		if d := cmp.Diff(tc.want, short(got)); d != "" {
			t.Errorf("%s: Check(%s) (-want +got):\n%s", name, tc.settings, d)
		}
		for _, p := range got {
			if strings.Contains(p.Text, "pass@") || strings.Contains(p.Text, "etc/passwd") {
				t.Errorf("%s: the text %q quotes a value", name, p.Text)
			}
		}
	}
	if p := catalog.Check(s, []byte(`{"url":"http://a","metod":"PUT"}`), ""); len(p) != 1 || !strings.Contains(p[0].Text, "method") || p[0].Path != "metod" {
		t.Errorf("the nearest field is not named: %+v", p)
	}
}

func TestCheckOfHostileSettingsIsBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`{"url":"http://a"`)
	for i := range 5000 {
		b.WriteString(`,"x` + strings.Repeat("y", i%50) + string(rune('a'+i%26)) + strings.Repeat("z", i/26) + `":1`)
	}
	b.WriteString("}")
	if n := len(catalog.Check(spec(t), []byte(b.String()), "")); n > 100 {
		t.Errorf("%d problems are listed, want at most 100", n)
	}
	deep := `{"url":"http://a","batch":` + strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000) + "}"
	if len(catalog.Check(spec(t), []byte(deep), "")) == 0 {
		t.Error("settings of 100,000 levels have no problem")
	}
}

func TestFillAddsDefaultsAndKeepsValuesAsSent(t *testing.T) {
	t.Parallel()
	s := spec(t)
	for settings, want := range map[string]string{
		``: `{"method":"POST","ordered":true,"timeout":"10s"}`,
		`{"batch":{"size":12345678901234567890},"url":"http://a","ordered":null,"method":"PUT"}`: `{"url":"http://a","method":"PUT","ordered":true,"timeout":"10s","batch":{"size":12345678901234567890,"wait":"1s"}}`,
		`[1]`: `[1]`,
	} {
		if got := string(catalog.Fill(s, []byte(settings))); got != want {
			t.Errorf("Fill(%s) = %s, want %s", settings, got, want)
		}
	}
	if p := catalog.Check(s, catalog.Fill(s, []byte(`{"url":"http://a","batch":{"size":1}}`)), ""); len(p) != 0 {
		t.Errorf("filled settings have problems: %v", p)
	}
}

func TestSecretsAreCheckedWithoutBeingQuoted(t *testing.T) {
	t.Parallel()
	s := spec(t)
	for name, tc := range map[string]struct {
		field, clear string
		want         []string
	}{
		"a map":       {"headers", `{"Authorization":"hunter2"}`, nil},
		"no map":      {"headers", `hunter2`, []string{"s wrong_type"}},
		"a number in": {"headers", `{"hunter2":1}`, []string{"s.hunter2 wrong_type"}},
		"text":        {"token", `hun"ter2`, nil},
		"short":       {"token", `h2`, []string{"s too_small"}},
		"not UTF-8":   {"token", "hunter2\xff", []string{"s malformed"}},
		"unknown":     {"tokenn", "hunter2", []string{"s unknown_field"}},
	} {
		got := catalog.CheckSecret(s, tc.field, []byte(tc.clear), "s")
		if d := cmp.Diff(tc.want, short(got)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		for _, p := range got {
			if strings.Contains(p.Text, tc.clear) {
				t.Errorf("%s: the text %q quotes the secret", name, p.Text)
			}
		}
	}
	got := short(catalog.CheckSecretNames(s, []string{"headrs"}, "s"))
	if d := cmp.Diff([]string{"s.token required", "s.headrs unknown_field"}, got); d != "" {
		t.Errorf("names (-want +got):\n%s", d)
	}
}

func TestIncompleteSpecsAreRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ old, with, want string }{
		"unknown key":           {"doc: One", "docs: One", "docs"},
		"unknown family":        {"family: destination", "family: sink", "family"},
		"bad name":              {"name: hook", "name: Hook-1", "name"},
		"no doc":                {"doc: One request per event.", "doc: ''", "doc"},
		"unknown type":          {"type: boolean", "type: bool", "fields[4].type"},
		"enum without values":   {"enum: [POST, PUT], default: POST", "default: POST", "fields[1].enum"},
		"default of wrong type": {"default: true", "default: yes please", "fields[4].default"},
		"default past limit":    {"default: 10s", "default: 10h", "fields[6].default"},
		"bad pattern":           {`'[^\r\n]*'`, `'['`, "fields[2].pattern"},
		"twice":                 {"name: topics", "name: headers", "fields[3].name"},
		"secret with default":   {"title: Token,", "title: Token, default: aaaaa,", "secrets[1].default"},
		"another kind's code":   {"hook_list_full", "other_list_full", "codes[0].name"},
		"a code of all kinds":   {"hook_list_full", "timeout", "codes[0].name"},
		"a code of one word":    {"hook_list_full", "hook_", "codes[0].name"},
		"a code without words":  {"doc: the list is full", "doc: ''", "codes[0].doc"},
		"a code twice":          {"codes:", "codes:\n  - { name: hook_list_full, doc: x }", "codes[1].name"},
		"secrets sent anywhere": {"sentTo: [url, method, rate]", "sentTo: [method]", "fields[0]"},
		"sent to a host":        {"name: method", "name: host", "fields[1]"},
		"an address deep":       {"name: wait, type: duration, title: Wait, default: 1s", "name: wait, type: url, title: Wait", "fields[7].fields[1]"},
		"sent to no field":      {"sentTo: [url,", "sentTo: [uri,", "sentTo[0]"},
		"sent to a list":        {"sentTo: [url,", "sentTo: [topics,", "sentTo[0]"},
		"sent to one twice":     {"sentTo: [url,", "sentTo: [url, url,", "sentTo[1]"},
		"two documents":         {"sentTo:", "---\nsentTo:", "more than one"},
	} {
		text := strings.Replace(hook, tc.old, tc.with, 1)
		_, err := catalog.Parse([]byte(text))
		if err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want an Invalid that names %s", name, err, tc.want)
		}
	}
}

func TestTheDigestIsOfWhatIsAcceptedAlone(t *testing.T) {
	t.Parallel()
	s := spec(t)
	retitled, err := catalog.Parse([]byte(strings.Replace(hook, "title: Address", "title: Adresse", 1)))
	if err != nil {
		t.Fatal(err)
	}
	widened, err := catalog.Parse([]byte(strings.Replace(hook, "max: 200", "max: 300", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if catalog.Digest(s) != catalog.Digest(retitled) {
		t.Error("another title gives another digest")
	}
	if catalog.Digest(s) == catalog.Digest(widened) {
		t.Error("another limit gives the same digest")
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var again catalog.Spec
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(s, again); d != "" || catalog.Digest(s) != catalog.Digest(again) {
		t.Errorf("a spec changes on its way through JSON:\n%s", d)
	}
}

func TestJSONSchemaDescribesEveryField(t *testing.T) {
	t.Parallel()
	var got struct {
		Properties           map[string]map[string]any
		Required             []string
		AdditionalProperties *bool
	}
	if err := json.Unmarshal(catalog.JSONSchema(spec(t)), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Properties) != len(spec(t).Fields) || !cmp.Equal(got.Required, []string{"url"}) || got.AdditionalProperties == nil || *got.AdditionalProperties {
		t.Errorf("schema %+v", got)
	}
	if got.Properties["batch"]["type"] != "object" || got.Properties["topics"]["type"] != "array" || got.Properties["rate"]["type"] != "integer" {
		t.Errorf("types %v", got.Properties)
	}
}

func TestDurationsAreTextWithAUnit(t *testing.T) {
	t.Parallel()
	var s struct{ D catalog.Duration }
	if err := json.Unmarshal([]byte(`{"D":"1m30s"}`), &s); err != nil || s.D.Std() != 90*time.Second {
		t.Errorf("1m30s was read as %v, %v", s.D, err)
	}
	if b, err := json.Marshal(s); err != nil || string(b) != `{"D":"1m30s"}` {
		t.Errorf("90 s were written as %s, %v", b, err)
	}
	for _, bad := range []string{`{"D":5}`, `{"D":"5"}`, `{"D":"-5s"}`, `{"D":""}`} {
		if err := json.Unmarshal([]byte(bad), &s); err == nil {
			t.Errorf("%s was read as %v", bad, s.D)
		}
	}
}

func TestEverySpecOfThisBuildIsGood(t *testing.T) {
	t.Parallel()
	for _, s := range catalog.All() {
		if got, ok := catalog.Find(catalog.All(), s.Name, s.Family); !ok || catalog.Digest(got) != catalog.Digest(s) {
			t.Errorf("%s %s is not found", s.Family, s.Name)
		}
		if b := catalog.Fill(s, nil); !json.Valid(b) {
			t.Errorf("defaults of %s are %s", s.Name, b)
		}
	}
}
