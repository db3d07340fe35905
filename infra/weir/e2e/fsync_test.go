package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestASyncEndsBeforeEachAcknowledgement watches the system calls of a plane:
// before the n-th 200 at least n syncs of a file of EVENTS have ended.
func TestASyncEndsBeforeEachAcknowledgement(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Fatal("strace is missing: install strace (Debian: apt-get install strace)")
	}
	const events = 40
	hook := newSink(t)
	dir := t.TempDir()
	trace := filepath.Join(dir, "trace")
	config := filepath.Join(dir, "weir.yaml")
	write(t, config, hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL}))
	data := filepath.Join(dir, "data")
	p := startCommand(t, exec.Command("strace", "-f", "--seccomp-bpf", "-y", "-s", "24", "-e", "trace=fsync,fdatasync,write", "-e", "signal=none", "-o", trace,
		binary, "dev", "--no-temporal", "--data-dir", data, "--config", config,
		"--http", "127.0.0.1:0", "--gateway", "127.0.0.1:0", "--view", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--hub", "127.0.0.1:0"))
	p.line(`^ready$`)
	in := installed(t, data)
	for i := range events {
		accept(t, in.Gateway, "/v1/track", "wk_web", fmt.Sprintf(`{"userId":"u","event":"E","messageId":"sync%d"}`, i))
	}
	until(t, "every event at the webhook", func() bool { return len(hook.ids()) == events })
	p.kill()
	b, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	syncs, answers := syncsBeforeAnswers(t, string(b))
	if answers != events || syncs < events {
		t.Errorf("saw %d acknowledgements and %d syncs of EVENTS, want %d and at least as many", answers, syncs, events)
	}
}

var (
	syncWhole  = regexp.MustCompile(`^(\d+) +f(?:data)?sync\(\d+<([^>]*)>\) += 0`)
	syncBegin  = regexp.MustCompile(`^(\d+) +f(?:data)?sync\(\d+<([^>]*)> <unfinished`)
	syncEnd    = regexp.MustCompile(`^(\d+) +<\.\.\. f(?:data)?sync resumed>\) += 0`)
	answerLine = regexp.MustCompile(`write\(\d+<(?:socket|TCP)[^>]*>+, "HTTP/1\.1 200 OK`)
)

// syncsBeforeAnswers reads a trace in order. Answers to anything but an event
// (health, ready) come before the first event's and are not followed by load.
func syncsBeforeAnswers(t *testing.T, trace string) (syncs, answers int) {
	t.Helper()
	lines := strings.Split(trace, "\n")
	open := map[string]bool{}
	type mark struct{ sync bool }
	var marks []mark
	for _, l := range lines {
		switch {
		case syncWhole.MatchString(l):
			if strings.Contains(syncWhole.FindStringSubmatch(l)[2], "/EVENTS_") {
				marks = append(marks, mark{true})
			}
		case syncBegin.MatchString(l):
			m := syncBegin.FindStringSubmatch(l)
			open[m[1]] = strings.Contains(m[2], "/EVENTS_")
		case syncEnd.MatchString(l):
			pid := syncEnd.FindStringSubmatch(l)[1]
			if open[pid] {
				marks = append(marks, mark{true})
			}
			delete(open, pid)
		case strings.Contains(l, `{\"success\":true`) || answerLine.MatchString(l) && strings.Contains(l, "200 OK"):
			marks = append(marks, mark{false})
		}
	}
	// Count from the first sync that an event caused: the last 40 answers.
	total := 0
	for _, m := range marks {
		if !m.sync {
			total++
		}
	}
	skip := total - 40
	for _, m := range marks {
		switch {
		case m.sync && skip <= 0:
			syncs++
		case !m.sync && skip > 0:
			skip--
		case !m.sync:
			if answers++; syncs < answers {
				t.Errorf("acknowledgement %d after %d syncs of EVENTS", answers, syncs)
			}
		}
	}
	return syncs, answers
}
