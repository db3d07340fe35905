package profile_test

import (
	"testing"

	"weir/shared/mutationtest"
)

// TestMutantsAreFound: tests find what a build of some persons could forget.
func TestMutantsAreFound(t *testing.T) {
	t.Parallel()
	mutationtest.Run(t, mutationtest.Tests{Pattern: "^(TestSomeIsAll|TestRowsOfABlockedUser)$/^duckdb$", Args: []string{"-seeds=5"}, Control: []string{"-seeds=1"}})
}
