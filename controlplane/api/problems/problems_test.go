package problems_test

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/controlplane/api/problems"
)

var update = flag.Bool("update", false, "rewrite docs/problems.md")

func TestThePageOfProblemsIsThatOfTheList(t *testing.T) {
	const file = "../../../docs/problems.md"
	if *update {
		if err := os.WriteFile(file, []byte(problems.Page()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), problems.Page()); diff != "" {
		t.Errorf("%s is not the list (-file +list), -update rewrites it:\n%s", file, diff)
	}
	codes := map[string]bool{}
	for _, p := range problems.All() {
		if codes[p.Code] || p.Cause == "" || p.Remedy == "" || p.Status < 400 {
			t.Errorf("%+v is doubled or not complete", p)
		}
		codes[p.Code] = true
	}
}
