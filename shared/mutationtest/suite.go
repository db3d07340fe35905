package mutationtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// variable is the environment variable that chooses a mutant.
const variable = "WEIR_MUTANT"

// chooser is what a patched package gets: the names of patches lead to it.
const chooser = `package %s

import "os"

var chosenMutant = os.Getenv(%q)

// mutant reports whether the mistake of this name is to be made.
func mutant(name string) bool { return name == chosenMutant }
`

// Suite is a test binary that has all mutants of its package in it.
type Suite struct {
	Mutants []string // sorted
	binary  string
	dir     string // where its tests run
}

var (
	patched = regexp.MustCompile(`(?m)^\+\+\+ b/(\S+\.go)$`)
	named   = regexp.MustCompile(`(?m)^\+.*\bmutant\("([^"]+)"\)`)
)

// Build applies the patches in dir and builds the tests of the package there. It
// writes to out, an empty folder, which has to stay as long as the suite is used.
// A patch that does not apply, or names no mutant, and code that does not compile
// are errors.
func Build(ctx context.Context, dir, out string) (*Suite, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	root, err := rootOf(dir)
	if err != nil {
		return nil, err
	}
	patches, err := filepath.Glob(filepath.Join(dir, "testdata", "mutants", "*.patch"))
	if err != nil {
		return nil, err
	}
	if len(patches) == 0 {
		return nil, fmt.Errorf("%s has no patches in testdata/mutants", dir)
	}
	s := &Suite{binary: filepath.Join(out, "mutants.test"), dir: dir}
	w := &overlay{root: root, dir: filepath.Join(out, "tree"), Replace: map[string]string{}}
	for _, path := range patches {
		names, err := w.apply(ctx, path)
		if err != nil {
			return nil, fmt.Errorf("patch %s: %w", filepath.Base(path), err)
		}
		s.Mutants = append(s.Mutants, names...)
	}
	slices.Sort(s.Mutants)
	if all := len(s.Mutants); len(slices.Compact(s.Mutants)) < all {
		return nil, fmt.Errorf("a mutant is named by two patches: %q", s.Mutants)
	}
	if err := w.choosers(); err != nil {
		return nil, err
	}
	spec, err := json.Marshal(w)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(out, "overlay.json")
	if err := os.WriteFile(file, spec, 0o600); err != nil {
		return nil, err
	}
	build := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", file, "-o", s.binary, ".")
	build.Dir = dir
	if said, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the package with its mutants: %w\n%s", err, said)
	}
	return s, nil
}

// rootOf returns the folder of the workspace that dir is in.
func rootOf(dir string) (string, error) {
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.work")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("no folder above %s has a go.work", dir)
		}
	}
}

// overlay is patched copies of files, in the form of go build -overlay.
type overlay struct {
	root string // of the repository
	dir  string // of the copies

	Replace map[string]string // a file's path: that of its copy
}

// apply patches copies of the files that a patch names, and returns the mutants
// that it adds.
func (o *overlay) apply(ctx context.Context, patch string) ([]string, error) {
	text, err := os.ReadFile(patch)
	if err != nil {
		return nil, err
	}
	files := patched.FindAllSubmatch(text, -1)
	if len(files) == 0 {
		return nil, errors.New("it changes no Go file")
	}
	for _, m := range files {
		if err := o.copy(string(m[1])); err != nil {
			return nil, err
		}
	}
	// One line of context has to fit above and below; the numbers of lines need not.
	apply := exec.CommandContext(ctx, "git", "apply", "-C1", "--whitespace=nowarn", patch)
	apply.Dir = o.dir
	apply.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(o.dir), "LC_ALL=C")
	if said, err := apply.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("it no longer applies: make its mistake anew in the code as it is now (%w)\n%s", err, said)
	}
	seen := map[string]bool{}
	for _, m := range named.FindAllSubmatch(text, -1) {
		seen[string(m[1])] = true
	}
	if len(seen) == 0 {
		return nil, errors.New(`no line that it adds has mutant("a name")`)
	}
	return slices.Collect(maps.Keys(seen)), nil
}

// copy copies a file of the repository, unless it is copied already.
func (o *overlay) copy(name string) error {
	from, to := filepath.Join(o.root, name), filepath.Join(o.dir, name)
	if _, ok := o.Replace[from]; ok {
		return nil
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("a file that it changes: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	o.Replace[from] = to
	return os.WriteFile(to, text, 0o600)
}

var packageClause = regexp.MustCompile(`(?m)^package (\w+)`)

// choosers adds the function mutant to each package that has a patched file.
func (o *overlay) choosers() error {
	for from, to := range maps.Clone(o.Replace) {
		file := filepath.Join(filepath.Dir(to), "mutant_chosen.go")
		o.Replace[filepath.Join(filepath.Dir(from), filepath.Base(file))] = file
		text, err := os.ReadFile(to)
		if err != nil {
			return err
		}
		name := packageClause.FindSubmatch(text)
		if name == nil {
			return fmt.Errorf("%s has no package clause", from)
		}
		if err := os.WriteFile(file, fmt.Appendf(nil, chooser, name[1], variable), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// failure matches the first words that say why a test failed.
var failure = regexp.MustCompile(`(?m)^\s+\S+\.go:\d+: .*|^panic: .*|^fatal error: .*`)

// Find runs the tests that match pattern, as -test.run takes it, with a mutant, ""
// for none. It returns the first thing that they find wrong, "" when they pass.
// args are more arguments of the binary. Tests that do not run or end are errors.
func (s *Suite) Find(ctx context.Context, mutant, pattern string, args ...string) (string, error) {
	args = append([]string{"-test.run", pattern, "-test.failfast", "-test.timeout", "0"}, args...)
	run := exec.CommandContext(ctx, s.binary, args...)
	run.Dir = s.dir
	run.Env = append(os.Environ(), variable+"="+mutant)
	var said bytes.Buffer
	run.Stdout, run.Stderr = &said, &said
	err := run.Run()
	switch text := said.String(); {
	case ctx.Err() != nil:
		return "", fmt.Errorf("the tests were stopped before they ended: %w", context.Cause(ctx))
	case strings.Contains(text, "no tests to run"):
		return "", fmt.Errorf("no test matches %s", pattern)
	case err == nil:
		return "", nil
	case failure.MatchString(text):
		return strings.TrimSpace(failure.FindString(text)), nil
	default:
		return "", fmt.Errorf("the tests did not run: %w\n%s", err, text)
	}
}
