package cli_test

import (
	"strings"
	"testing"

	"weir/shared/command"
)

const tested = `workspace: acme
region: eu
transformations:
  - name: mask
    language: javascript
    code: |
      export function transformEvent(event) {
        if (event.event === "Secret") return null;
        if (event.event === "Bad") throw new Error("no");
        return { ...event, properties: { masked: true, n: event.properties?.n } };
      }
    tests:
      - { event: { userId: u, event: Secret }, expect: [] }
      - { event: { userId: u, event: Bad }, error: transformation_failed }
      - { event: { userId: u, event: X, properties: { n: 12345678901234567890 } }, expect: [ { event: X, properties: { masked: true, n: 12345678901234567890 } } ] }
`

func TestTestsOfTransformationsRunBeforeAnythingIsAsked(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ was, is, says string }{
		"another value":  {"masked: true, n: 12345678901234567890 } } ]", "masked: false } } ]", `tests[2]: Event 1 differs at "properties.masked"`},
		"another number": {"n: 12345678901234567890 } } ]", "n: 12345678901234567891 } } ]", `tests[2]: Event 1 differs at "properties.n"`},
		"not dropped":    {"expect: [] }", "expect: [ {} ] }", "tests[0]: The event becomes 0 events, not 1."},
		"not refused":    {"error: transformation_failed }", "expect: [] }", "tests[1]: The event is refused: Error: no"},
		"another code":   {"error: transformation_failed", "error: transformation_timeout", "(transformation_failed)"},
		"nothing meant":  {", error: transformation_failed }", " }", "a test expects events"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			s := newShell(t, f)
			text := strings.Replace(tested, tc.was, tc.is, 1)
			if text == tested {
				t.Fatal("the case changes nothing")
			}
			s.fails(command.ExitFailed, []string{"transformations[0].", tc.says}, "apply", "-f", s.file("weir.yaml", text))
		})
	}
}

func TestTestsThatPassStayHere(t *testing.T) {
	t.Parallel()
	s := newShell(t, newFake(t)) // which refuses members that a document does not have
	code, _, says := s.run("apply", "-f", s.file("weir.yaml", tested))
	if code != command.ExitDone || !strings.Contains(says, "3 tests of transformations passed") {
		t.Errorf("apply = %d, %s", code, says)
	}
	if out := s.must("export", "acme"); strings.Contains(out, "tests:") || strings.Contains(out, "12345678901234567890") {
		t.Errorf("a sample event went to the control plane: %s", out)
	}
}
