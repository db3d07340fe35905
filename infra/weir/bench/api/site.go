package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"weir/infra/weir/bench/process"
)

// Times of a weir.
const (
	startTime   = 2 * time.Minute
	endTime     = 30 * time.Second
	commandTime = 5 * time.Minute
)

// site is a weir on a fresh directory.
type site struct {
	weir, dir string
	product   *process.Process
	in        struct{ Control, Token, Metrics string }
}

func start(ctx context.Context, weir, dir string) (*site, error) {
	const free = "127.0.0.1:0"
	s := &site{weir: weir, dir: dir}
	var err error
	s.product, err = process.Start("weir", exec.Command(weir, "dev", "--no-temporal", "--data-dir", s.data(),
		"--http", free, "--gateway", free, "--view", free, "--metrics", free, "--hub", free), func(l string) bool { return l == "ready" })
	if err != nil {
		return nil, err
	}
	if _, _, err := s.product.Await(ctx, startTime); err != nil {
		return s, err
	}
	text, err := os.ReadFile(filepath.Join(s.data(), "dev.json"))
	if err == nil {
		err = json.Unmarshal(text, &s.in)
	}
	if err != nil {
		return s, fmt.Errorf("weir is ready and dev.json is not: %w", err)
	}
	return s, nil
}

func (s *site) data() string { return filepath.Join(s.dir, "data") }

// stop ends weir and returns how it ended; "" is well.
func (s *site) stop() string {
	if s == nil {
		return ""
	}
	return s.product.Stop(endTime)
}

// cpuTime is what one run of a command took.
type cpuTime struct{ server, command time.Duration }

// run executes a command of the command line, and returns how long it took and the CPU
// time of both ends.
func (s *site) run(ctx context.Context, args ...string) (took time.Duration, cpu cpuTime, err error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.weir, append(args, "--data-dir", s.data())...)
	for _, v := range cmd.Environ() {
		if !strings.HasPrefix(v, "WEIR_") { // of the person's own installation
			cmd.Env = append(cmd.Env, v)
		}
	}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	before, err := process.CPUTime(s.product.PID())
	if err != nil {
		return 0, cpu, err
	}
	began := time.Now()
	err = cmd.Run()
	took = time.Since(began)
	if err != nil {
		last := said.String()
		return took, cpu, fmt.Errorf("weir %s: %w\n%s", strings.Join(args, " "), err, last[max(0, len(last)-1000):])
	}
	after, err := process.CPUTime(s.product.PID())
	return took, cpuTime{server: after - before, command: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, err
}

// file writes a configuration.
func (s *site) file(name, text string) (string, error) {
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("write a configuration: %w", err)
	}
	return path, nil
}

// small is a file with n workspaces of one source, destination and connection.
func small(n int) string {
	var b strings.Builder
	for i := range n {
		_, _ = fmt.Fprintf(&b, `workspace: %s
region: eu
sources:
  - { name: web, type: http }
destinations:
  - { name: hook, type: webhook, settings: { url: "http://127.0.0.1:9/events" } }
connections:
  - { source: web, destination: hook }
---
`, workspace(i))
	}
	return b.String()
}

func workspace(i int) string { return fmt.Sprintf("small-%04d", i) }

// large is one workspace with n objects: a fifth sources, a fifth destinations, and
// connections.
func large(name string, n int) string {
	var b strings.Builder
	some := n / 5
	_, _ = fmt.Fprintf(&b, "workspace: %s\nregion: eu\nsources:\n", name)
	for i := range some {
		_, _ = fmt.Fprintf(&b, "  - { name: s%d, type: http }\n", i)
	}
	b.WriteString("destinations:\n")
	for i := range some {
		_, _ = fmt.Fprintf(&b, "  - { name: d%d, type: webhook, settings: { url: \"http://127.0.0.1:9/%d\" } }\n", i, i)
	}
	b.WriteString("connections:\n")
	for i := range n - 2*some {
		_, _ = fmt.Fprintf(&b, "  - { source: s%d, destination: d%d }\n", i%some, (i+i/some)%some)
	}
	return b.String()
}
