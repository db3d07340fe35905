package mutationtest

import (
	"context"
	"testing"
	"time"
)

// most is how long tests may take with one mutant, by the clock on the wall.
const most = 30 * time.Minute

// Tests are those of a package that have to find every mutant in testdata/mutants.
type Tests struct {
	Pattern string   // their names, as -test.run takes it
	Args    []string // more arguments of the test binary, such as how many seeds a mutant has to be found in
	Control []string // arguments of the run without a mutant, in which the tests have to pass
}

// Run fails t for each mutant of the package in the working directory with which
// the tests pass, and when they fail without one.
func Run(t *testing.T, tests Tests) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), most)
	defer stop()
	s, err := Build(ctx, ".", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if found, err := s.Find(ctx, "", tests.Pattern, tests.Control...); err != nil || found != "" {
		t.Fatalf("without a mutant: %v %s", err, found)
	}
	for _, mutant := range s.Mutants {
		t.Run(mutant, func(t *testing.T) {
			ctx, stop := context.WithTimeout(t.Context(), most)
			defer stop()
			switch found, err := s.Find(ctx, mutant, tests.Pattern, tests.Args...); {
			case err != nil:
				t.Error(err)
			case found == "":
				t.Error("the tests find nothing wrong")
			default:
				t.Logf("found: %s", found)
			}
		})
	}
}
