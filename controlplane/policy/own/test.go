package own

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/tester"
)

// Result is what became of one test.
type Result struct {
	Name string // package and rule
	Pass bool
	Skip bool
	Why  string // where it did not pass
}

// testTime is how long one test may take.
const testTime = 5 * time.Second

// testSuffix ends the names of files with tests.
const testSuffix = "_test.rego"

// Test compiles the modules of some files, by name, and runs their tests, the rules that
// begin with test_, in this process and with the same built-in functions as a review. What
// does not compile is an error that says where. Files that do not end in _test.rego are
// policies, and each has to be one.
func Test(ctx context.Context, files map[string]string) ([]Result, error) {
	modules := map[string]*ast.Module{}
	for _, name := range sorted(files) {
		module, err := ast.ParseModuleWithOpts(name, files[name], ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: capabilities()})
		if err != nil {
			return nil, err
		}
		modules[name] = module
		if strings.HasSuffix(name, testSuffix) {
			continue
		}
		if _, problems := compile(ctx, Policy{Name: strings.TrimSuffix(name, ".rego"), Text: files[name]}); len(problems) > 0 {
			return nil, fmt.Errorf("%s %s: %s", name, problems[0].Path, problems[0].Text)
		}
	}
	results, err := tester.NewRunner().SetCompiler(compiler()).SetModules(modules).SetTimeout(testTime).RaiseBuiltinErrors(true).RunTests(ctx, nil)
	if err != nil {
		return nil, err
	}
	var out []Result
	for r := range results {
		one := Result{Name: strings.TrimPrefix(r.Package, "data.") + "." + r.Name, Pass: r.Pass(), Skip: r.Skip}
		if r.Error != nil {
			one.Why = r.Error.Error()
		} else if r.FailedAt != nil && r.FailedAt.Location != nil {
			one.Why = fmt.Sprintf("%s:%d", r.FailedAt.Location.File, r.FailedAt.Location.Row)
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b Result) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func sorted(files map[string]string) []string { return slices.Sorted(maps.Keys(files)) }
