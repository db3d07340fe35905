package neighbours

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"weir/infra/weir/bench/process"
)

// Times of a weir.
const (
	startTime = time.Minute
	endTime   = 30 * time.Second
	askTime   = time.Minute // for an answer to the evil tenant
)

// Write keys.
const (
	goodKey = "wk_good"
	evilKey = "wk_evil"
)

// site is a weir with both tenants.
type site struct {
	weir    string
	dir     string
	small   bool // on a disk of smallDisk in memory
	product *process.Process
	in      struct{ Control, Token, Gateway, View string }
	data    string  // its data directory as this process sees it
	silent  *silent // the server of warehouses that hang
	closers []func()
}

const smallDisk = "512m"

// mounted is what a shell of a mount namespace of its own does: $0 is where the disk
// goes, and the arguments are the command.
const mounted = `mount -t tmpfs -o size=` + smallDisk + ` tmpfs "$0" && exec "$@"`

// start runs weir, with a configuration or with the one it has.
func (s *site) start(ctx context.Context, configuration string) error {
	disk := filepath.Join(s.dir, "disk")
	if err := os.MkdirAll(disk, 0o700); err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	const free = "127.0.0.1:0"
	args := []string{s.weir, "dev", "--no-temporal", "--data-dir", filepath.Join(disk, "data"), "--http", free, "--gateway", free, "--view", free, "--metrics", free, "--hub", free}
	if configuration != "" {
		file := filepath.Join(s.dir, "weir.yaml")
		if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
			return fmt.Errorf("write the configuration: %w", err)
		}
		args = append(args, "--config", file)
	}
	if s.small {
		own := []string{"unshare", "--mount"}
		if os.Geteuid() != 0 { // who is root in a namespace of its own may mount there
			own = append(own, "--user", "--map-root-user")
		}
		args = append(append(own, "sh", "-c", mounted, disk), args...)
	}
	var err error
	if s.product, err = process.Start("weir", exec.Command(args[0], args[1:]...), func(l string) bool { return l == "ready" }); err != nil {
		return err
	}
	if _, _, err := s.product.Await(ctx, startTime); err != nil {
		return err
	}
	s.data = filepath.Join(disk, "data")
	if s.small {
		s.data = fmt.Sprintf("/proc/%d/root%s", s.product.PID(), s.data)
	}
	text, err := os.ReadFile(filepath.Join(s.data, "dev.json"))
	if err == nil {
		err = json.Unmarshal(text, &s.in)
	}
	if err != nil {
		return fmt.Errorf("weir is ready and dev.json is not: %w", err)
	}
	return nil
}

// later calls f when the site is closed, after weir has ended.
func (s *site) later(f func()) { s.closers = append(s.closers, f) }

// close ends weir and all beside it, and returns how weir ended; "" is well.
func (s *site) close() (how string) {
	if s.product != nil {
		how = s.product.Stop(endTime)
	}
	for _, f := range s.closers {
		f()
	}
	return how
}

// run runs a command of weir against this site, whatever it says, and returns that. It
// takes processor time that nobody else wants: a tenant's commands run on machines of
// its own.
func (s *site) run(ctx context.Context, args ...string) string {
	cmd := exec.CommandContext(ctx, "nice", append(append([]string{"-n", "19", s.weir}, args...), "--data-dir", s.data)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, _ := cmd.CombinedOutput() // it may be killed, and refusals are what harm gets
	return string(out)
}

// names reports whether `weir status` says alarm of the evil tenant before long.
func (s *site) names(ctx context.Context, alarm string) bool {
	ctx, cancel := context.WithTimeout(ctx, nameTime)
	defer cancel()
	return alarm != "" && s.until(ctx, alarm) == nil
}

// until waits for a status that says alarm of the evil tenant.
func (s *site) until(ctx context.Context, alarm string) error {
	for {
		for l := range strings.Lines(s.run(ctx, "status")) {
			if strings.Contains(l, alarm) && (strings.Contains(l, "evil") || alarm == strangers) {
				return nil
			}
		}
		if !pause(ctx, 200*time.Millisecond) {
			return fmt.Errorf("no status says %s of evil: %w", alarm, ctx.Err())
		}
	}
}

// pause waits; false: ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// send sends a body of the evil tenant and returns status and answer; 0 is none.
func (s *site) send(ctx context.Context, path, body string) (int, string) {
	status, answer, err := ask(ctx, s.in.Gateway+path+"?writeKey="+evilKey, "", []byte(body))
	if err != nil {
		return 0, err.Error()
	}
	return status, string(answer)
}

// ask posts JSON, with a bearer token if there is one.
func ask(ctx context.Context, url, token string, body []byte) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, answer, err
}
