package cli_test

import (
	"fmt"
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

// TestManyPairsAreReadFromAFile: in batches, which are sent again when the plane is busy; each line that is wrong is named.
func TestManyPairsAreReadFromAFile(t *testing.T) {
	t.Parallel()
	f, s := filled(t)
	var sizes []int
	busy := true
	f.persons = func(_ *fakeWorkspace, w http.ResponseWriter, r *http.Request) {
		var in struct {
			Profile, Entity, Kind string
			Pairs                 [][2]string
			Undo                  bool
		}
		if !read(w, r, &in) {
			return
		}
		if busy = !busy; !busy {
			refuse(w, http.StatusServiceUnavailable, "unavailable", "The profiles are being run; try again later.")
			return
		}
		sizes = append(sizes, len(in.Pairs))
		wrong := []any{}
		for i, p := range in.Pairs {
			if p[1] == "user_id:nobody" {
				wrong = append(wrong, map[string]any{"at": i, "text": "No identifier of the type user_id has this value."})
			}
		}
		reply(w, map[string]any{"done": true, "wrong": wrong})
	}
	text := "\ufeffA,b\n# known\nuser_id:u1, user_id:nobody\n\nuser_id:u1\n\"email:x,y\",user_id:u2\nemail:\"z,user_id:u3\n"
	for i := range 600 {
		text += fmt.Sprintf("user_id:u%d,user_id:v%d\n", i, i)
	}
	s.in = text
	code, out, err := s.run("profiles", "same", "--workspace", "acme", "--file", "-", "--output", "json")
	if code != command.ExitFailed || out != "{\"kept\":601,\"wrong\":3}\n" || fmt.Sprint(sizes) != "[500 102]" {
		t.Errorf("exit %d, %s, %s, batches %v", code, out, err, sizes)
	}
	for _, line := range []string{"line 3: No identifier", "line 5: it has 1 fields", "line 7: it is no line of a CSV file", "3 of 604 lines were left out"} {
		if !strings.Contains(err, line) {
			t.Errorf("stderr lacks %q: %s", line, err)
		}
	}
	if out := s.must("profiles", "different", "--workspace", "acme", "--undo", "--file", s.file("pairs.csv", "user_id:u1,user_id:u2\n")); !strings.HasPrefix(out, "1 pairs; ") {
		t.Error(out)
	}
	s.fails(command.ExitUsage, nil, "profiles", "same", "a:b", "c:d", "--file", "-")
	s.fails(command.ExitUsage, nil, "profiles", "same", "a:b")
}

// TestAScoreThatNobodyHasIsToldWithWhatItLacks: no mean of nobody, and how many customers there are of those that are needed.
func TestAScoreThatNobodyHasIsToldWithWhatItLacks(t *testing.T) {
	t.Parallel()
	f, s := filled(t)
	f.persons = func(_ *fakeWorkspace, w http.ResponseWriter, _ *http.Request) {
		last := map[string]any{"persons": 37, "came": 3, "measured": 40, "code": "score_unlearned", "lack": map[string]any{"of": "all", "n": 37, "m": 200}}
		scores := []any{map[string]any{"name": "churn", "persons": 0, "code": "score_unlearned", "last": last}, map[string]any{"name": "worth", "persons": 5, "mean": 0.25}}
		reply(w, map[string]any{"profiles": []any{map[string]any{"name": "customers", "last": map[string]any{"state": "published", "built": map[string]any{"user": map[string]any{"persons": 37, "scores": scores}}}}}})
	}
	out := s.must("profiles", "status", "--workspace", "acme")
	if !strings.Contains(out, "churn is not learned: too few customers: 37 of 200 needed\n") || !strings.Contains(out, "0.25") {
		t.Error(out)
	}
	if json := s.must("profiles", "status", "--workspace", "acme", "--output", "json"); strings.Count(json, `"mean"`) != 1 {
		t.Errorf("only one score has a mean: %s", json)
	}
}
