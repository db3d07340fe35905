package e2e_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var jobEvents = flag.Int("jobs", 400, "how many dead letters and quarantined events TestJobsGoOnAfterAKill moves")

// moving is a job as `weir jobs` prints it.
type moving struct {
	ID, Kind, State string
	Moved, Total    int
	Created, Ended  time.Time
}

func jobOf(t *testing.T, line string) (j moving) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &j); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return j
}

// orderly checks that n events arrived of each user in order, and returns how many came
// again.
func orderly(t *testing.T, name string, s *sink, users, n int) (again int) {
	t.Helper()
	last, seen := map[int]int{}, map[string]bool{}
	for _, a := range s.all() {
		var e struct {
			MessageID  string
			Properties struct{ User, N int }
		}
		if err := json.Unmarshal(a.Body, &e); err != nil {
			t.Fatalf("%s: %v", a.Body, err)
		}
		if seen[e.MessageID] {
			again++
			continue
		}
		seen[e.MessageID] = true
		if was := last[e.Properties.User]; e.Properties.N <= was && was > 0 {
			t.Errorf("%s: of user %d event %d came after %d", name, e.Properties.User, e.Properties.N, was)
		}
		last[e.Properties.User] = e.Properties.N
	}
	if len(seen) != n {
		t.Errorf("%s: %d events arrived, want %d of %d users", name, len(seen), n, users)
	}
	return again
}

// TestJobsGoOnAfterAKill kills the plane in the midst of a redrive and a replay that nobody
// follows: each event arrives, in its user's order, and the jobs are done.
func TestJobsGoOnAfterAKill(t *testing.T) {
	t.Parallel()
	const users = 20
	hook, dead := newSink(t), newSink(t)
	var well atomic.Bool
	dead.set(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		if !well.Load() {
			http.Error(w, "the key has expired", http.StatusUnauthorized)
		}
		return !well.Load()
	})
	dir, ports := t.TempDir(), addresses(t)
	config := func(code string) string {
		return strings.Replace(codeConfig(hook.URL, code), hook.URL+"/copy", dead.URL, 1)
	}
	p, in := dev(t, dir, config(`throw new Error("not yet");`), ports...)
	const each = 100
	for n := 0; n < *jobEvents; n += each {
		var members []string
		for i := n; i < n+each; i++ {
			members = append(members, fmt.Sprintf(`{"type":"track","event":"E","userId":"u%d","messageId":"m%d","properties":{"user":%d,"n":%d}}`, i%users, i, i%users, i+1))
		}
		accept(t, in.Gateway, "/v1/batch", "wk_web", `{"batch":[`+strings.Join(members, ",")+`]}`)
	}
	until(t, "dead letters and quarantined events", func() bool {
		return bookOf(t, in, "web", "copy").Dead == int64(*jobEvents) && bookOf(t, in, "web", "hook").Quarantined == int64(*jobEvents)
	})
	well.Store(true)
	corrected := filepath.Join(dir, "corrected.yaml")
	write(t, corrected, config(""))
	weir := func(args ...string) string { t.Helper(); return run(t, 0, "", append(args, "--data-dir", in.Dir)...) }
	weir("apply", "-f", corrected)
	rate := fmt.Sprint(max(1, *jobEvents/4))
	redrive := jobOf(t, weir("dlq", "redrive", "--destination", "copy", "--all", "--rate", rate, "--detach", "--output", "json"))
	replay := jobOf(t, weir("replay", "--all", "--rate", rate, "--detach", "--output", "json"))
	run(t, 1, "", "dlq", "discard", "--all", "--destination", "copy", "--data-dir", in.Dir) // beside the redrive
	until(t, "a part of both", func() bool { return len(hook.ids()) > *jobEvents/10 && len(dead.ids()) > *jobEvents/10 })
	p.kill()
	if len(hook.ids()) == *jobEvents || len(dead.ids()) == *jobEvents {
		t.Logf("the kill came late: %d and %d had arrived", len(hook.ids()), len(dead.ids()))
	}
	_, in = dev(t, dir, config(""), ports...)
	for _, j := range []moving{redrive, replay} {
		last := jobOf(t, strings.Split(weir("jobs", "show", j.ID, "--wait", "--output", "json"), "\n")[0])
		if last.State != "done" || last.Total != *jobEvents || last.Moved > *jobEvents || j.Kind == "redrive" && last.Moved != *jobEvents {
			t.Errorf("the %s is %+v, want all %d moved", j.Kind, last, *jobEvents)
		}
		t.Logf("%s of %d at %s a second took %v with a kill", j.Kind, last.Moved, rate, last.Ended.Sub(last.Created))
	}
	until(t, "all at the webhooks", func() bool { return len(hook.ids()) == *jobEvents && len(dead.ids()) == *jobEvents })
	until(t, "balanced books", func() bool {
		for _, b := range ledger(t, in) {
			if !b.Balanced || b.InFlight > 0 || b.Parked > 0 || b.Dead > 0 {
				return false
			}
		}
		return true
	})
	t.Logf("came again: %d redriven, %d replayed", orderly(t, "redriven", dead, users, *jobEvents), orderly(t, "replayed", hook, users, *jobEvents))
}
