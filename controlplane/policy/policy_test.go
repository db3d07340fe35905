package policy_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"

	"weir/controlplane/policy"
	"weir/controlplane/policy/action"
	"weir/shared/fault"
)

func TestRulesPassTheirOwnTests(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.rego")
	if err != nil || len(files) < 2 {
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
	results, err := tester.NewRunner().SetModules(modules).SetStore(inmem.NewFromObject(policy.Table(t))).RunTests(t.Context(), nil)
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

func granted(role policy.Role, organization, workspace string) policy.Subject {
	return policy.Subject{Grants: []policy.Grant{{Role: role, Organization: organization, Workspace: workspace}}}
}

func newPolicy(t testing.TB) *policy.Policy {
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
	if err := p.Allow(t.Context(), granted("operator", "", ""), action.InvitePlane, policy.Resource{}); err != nil {
		t.Errorf("Allow(operator, plane:invite) = %v, want nil", err)
	}
	err := p.Allow(t.Context(), granted("viewer", "org_a", ""), action.WriteWorkspace, policy.Resource{Organization: "org_a"})
	if err == nil || fault.KindOf(err) != fault.Denied {
		t.Errorf("Allow(viewer, workspace:write) = %v, want denied", err)
	}
	bound := granted("editor", "org_a", "ws_a")
	if err := p.Allow(t.Context(), bound, action.WriteWorkspace, policy.Resource{Organization: "org_a", Workspace: "ws_a"}); err != nil {
		t.Errorf("an editor of ws_a writes ws_a: %v, want nil", err)
	}
	for _, elsewhere := range []policy.Resource{{Organization: "org_a", Workspace: "ws_b"}, {Organization: "org_a"}, {Organization: "org_b", Workspace: "ws_a"}, {}} {
		err = p.Allow(t.Context(), bound, action.WriteWorkspace, elsewhere)
		if err == nil || fault.KindOf(err) != fault.Denied || !strings.Contains(err.Error(), "elsewhere") {
			t.Errorf("an editor of ws_a writes %v: %v, want denied there", elsewhere, err)
		}
	}
}

func TestAllowIsNotAYesWhenItCannotBeAsked(t *testing.T) {
	t.Parallel()
	p := newPolicy(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // a cancelled evaluation may still finish; it must never turn a no into a yes
		if err := p.Allow(ctx, granted("viewer", "org_a", ""), action.WriteWorkspace, policy.Resource{Organization: "org_a"}); err == nil {
			t.Fatal("Allow with a cancelled context said yes")
		}
	}
}

// TestTheCacheKeepsCallersApart asks the same of several callers, twice each: the second
// answer comes from the cache.
func TestTheCacheKeepsCallersApart(t *testing.T) {
	t.Parallel()
	p := newPolicy(t)
	on := policy.Resource{Organization: "org_a", Workspace: "ws_a"}
	limited := granted("editor", "org_a", "")
	limited.Scopes = []policy.Action{}
	own := granted("deployer", "org_a", "")
	own.Grants[0].Actions = []policy.Action{action.WriteWorkspace}
	for range 2 {
		for i, tc := range []struct {
			who policy.Subject
			may bool
		}{
			{granted("editor", "org_a", ""), true}, {granted("editor", "org_a", "ws_a"), true}, {granted("viewer", "org_a", ""), false},
			{granted("editor", "org_b", ""), false}, {granted("editor", "org_a", "ws_b"), false}, {limited, false}, {own, true}, {granted("deployer", "org_a", ""), false},
		} {
			if err := p.Allow(t.Context(), tc.who, action.WriteWorkspace, on); (err == nil) != tc.may {
				t.Errorf("caller %d: %v, want allowed %v", i, err, tc.may)
			}
		}
	}
}

func TestBeyondNamesWhatTheGiverLacks(t *testing.T) {
	t.Parallel()
	p := newPolicy(t)
	got, err := p.Beyond(t.Context(), granted("admin", "org_a", ""), policy.Grant{Role: "owner", Organization: "org_a"})
	if err != nil || !slices.Equal(got, []policy.Action{"owner:write", "policy:write"}) {
		t.Errorf("an admin who gives the role owner lacks %v, %v; want owner:write and policy:write", got, err)
	}
	if got, err := p.Beyond(t.Context(), granted("owner", "org_a", ""), policy.Grant{Role: "viewer", Organization: "org_b"}); err != nil || len(got) == 0 {
		t.Errorf("an owner of one organization may give roles in another: %v, %v", got, err)
	}
}

func BenchmarkAllow(b *testing.B) {
	p := newPolicy(b)
	who := policy.Subject{Grants: []policy.Grant{{Role: "viewer", Organization: "org_a"}, {Role: "editor", Organization: "org_a", Workspace: "ws_a"}, {Role: "editor", Organization: "org_b"}}}
	for name, workspaces := range map[string]int{"uncached": 1 << 30, "cached": 1000} {
		b.Run(name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				n++
				on := policy.Resource{Organization: "org_a", Workspace: "ws_" + strconv.Itoa(n%workspaces)}
				if p.Allow(b.Context(), who, action.ReadWorkspace, on) != nil {
					b.Fatal("a viewer of the organization may not read a workspace of it")
				}
			}
		})
	}
}
