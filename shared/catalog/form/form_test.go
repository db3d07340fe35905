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
			{Doc: "Give it.", Of: [][]string{{"host"}}},
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
		"form.choices[2].of required", "form.columns.tabels unknown_field",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if p := (*form.Form)(nil).Check(nil); p != nil {
		t.Errorf("no form has the problems %v", p)
	}
}
