package destinationtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"weir/dataplane/destination/cases"
	"weir/shared/fault"
)

// caseFile is one case, and the texts in it that are secret.
type caseFile struct {
	*cases.Case
	secrets []secretText
	alone   bool // another case has its settings: no generated batches are built again
}

func readCase(path string) (*caseFile, error) {
	read, err := cases.Read(path)
	if read == nil {
		return nil, err
	}
	c := &caseFile{Case: read}
	for _, name := range slices.Sorted(maps.Keys(read.Given)) {
		for _, s := range secretTexts(name, read.Given[name]) {
			if utf8.RuneCountInString(s.text) < minSecret {
				return nil, fmt.Errorf("%s, secrets.json: %s is too short to be searched for: make up a secret of %d characters or more", path, s.name, minSecret)
			}
			c.secrets = append(c.secrets, s)
		}
	}
	return c, err
}

// checkProblems wants fault.Invalid, every problem with a path below settings or secrets.
func checkProblems(t *testing.T, name string, err error) {
	t.Helper()
	problems := fault.ProblemsOf(err)
	if fault.KindOf(err) != fault.Invalid || len(problems) == 0 {
		t.Errorf("%s: %v, want fault.Invalid with problems", name, err)
	}
	for _, p := range problems {
		if !strings.HasPrefix(p.Path, "settings") && !strings.HasPrefix(p.Path, "secrets") || !code.MatchString(p.Code) || p.Text == "" {
			t.Errorf("%s: problem %+v, want a path in settings or secrets, a code and a sentence", name, p)
		}
	}
}
