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
		t.Fatal("strace is missing: infra/tools/setup.sh test installs it")
	}
	const events = 40
	hook := newSink(t)
	dir := t.TempDir()
	trace := filepath.Join(dir, "trace")
	config := filepath.Join(dir, "weir.yaml")
	write(t, config, hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL}))
	data := filepath.Join(dir, "data")
	args := []string{"-f", "--seccomp-bpf", "-y", "-s", "24", "-e", "trace=fsync,fdatasync,write", "-e", "signal=none", "-o", trace,
		binary, "dev", "--no-temporal", "--data-dir", data, "--config", config}
	p := startCommand(t, exec.Command("strace", append(args, addresses(t)...)...))
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
	syncs, answers := syncsBeforeAnswers(t, string(b), events)
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

// syncsBeforeAnswers reads a trace in order and checks its last answers, want
// of them: those to events. Before them come answers to health and readiness.
func syncsBeforeAnswers(t *testing.T, trace string, want int) (syncs, answers int) {
	t.Helper()
	var order []bool // true: a sync of EVENTS ended; false: a 200 was written
	open, total := map[string]bool{}, 0
	for l := range strings.Lines(trace) {
		if m := syncWhole.FindStringSubmatch(l); m != nil && strings.Contains(m[2], "/EVENTS_") {
			order = append(order, true)
		} else if m := syncBegin.FindStringSubmatch(l); m != nil {
			open[m[1]] = strings.Contains(m[2], "/EVENTS_")
		} else if m := syncEnd.FindStringSubmatch(l); m != nil {
			if open[m[1]] {
				order = append(order, true)
			}
			delete(open, m[1])
		} else if answerLine.MatchString(l) {
			order = append(order, false)
			total++
		}
	}
	skip := total - want
	for _, sync := range order {
		switch {
		case !sync && skip > 0:
			skip--
		case sync && skip <= 0:
			syncs++
		case !sync:
			if answers++; syncs < answers {
				t.Errorf("acknowledgement %d after %d syncs of EVENTS", answers, syncs)
			}
		}
	}
	return syncs, answers
}
