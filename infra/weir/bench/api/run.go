package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"weir/infra/weir/bench/process"
	"weir/infra/weir/bench/report"
)

// What is measured, and how well it has to do.
const (
	workspaces  = 1000
	mostSmall   = 5.0 // s, for all of them
	objects     = 500
	mostLarge   = 1.0 // s
	manyObjects = 5000

	readRate   = 200   // requests/s
	mostRead   = 20.0  // ms
	mostList   = 0.5   // s
	mostFresh  = 100.0 // us, a decision that is not known yet
	mostKnown  = 5.0   // us
	rounds     = 5     // of which the middle one counts
	answerTime = 15 * time.Second
	underWay   = 1000 // requests at a time
)

// Config is a run.
type Config struct {
	Weir     string        // the built binary
	Dir      string        // of the run, on the disk to be measured
	Lasts    time.Duration // the load of reads
	Kind     string        // only figures with this in their name: apply, lists, reads, policy
	Profiles string        // a directory for CPU profiles of weir while it is measured; "" is none
	Progress func(format string, args ...any)
}

// Run measures all and adds rows to r. What cannot be measured is an error, after the rest.
func Run(ctx context.Context, c Config, r *report.Report) (err error) {
	var failed []error
	if strings.Contains("policy", c.Kind) {
		failed = append(failed, c.policy(ctx, r))
	}
	if c.Kind == "policy" {
		return errors.Join(failed...)
	}
	dir, err := os.MkdirTemp(c.Dir, "api-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	s, err := start(ctx, c.Weir, dir)
	defer func() {
		if how := s.stop(); how != "" {
			r.Note("%s", how)
		}
	}()
	if err != nil {
		return err
	}
	if err := c.apply(ctx, s, r); err != nil { // the rest needs its workspaces
		return errors.Join(append(failed, err)...)
	}
	if strings.Contains("lists", c.Kind) {
		failed = append(failed, c.lists(ctx, s, r))
	}
	if strings.Contains("reads", c.Kind) {
		failed = append(failed, c.reads(ctx, s, r))
	}
	return errors.Join(failed...)
}

// apply measures the command apply on new configurations.
func (c *Config) apply(ctx context.Context, s *site, r *report.Report) error {
	for _, one := range []struct {
		what, file, text string
		most             float64
	}{
		{fmt.Sprintf("apply, one workspace with %d objects", objects), "large.yaml", large("large", objects), mostLarge},
		{fmt.Sprintf("apply, %d workspaces, applied by the plane", workspaces), "small.yaml", small(workspaces), mostSmall},
		{fmt.Sprintf("apply, %d workspaces, nothing changed", workspaces), "small.yaml", small(workspaces), 0},
		{fmt.Sprintf("apply, one workspace with %d objects", manyObjects), "huge.yaml", large("huge", manyObjects), 0},
	} {
		c.Progress("%s", one.what)
		file, err := s.file(one.file, one.text)
		if err != nil {
			return err
		}
		profiled := c.profile(ctx, s, r, one.what)
		took, cpu, err := s.run(ctx, "apply", "-f", file)
		profiled()
		if err != nil {
			return fmt.Errorf("%s: %w", one.what, err)
		}
		r.Most(one.what, took.Seconds(), "s", one.most, 0, fmt.Sprintf("CPU time: weir dev %.3g s, weir apply %.3g s", cpu.server.Seconds(), cpu.command.Seconds()))
	}
	return nil
}

// profile takes CPU profiles of weir until the returned function is called, where they are
// wanted.
func (c *Config) profile(ctx context.Context, s *site, r *report.Report, what string) (stop func()) {
	if c.Profiles == "" || s.in.Metrics == "" {
		return func() {}
	}
	end := process.Profiling(ctx, s.in.Metrics)
	return func() {
		merged, err := end()
		if err == nil {
			err = process.KeepProfile(c.Profiles, what, merged)
		}
		if err != nil {
			r.Note("%s: no profile: %v", what, err)
		}
	}
}

// lists measures commands that read of all workspaces.
func (c *Config) lists(ctx context.Context, s *site, r *report.Report) error {
	for _, command := range []string{"ledger", "status"} {
		c.Progress("weir %s", command)
		var all []time.Duration
		for range rounds {
			took, _, err := s.run(ctx, command)
			if err != nil {
				return err
			}
			all = append(all, took)
		}
		r.Goal(fmt.Sprintf("weir %s over %d workspaces, median", command, workspaces), report.Quantile(all, 0.5).Seconds(), "s", mostList, 0,
			fmt.Sprintf("slowest of %d: %.3g s", rounds, report.Quantile(all, 1).Seconds()))
	}
	return nil
}

// reads measures requests that read, in turn, beside the same number that only ask for
// health.
func (c *Config) reads(ctx context.Context, s *site, r *report.Report) error {
	c.Progress("reads at %d requests/s", readRate)
	paths := []func(n int) string{
		func(n int) string { return "/workspaces/" + workspace(n%workspaces) },
		func(n int) string { return "/workspaces/" + workspace(n%workspaces) + "/config" },
		func(n int) string { return "/workspaces?limit=100&q=" + workspace(n % workspaces)[:9] },
		func(int) string { return "/status?limit=100" },
		func(int) string { return "/me" },
		func(n int) string { return "/workspaces/" + workspace(n%workspaces) + "/revisions" },
		func(int) string { return "/planes" },
		func(int) string { return "/audit?limit=50" },
	}
	idle, err := c.load(ctx, s, func(int) string { return "/health" })
	if err != nil {
		return err
	}
	profiled := c.profile(ctx, s, r, "API reads")
	all, err := c.load(ctx, s, func(n int) string { return paths[n%len(paths)](n) })
	profiled()
	if err != nil {
		return err
	}
	r.Goal(fmt.Sprintf("API reads at %d requests/s with %d workspaces, p99", readRate, workspaces), report.Millis(report.Quantile(all, 0.99)), "ms", mostRead,
		report.Millis(report.Quantile(idle, 0.99)), fmt.Sprintf("%d requests of %d kinds, p50 %.3g ms; baseline: /health", len(all), len(paths), report.Millis(report.Quantile(all, 0.5))))
	return nil
}

// load asks for paths at the rate and returns how long each answer took from its planned
// moment on.
func (c *Config) load(ctx context.Context, s *site, path func(n int) string) ([]time.Duration, error) {
	client := &http.Client{Timeout: answerTime, Transport: &http.Transport{MaxIdleConnsPerHost: underWay}}
	defer client.CloseIdleConnections()
	n := int(c.Lasts.Seconds() * readRate)
	took, errs := make([]time.Duration, n), make([]error, n)
	slots := make(chan struct{}, underWay)
	var all sync.WaitGroup
	began := time.Now()
	for i := range n {
		planned := began.Add(time.Duration(i) * time.Second / readRate)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Until(planned)):
		}
		slots <- struct{}{}
		all.Go(func() {
			errs[i] = ask(ctx, client, s.in.Control+"/api/v1"+path(i), s.in.Token)
			took[i] = time.Since(planned)
			<-slots
		})
	}
	all.Wait()
	return took, errors.Join(errs...)
}

func ask(ctx context.Context, client *http.Client, url, token string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s was answered with status %d", url, res.StatusCode)
	}
	return nil
}

// policy runs the benchmark of the policy's decisions, which is in the sources beside the
// bench.
func (c *Config) policy(ctx context.Context, r *report.Report) error {
	c.Progress("decisions of the policy")
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	var said, wrong bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkAllow$", "-benchtime", "0.3s", "-count", fmt.Sprint(rounds), "./controlplane/policy")
	cmd.Stdout, cmd.Stderr = &said, &wrong
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the policy's benchmark: %w\n%s%s", err, &said, &wrong)
	}
	took := map[string][]time.Duration{}
	for lines := bufio.NewScanner(&said); lines.Scan(); {
		name, each, ok := decision(lines.Text())
		if ok {
			took[name] = append(took[name], each)
		}
	}
	for _, one := range []struct {
		name, what string
		most       float64
	}{{"uncached", "policy decision, not known yet", mostFresh}, {"cached", "policy decision, known", mostKnown}} {
		if len(took[one.name]) != rounds {
			return fmt.Errorf("the policy's benchmark says nothing of decisions that are %s:\n%s", one.name, &said)
		}
		r.Goal(one.what, float64(report.Quantile(took[one.name], 0.5))/float64(time.Microsecond), "us", one.most, 0, fmt.Sprintf("median of %d runs", rounds))
	}
	return nil
}

// decision reads a line of the benchmark: its name and the time of each decision.
// Source: the format in https://go.dev/design/14313-benchmark-format
func decision(line string) (name string, each time.Duration, ok bool) {
	words := strings.Fields(line)
	if len(words) < 4 || words[3] != "ns/op" {
		return "", 0, false
	}
	name, ok = strings.CutPrefix(words[0], "BenchmarkAllow/")
	name, _, _ = strings.Cut(name, "-")
	var ns float64
	if _, err := fmt.Sscan(words[2], &ns); err != nil {
		return "", 0, false
	}
	return name, time.Duration(ns), ok
}
