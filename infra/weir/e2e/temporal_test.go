package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// withTemporal returns a weir with weir-temporal beside it, as make dev has it.
func withTemporal(t *testing.T) string {
	t.Helper()
	at, err := filepath.Abs("../../../bin/weir-temporal")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(at); err != nil {
		if out, err := exec.Command("../../tools/temporal.sh").CombinedOutput(); err != nil {
			t.Fatalf("build weir-temporal: %v\n%s", err, out)
		}
	}
	dir, err := os.MkdirTemp(filepath.Dir(binary), "temporal") // where a link to weir can be
	if err != nil {
		t.Fatal(err)
	}
	weir := filepath.Join(dir, "weir")
	if err := os.Link(binary, weir); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(at, filepath.Join(dir, "weir-temporal")); err != nil {
		t.Fatal(err)
	}
	return weir
}

// childOf returns the process of a program that a process has started, 0 for none.
func childOf(t *testing.T, of int, program string) int {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range all {
		stat, err := os.ReadFile(at)
		if err != nil {
			continue // it has ended
		}
		name, rest, _ := strings.Cut(string(stat[bytes.IndexByte(stat, '(')+1:]), ") ")
		if f := strings.Fields(rest); name == program && len(f) > 1 && f[0] != "Z" && f[1] == strconv.Itoa(of) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(at)))
			return pid
		}
	}
	return 0
}

// TestJobsOutliveTheServerOfTheirHistories runs weir dev with Temporal as its child: a pull
// has a history there, the child is killed and comes back where it was, jobs go on, nothing
// of a row is in its files, and it ends with weir however that ends.
func TestJobsOutliveTheServerOfTheirHistories(t *testing.T) {
	t.Parallel()
	const mark = "heron-crossing-53"
	d := newDesk(t, mark+"-token")
	for id := 1; id <= 45; id++ {
		d.set(id, "open", mark, time.Now().Add(-time.Hour))
	}
	dir, weir := t.TempDir(), withTemporal(t)
	secret, config, data := filepath.Join(dir, "token"), filepath.Join(dir, "weir.yaml"), filepath.Join(dir, "data")
	write(t, secret, d.token)
	write(t, config, fmt.Sprintf(`workspace: acme
region: eu
sources:
  - name: desk
    type: zendesk
    settings: { subdomain: acme, email: ada@acme.example, baseUrl: %q, rate: { requests: 100000, per: 1s } }
    secrets: { token: { from: file, path: %q } }
    pull: { streams: [tickets], every: 1h }
destinations:
  - { name: lake, type: duckdb, settings: { path: "./acme.duckdb", syncEvery: 5s } }
connections:
  - { source: desk, destination: lake }
`, d.URL+"/api/v2", secret))
	p := startCommand(t, exec.Command(weir, append([]string{"dev", "--data-dir", data, "--config", config}, addresses(t)...)...))
	p.line(`^ready$`)
	at := p.line(`Temporal at (127\.0\.0\.1:\d+)`)[1]
	do := func(args ...string) string {
		t.Helper()
		return runCommand(t, 0, "", weir, append(args, "--data-dir", data)...)
	}
	type run struct {
		Began, Ended time.Time
		Steps, Rows  int
		Code         string
	}
	runs := func() (all []run) {
		t.Helper()
		for line := range strings.Lines(do("jobs", "logs", "pull/desk/tickets", "--output", "json")) {
			var r run
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			all = append(all, r)
		}
		return all
	}
	pull := func(code string) {
		t.Helper()
		before := time.Now()
		do("jobs", "kick", "pull/desk/tickets")
		until(t, "a pull that was kicked, with the code "+code, func() bool {
			all := runs()
			return len(all) > 0 && all[0].Code == code && (code != "" || all[0].Ended.After(before))
		})
	}
	pull("")
	first := childOf(t, p.cmd.Process.Pid, "weir-temporal")
	if first == 0 {
		t.Fatal("weir has no child weir-temporal")
	}
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	d.set(46, "open", mark, time.Now())
	pull("")
	until(t, "the server where it was", func() bool {
		if now := childOf(t, p.cmd.Process.Pid, "weir-temporal"); now == 0 || now == first {
			return false
		}
		c, err := net.Dial("tcp", at)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	d.mu.Lock()
	d.refuse = http.StatusUnauthorized
	d.mu.Unlock()
	pull("source_reauthorize")
	if out := do("jobs", "list"); !strings.Contains(out, "pull/desk/tickets") || !strings.Contains(out, "failing") || !strings.Contains(out, "source_reauthorize") {
		t.Errorf("jobs: %s", out)
	}
	if out := do("jobs", "pause", "pull/desk/tickets"); !strings.Contains(out, "paused") {
		t.Errorf("paused: %s", out)
	}
	if out := runCommand(t, 1, "", weir, "jobs", "kick", "pull/desk/tickets", "--data-dir", data); !strings.Contains(out, "is paused: resume it first") {
		t.Errorf("a kick of what is paused: %s", out)
	}
	d.mu.Lock()
	d.refuse = 0
	d.mu.Unlock()
	if out := do("jobs", "resume", "pull/desk/tickets"); strings.Contains(out, "paused") {
		t.Errorf("resumed: %s", out)
	}
	until(t, "a pull after it was resumed", func() bool { all := runs(); return all[0].Code == "" && !all[0].Ended.IsZero() })
	p.kill()
	until(t, "the end of the server, whose parent was killed", func() bool {
		c, err := net.Dial("tcp", at)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	named := false
	err := filepath.WalkDir(filepath.Join(data, "temporal"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		named = named || bytes.Contains(text, []byte("/tickets"))
		for _, what := range []string{mark, "ada@acme.example", d.token} {
			if bytes.Contains(text, []byte(what)) {
				t.Errorf("%s holds %s", path, what)
			}
		}
		return err
	})
	if err != nil || !named {
		t.Errorf("no file of Temporal names the job: %v", err)
	}
}
