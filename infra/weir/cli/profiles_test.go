package cli_test

import (
	"net/http"
	"strings"
	"testing"

	"weir/shared/command"
)

// TestARunThatIsInterruptedIsAskedForAgain: what had ended is counted anew by the process of the plane that takes
// profiles over, and is less than what the former one had said for as long as the plane runs.
func TestARunThatIsInterruptedIsAskedForAgain(t *testing.T) {
	t.Parallel()
	f, s := filled(t)
	process, asks, away, ended := "one", 0, 0, 0
	f.persons = func(_ *fakeWorkspace, w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodGet:
			if asks == 1 {
				process = "two" // and the run that was asked of one is lost
			}
			reply(w, map[string]any{"profiles": []any{map[string]any{"name": "customers", "ended": ended, "process": process, "last": map[string]any{"state": "published", "run": 1}}}})
		case process == "two" && away < 2:
			away++
			refuse(w, http.StatusServiceUnavailable, "unavailable", "Another process of this plane runs the profiles; ask again.")
		default:
			asks++
			said := map[string]any{"ended": ended, "process": process}
			if process == "one" {
				said["ended"] = 900
			} else {
				ended++
			}
			reply(w, said)
		}
	}
	code, out, err := s.run("profiles", "run", "--full", "--workspace", "acme")
	if code != command.ExitDone || !strings.Contains(out, "published") || strings.Count(err, "interrupted") != 1 {
		t.Errorf("exit %d, %s, %s; want the run of the second process, and to be told once", code, out, err)
	}
	if asks != 2 || away != 2 {
		t.Errorf("asked for %d runs after %d refusals, want 2 and 2", asks, away)
	}
	s.fails(command.ExitUsage, []string{"--timeout is a time above 0"}, "profiles", "run", "--timeout", "0s")
	process, asks, ended = "one", 5, 0
	s.fails(command.ExitFailed, []string{"has not ended within 1ms"}, "profiles", "run", "--workspace", "acme", "--timeout", "1ms")
}
