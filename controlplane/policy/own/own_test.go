package own_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/controlplane/policy/own"
	"weir/shared/fault"
	"weir/shared/worker"
)

// TestMain makes the test binary a worker when it is started as one.
func TestMain(m *testing.M) {
	worker.Tasks{own.Task: own.Serve}.Divert()
	os.Exit(m.Run())
}

func judge(t testing.TB) *own.Judge {
	j := own.NewJudge(own.Config{})
	t.Cleanup(j.Close)
	return j
}

const names = `package policies.names
deny contains {"path": path, "message": "a name begins with team-", "code": "bad_team"} if {
	some i, d in input.after.destinations
	not startswith(d.name, "team-")
	path := sprintf("destinations[%d].name", [i])
}`

// rule is a policy with one more rule beside a deny that never holds.
func rule(text string) string {
	return "package p\ndeny contains {\"message\": \"no\"} if input.never\n" + text
}

var input = map[string]any{"after": map[string]any{"destinations": []any{map[string]any{"name": "team-a"}, map[string]any{"name": "crm"}}}}

func TestPoliciesDeny(t *testing.T) {
	t.Parallel()
	j := judge(t)
	for range 2 { // the second one finds the policy compiled
		got, err := j.Review(t.Context(), "org", []own.Policy{{"names", names}, {"quiet", rule("")}}, input)
		if err != nil {
			t.Fatal(err)
		}
		want := []fault.Problem{{Path: "destinations[1].name", Code: "bad_team", Text: "Policy names: a name begins with team-"}}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("reasons (-want +got):\n%s", d)
		}
	}
}

// TestAPolicyThatCannotBeAskedDeniesByItsName: whatever a policy does to the process that
// asks it, the answer is a refusal that names it, and others are asked.
func TestAPolicyThatCannotBeAskedDeniesByItsName(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"endless":  rule(`deny contains {"message": "x"} if { some a in numbers.range(1, 3000); some b in numbers.range(1, 3000); some c in numbers.range(1, 3000); a + b + c == 0 }`),
		"greedy":   rule(`deny contains {"message": x} if { x := concat("", [s | some i in numbers.range(1, 10000000); s := sprintf("%d%s", [i, "................................................................"])]); count(x) < 0 }`),
		"list":     rule(`deny contains "text"`),
		"wordless": rule(`deny contains {"path": "x"}`),
		"chatty":   rule(`deny contains {"message": "x", "more": "y"}`),
		"number":   rule(`deny contains {"message": 1}`),
		"code":     rule(`deny contains {"message": "x", "code": "Not A Code"}`),
		"conflict": rule("f(x) := 1 if x\nf(x) := 2 if x\ndeny contains {\"message\": \"x\"} if f(true) == 1"),
		"strict":   rule(`deny contains {"message": "x"} if to_number("no") == 1`),
		"garbage":  "package",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := judge(t).Review(t.Context(), "org", []own.Policy{{"first", names}, {"bad", text}, {"last", names}}, input)
			if err != nil {
				t.Fatal(err)
			}
			var codes []string
			for _, p := range got {
				codes = append(codes, p.Code)
				if p.Code == own.CodeFailed && !strings.Contains(p.Text, "The policy bad could not be asked") {
					t.Errorf("the reason names no policy: %s", p.Text)
				}
			}
			if d := cmp.Diff([]string{"bad_team", own.CodeFailed, "bad_team"}, codes); d != "" {
				t.Errorf("codes (-want +got):\n%s", d)
			}
		})
	}
}

func TestAPolicyIsCheckedBeforeItIsSet(t *testing.T) {
	t.Parallel()
	j := judge(t)
	for name, tc := range map[string]struct{ text, code string }{
		"good":           {names, ""},
		"no Rego":        {"hello", own.CodeRego},
		"no deny":        {"package p\nallow if true", own.CodeShape},
		"deny a value":   {"package p\ndeny := true", own.CodeShape},
		"deny an object": {"package p\ndeny.x contains 1", own.CodeShape},
		"network":        {rule(`x := http.send({"method": "get", "url": "http://127.0.0.1/"})`), own.CodeRego},
		"names":          {rule(`x := net.lookup_ip_addr("example.com")`), own.CodeRego},
		"environment":    {rule(`x := opa.runtime()`), own.CodeRego},
		"clock":          {rule(`x := time.now_ns()`), own.CodeRego},
		"chance":         {rule(`x := rand.intn("a", 5)`), own.CodeRego},
		"remote schema":  {rule(`x := json.match_schema({}, {"$ref": "http://127.0.0.1/"})`), own.CodeRego},
		"unsafe":         {rule(`p contains x if not x == 1`), own.CodeRego},
		"too large":      {strings.Repeat("#", own.MaxText+1), own.CodeLarge},
	} {
		problems, err := j.Check(t.Context(), "org", own.Policy{Name: "p", Text: tc.text})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		code := ""
		if len(problems) > 0 {
			code = problems[0].Code
		}
		if code != tc.code {
			t.Errorf("%s: problems %v, want %q", name, problems, tc.code)
		}
	}
	if problems, err := j.Check(t.Context(), "org", own.Policy{Name: "Not/Good", Text: names}); err != nil || len(problems) != 1 || problems[0].Code != own.CodeName {
		t.Errorf("a bad name: %v, %v", problems, err)
	}
}

func TestAnEndedContextIsNoYes(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := judge(t).Review(ctx, "org", []own.Policy{{"names", names}}, input); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("error %v, want unavailable", err)
	}
}

func TestPoliciesHaveTests(t *testing.T) {
	t.Parallel()
	files := map[string]string{"names.rego": names, "names_test.rego": `package policies.names_test
import data.policies.names
test_denies if count(names.deny) == 1 with input as {"after": {"destinations": [{"name": "crm"}]}}
test_fails if count(names.deny) == 1 with input as {"after": {"destinations": []}}`}
	got, err := own.Test(t.Context(), files)
	if err != nil || len(got) != 2 || !got[0].Pass || got[1].Pass || got[1].Name != "policies.names_test.test_fails" {
		t.Errorf("results %+v, %v", got, err)
	}
	for name, text := range map[string]string{"clock.rego": rule(`x := time.now_ns()`), "shape.rego": "package q\nx := 1"} {
		if _, err := own.Test(t.Context(), map[string]string{name: text}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v, want one that names the file", name, err)
		}
	}
}

func BenchmarkReview(b *testing.B) {
	j := judge(b)
	for b.Loop() {
		if got, err := j.Review(b.Context(), "org", []own.Policy{{"names", names}}, input); err != nil || len(got) != 1 {
			b.Fatal(got, err)
		}
	}
}
