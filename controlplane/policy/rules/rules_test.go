package rules_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/tester"

	"weir/controlplane/policy/rules"
	"weir/shared/fault"
	"weir/shared/workspace"
)

func TestRulesPassTheirOwnTests(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.rego")
	if err != nil || len(files) < 4 {
		t.Fatalf("rules found: %v, %v; want rules and their tests", files, err)
	}
	modules := map[string]*ast.Module{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if modules[file], err = ast.ParseModule(file, string(text)); err != nil {
			t.Fatal(err)
		}
	}
	results, err := tester.NewRunner().SetModules(modules).RunTests(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for result := range results {
		ran++
		if !result.Pass() {
			t.Errorf("%s in %s: failed, error %v", result.Name, result.Package, result.Error)
		}
	}
	if ran < 10 {
		t.Errorf("ran %d rule tests, want all of them", ran)
	}
}

func newBook(t testing.TB) *rules.Book {
	t.Helper()
	b, err := rules.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// commit is one that rules look at.
var commit = rules.Facts{
	Workspace: "shop", Region: "eu",
	Destinations:    []rules.Destination{{Name: "hook", Type: "webhook"}, {Name: "crm", Type: "hubspot"}},
	Connections:     []rules.Connection{{Source: "web", Destination: rules.Destination{Name: "crm", Type: "hubspot"}, Transformations: []string{"mask"}}},
	Transformations: map[string]string{"mask": strings.Repeat("a", 64)},
	Changes:         []rules.Change{{Op: "add", Kind: "destination", Name: "crm"}},
}

const document = `
regions: { eu: [webhook] }
forbid: [hubspot]
masking: [{ fields: [email], by: [{ transformation: other }], exempt: [hook] }]
approval: [{ kinds: [destination] }]
`

func TestRulesOfAnOrganization(t *testing.T) {
	t.Parallel()
	p := newBook(t)
	r, wrong := rules.Read(document)
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	problems, needs, err := p.Ask(t.Context(), r, commit)
	var codes []string
	for _, p := range problems {
		codes = append(codes, p.Path+" "+p.Code)
	}
	want := []string{"connections[0].transformations masking_missing", "destinations[1].type kind_forbidden", "destinations[1].type kind_not_allowed"}
	if d := cmp.Diff(want, codes); d != "" || err != nil || len(needs) != 1 {
		t.Errorf("needs %v, error %v, problems (-want +got):\n%s", needs, err, d)
	}
	if empty, wrong := rules.Read(""); len(wrong) > 0 {
		t.Errorf("an empty document: %v", wrong)
	} else if problems, needs, err := p.Ask(t.Context(), empty, commit); err != nil || len(problems)+len(needs) > 0 {
		t.Errorf("no rules say %v, %v, %v", problems, needs, err)
	}
	for _, bad := range []string{"region: {}", "forbid: webhook", "exceptions: [{ workspace: a }]", "masking: [{ fields: [a] }]", "masking: [{ fields: [a], by: [{ transformation: a, sha256: x }] }]",
		"approval: [{ operations: [burn] }]", "regions: { E U: [] }", "[", strings.Repeat("#", 65<<10)} {
		if _, wrong := rules.Read(bad); len(wrong) == 0 {
			t.Errorf("%.40q was taken", bad)
		}
	}
}

func BenchmarkReview(b *testing.B) {
	p := newBook(b)
	r, _ := rules.Read(document)
	b.Run("placement", func(b *testing.B) {
		for b.Loop() {
			if _, err := p.Review(b.Context(), rules.Placement{Config: workspace.Config{Region: "eu"}, Former: "eu", Plane: "pl_a", PlaneRegion: "eu"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("rules", func(b *testing.B) {
		for b.Loop() {
			if problems, _, err := p.Ask(b.Context(), r, commit); err != nil || len(problems) != 3 {
				b.Fatal(problems, err)
			}
		}
	})
}

func TestReviewNamesEveryProblem(t *testing.T) {
	t.Parallel()
	got, err := newBook(t).Review(t.Context(), rules.Placement{
		Config: workspace.Config{Region: "us"}, Former: "eu", Plane: "pl_a", PlaneRegion: "eu",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []fault.Problem{
		{Path: "region", Code: "region_changed", Text: "the workspace was made in region eu and cannot move to us; make a new workspace there"},
		{Path: "region", Code: "region_mismatch", Text: "the workspace is pinned to region us, but plane pl_a is in region eu"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("problems differ (-want +got):\n%s", d)
	}
}
