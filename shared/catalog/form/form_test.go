package form_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/shared/catalog/form"
)

func TestCheckNamesWhatAFormHasWrong(t *testing.T) {
	f := &form.Form{
		Open: []string{"port", "prot"},
		Choices: []form.Choice{
			{Doc: "Give the key, or the role.", Of: [][]string{{"key", "secret"}, {"role"}}},
			{Of: [][]string{{"port"}, {}}},
			{Doc: "Give it.", Of: [][]string{{"host"}}, Unless: "prot"},
		},
		Columns: map[string][2]string{"tabels": {"Table", "Column"}},
	}
	known := map[string]bool{"port": true, "host": true, "key": true, "secret": true, "role": true}
	var got []string
	for _, p := range f.Check(func(name string) bool { return known[name] }) {
		got = append(got, p.Path+" "+p.Code)
	}
	want := []string{
		"form.open[1] unknown_field", "form.choices[1].doc required", "form.choices[1].of[0][0] duplicate_name", "form.choices[1].of[1] required",
		"form.choices[2].unless unknown_field", "form.choices[2].of required", "form.columns.tabels unknown_field",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if p := (*form.Form)(nil).Check(nil); p != nil {
		t.Errorf("no form has the problems %v", p)
	}
}

func TestProblemsNameWhatIsLackingAndWhatIsTooMuch(t *testing.T) {
	f := &form.Form{Choices: []form.Choice{
		{Doc: "Give the key, or the role.", Of: [][]string{{"key", "secret"}, {"role"}}},
		{Doc: "Give the file, or the client.", Of: [][]string{{"file"}, {"client", "token"}}, Several: true, Unless: "baseUrl"},
	}}
	for name, tc := range map[string]struct {
		settings string
		given    []string
		want     []string
	}{
		"the first ways":               {`{"key":"k"}`, []string{"secret", "file"}, nil},
		"the second ways":              {`{"role":true,"client":"c"}`, []string{"token"}, nil},
		"beside one way, where it may": {`{"role":true,"client":"c"}`, []string{"token", "file"}, nil},
		"none, where none is needed":   {`{"role":true,"baseUrl":"http://localhost"}`, nil, nil},
		"nothing": {`{}`, nil, []string{
			"d[0].settings.key required Give the key, or the role. Their names are key and secret, or role.",
			"d[0].secrets.file required Give the file, or the client. Their names are file, or client and token.",
		}},
		"no settings": {"", []string{"file"}, []string{"d[0].settings.key required Give the key, or the role. Their names are key and secret, or role."}},
		"what is empty is nothing": {`{"key":"","role":false,"client":null}`, []string{"file"}, []string{
			"d[0].settings.key required Give the key, or the role. Their names are key and secret, or role.",
		}},
		"a part": {`{"key":"k","client":"c"}`, nil, []string{
			"d[0].secrets.secret required With what was given secret is needed, too: give key and secret, or role.",
			"d[0].secrets.token required With what was given token is needed, too: give file, or client and token.",
		}},
		"a part beside a way": {`{"key":"k","role":true}`, []string{"file"}, []string{
			"d[0].settings.key not_allowed Give key and secret, or role, not both: leave out key, or role.",
		}},
		"both": {`{"key":"k","role":true}`, []string{"file", "secret"}, []string{
			"d[0].settings.role not_allowed Give key and secret, or role, not both: leave out role, or key and secret.",
		}},
		"what others refuse": {`[]`, nil, nil},
	} {
		var got []string
		secret := func(name string) bool { return name == "secret" || name == "file" || name == "token" }
		for _, p := range f.Problems([]byte(tc.settings), tc.given, secret, "d[0]") {
			got = append(got, p.Path+" "+p.Code+" "+p.Text)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if p := (*form.Form)(nil).Problems(nil, nil, nil, ""); p != nil {
		t.Errorf("no form has the problems %v", p)
	}
}
