package policy_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/tester"

	"weir/controlplane/policy"
	"weir/shared/fault"
	"weir/shared/id"
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

func newPolicy(t *testing.T) *policy.Policy {
	t.Helper()
	p, err := policy.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAllowRefusesWithDenied(t *testing.T) {
	t.Parallel()
	p := newPolicy(t)
	if err := p.Allow(t.Context(), policy.Subject{Role: policy.Admin}, policy.InvitePlane, policy.Resource{}); err != nil {
		t.Errorf("Allow(admin, plane:invite) = %v, want nil", err)
	}
	err := p.Allow(t.Context(), policy.Subject{Role: policy.Viewer}, policy.WriteWorkspace, policy.Resource{})
	if err == nil || fault.KindOf(err) != fault.Denied {
		t.Errorf("Allow(viewer, workspace:write) = %v, want denied", err)
	}
	bound := policy.Subject{Role: policy.Editor, Workspace: "ws_a"}
	if err := p.Allow(t.Context(), bound, policy.WriteWorkspace, policy.Resource{Workspace: "ws_a"}); err != nil {
		t.Errorf("an editor of ws_a writes ws_a: %v, want nil", err)
	}
	for _, elsewhere := range []id.Workspace{"ws_b", ""} {
		err = p.Allow(t.Context(), bound, policy.WriteWorkspace, policy.Resource{Workspace: elsewhere})
		if err == nil || fault.KindOf(err) != fault.Denied || !strings.Contains(err.Error(), "elsewhere") {
			t.Errorf("an editor of ws_a writes %q: %v, want denied there", elsewhere, err)
		}
	}
}

func TestAllowIsNotAYesWhenItCannotBeAsked(t *testing.T) {
	t.Parallel()
	p := newPolicy(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // a cancelled evaluation may still finish; it must never turn a no into a yes
		if err := p.Allow(ctx, policy.Subject{Role: policy.Viewer}, policy.WriteWorkspace, policy.Resource{}); err == nil {
			t.Fatal("Allow with a cancelled context said yes")
		}
	}
}

func TestReviewNamesEveryProblem(t *testing.T) {
	t.Parallel()
	got, err := newPolicy(t).Review(t.Context(), policy.Placement{
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
