package calls_test

import (
	"os"
	"strings"
	"testing"

	"weir/shared/catalog"
)

// TestTheExampleOfTheDocumentIsRight: the file that people copy from is accepted.
func TestTheExampleOfTheDocumentIsRight(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/adding-a-destination.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	example, _, _ := strings.Cut(rest, "```")
	s, err := catalog.Parse([]byte(example))
	if err != nil || s.Calls == nil || len(s.Calls.Calls) == 0 {
		t.Errorf("%v, %+v", err, s.Calls)
	}
}
