package mutationtest_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/shared/mutationtest"
)

// files are a workspace of a package sum, which uses a package number, and has a
// patch for each of them.
var files = map[string]string{
	"go.work":          "go 1.26.0\n\nuse ./m\n",
	"m/go.mod":         "module m\n\ngo 1.26.0\n",
	"m/number/zero.go": "package number\n\n// Zero is none.\nfunc Zero() int {\n\treturn 0\n}\n",
	"m/sum/sum.go": `package sum

import "m/number"

// Of adds a list.
func Of(list []int) int {
	sum := number.Zero()
	for _, n := range list {
		sum += n
	}
	return sum
}
`,
	"m/sum/sum_test.go": `package sum

import "testing"

func TestSum(t *testing.T) {
	if got := Of([]int{1, 2}); got != 3 {
		t.Errorf("sum is %d", got)
	}
}

func TestEmpty(t *testing.T) {
	if got := Of(nil); got != 0 {
		t.Errorf("sum of nothing is %d", got)
	}
}
`,
	"m/sum/testdata/mutants/one.patch": `--- a/m/number/zero.go
+++ b/m/number/zero.go
@@ -4,3 +4,6 @@
 func Zero() int {
+	if mutant("starts at one") {
+		return 1
+	}
 	return 0
 }
`,
	"m/sum/testdata/mutants/skip.patch": `--- a/m/sum/sum.go
+++ b/m/sum/sum.go
@@ -90,3 +90,5 @@
 	for _, n := range list {
-		sum += n
+		if !mutant("adds nothing") {
+			sum += n
+		}
 	}
`,
}

// write writes the workspace, with a file replaced, and returns the folder of the
// package sum.
func write(t *testing.T, name, text string) string {
	t.Helper()
	root := t.TempDir()
	put := func(name, text string) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		put(name, text)
	}
	put(name, text)
	return filepath.Join(root, "m", "sum")
}

func TestEachMutantIsThereOnlyWhenItIsChosen(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, err := mutationtest.Build(ctx, write(t, "m/sum/testdata/empty", ""), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"adds nothing", "starts at one"}, s.Mutants); d != "" {
		t.Errorf("mutants (-want +got):\n%s", d)
	}
	for _, tc := range []struct{ mutant, pattern, want string }{
		{"", ".", ""},
		{"adds nothing", ".", "sum is 0"},
		{"starts at one", ".", "sum is 4"},
		{"starts at one", "Empty", "sum of nothing is 1"},
		{"adds nothing", "Empty", ""},
	} {
		found, err := s.Find(ctx, tc.mutant, tc.pattern)
		if err != nil || !strings.HasSuffix(found, tc.want) || (found == "") != (tc.want == "") {
			t.Errorf("with mutant %q, tests %q: found %q, %v, want %q", tc.mutant, tc.pattern, found, err, tc.want)
		}
	}
	if _, err := s.Find(ctx, "", "Nothing"); err == nil {
		t.Error("a pattern that matches no test is no error")
	}
	if _, err := s.Find(ctx, "", ".", "-unknown"); err == nil {
		t.Error("a binary that refuses its arguments is no error")
	}
	stopped, stop := context.WithCancel(ctx)
	stop()
	if _, err := s.Find(stopped, "", "."); err == nil {
		t.Error("tests that were stopped are no error")
	}
}

func TestPatchesThatProveNothingAreRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ file, text, want string }{
		"code has changed":      {"m/sum/sum.go", strings.Replace(files["m/sum/sum.go"], "+= n", "+= 1*n", 1), "patch skip.patch: it no longer applies"},
		"a file is gone":        {"m/sum/testdata/mutants/gone.patch", "--- a/m/gone.go\n+++ b/m/gone.go\n@@ -1 +1 @@\n-a\n+b\n", "patch gone.patch: a file that it changes"},
		"no mutant is named":    {"m/sum/testdata/mutants/skip.patch", strings.ReplaceAll(files["m/sum/testdata/mutants/skip.patch"], `!mutant("adds nothing")`, "n > 0"), "no line that it adds"},
		"a name stands in two":  {"m/sum/testdata/mutants/skip.patch", strings.ReplaceAll(files["m/sum/testdata/mutants/skip.patch"], "adds nothing", "starts at one"), "named by two patches"},
		"what does not compile": {"m/sum/testdata/mutants/skip.patch", strings.ReplaceAll(files["m/sum/testdata/mutants/skip.patch"], `!mutant("adds nothing")`, `unknown(mutant("x"))`), "undefined: unknown"},
		"a patch of nothing":    {"m/sum/testdata/mutants/empty.patch", "", "patch empty.patch: it changes no Go file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := mutationtest.Build(context.Background(), write(t, tc.file, tc.text), t.TempDir())
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Build = %v, want an error with %q", err, tc.want)
			}
		})
	}
}
