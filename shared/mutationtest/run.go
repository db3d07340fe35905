package mutationtest

import (
	"context"
	"flag"
	"slices"
	"testing"
	"time"
)

// most is how long tests may take with one mutant, by the clock on the wall.
const most = 5 * time.Minute

var rare = flag.Bool("rare", false, "seek rare mutants too, each of which takes many seeds (make mutants)")

// Tests are those of a package that have to find every mutant in testdata/mutants.
type Tests struct {
	Pattern string   // their names, as -test.run takes it
	Args    []string // more arguments of the test binary, such as how many seeds a mutant has to be found in
	Control []string // arguments of the run without a mutant, in which the tests have to pass
	Rare    []string // mutants that take so long to be found that only the flag -rare has them sought
}

// Run fails t for each mutant of the package in the working directory with which
// the tests pass, and when they fail without one. Rare mutants are built, and sought
// when the flag -rare is given.
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
	for _, name := range tests.Rare {
		if !slices.Contains(s.Mutants, name) {
			t.Errorf("no patch has the rare mutant %q", name)
		}
	}
	for _, mutant := range s.Mutants {
		if slices.Contains(tests.Rare, mutant) && !*rare {
			continue
		}
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
