package private_test

import (
	"os"
	"testing"

	"weir/shared/catalog"
	"weir/shared/catalog/private"
)

// TestTheExamplesOfTheConsoleAreRight: what people begin with in the console has no
// problem.
func TestTheExamplesOfTheConsoleAreRight(t *testing.T) {
	t.Parallel()
	for name, parse := range map[string]func(string) (catalog.Spec, error){"destination": private.Parse, "source": private.ParseSource} {
		text, err := os.ReadFile("../../../web/src/pages/object/examples/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if s, err := parse(string(text)); err != nil || len(s.Secrets) == 0 {
			t.Errorf("%s.yaml: %v", name, err)
		}
	}
}
