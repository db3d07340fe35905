package transform_test

import (
	"testing"

	"weir/shared/mutationtest"
)

func TestMutantsAreFound(t *testing.T) {
	t.Parallel()
	mutationtest.Run(t, mutationtest.Tests{Pattern: "^TestOnlyWhatKillsWorkersIsEndedForIt$"})
}
