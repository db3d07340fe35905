package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAStartOnAFullDiskRecovers kills everything while others have filled the disk, and
// starts it there: it refuses events, and once there is room again it takes them and a
// new configuration, without another start.
func TestAStartOnAFullDiskRecovers(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	dir := t.TempDir()
	disk, config, second := filepath.Join(dir, "disk"), filepath.Join(dir, "weir.yaml"), filepath.Join(dir, "second.yaml")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, config, hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL}))
	args := []string{"--mount"}
	if os.Geteuid() != 0 {
		args = append(args, "--user", "--map-root-user")
	}
	const twice = `mount -t tmpfs -o size=700m tmpfs "$0" && { "$@"; "$@"; }`
	args = append(args, "sh", "-c", twice, disk, binary, "dev", "--no-temporal", "--data-dir", filepath.Join(disk, "data"), "--config", config)
	p := startCommand(t, exec.Command("unshare", append(args, addresses(t)...)...))
	p.line("^ready$")
	seen := fmt.Sprintf("/proc/%d/root%s", p.cmd.Process.Pid, disk)
	in := installed(t, filepath.Join(seen, "data"))
	accept(t, in.Gateway, "/v1/track", "wk_web", `{"userId":"u","event":"Before","messageId":"before"}`)

	filler := filepath.Join(seen, "filler")
	fill(t, filler)
	if err := os.Truncate(filler, size(t, filler)-25<<20); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(child(t, p.cmd.Process.Pid), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(child(t, p.cmd.Process.Pid), syscall.SIGTERM) })
	until(t, "an answer of the second process", func() bool {
		status, _ := post(in.Gateway, "/v1/track", "wk_web", `{"userId":"u","event":"Full","messageId":"full"}`)
		return status == 503 || status == 200
	})
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	until(t, "an event that is taken", func() bool {
		status, _ := post(in.Gateway, "/v1/track", "wk_web", `{"userId":"u","event":"After","messageId":"after"}`)
		return status == 200
	})
	in = installed(t, filepath.Join(seen, "data"))
	write(t, second, hookConfig("second", "eu", "wk_second", map[string]string{"hook": hook.URL}))
	until(t, "a new workspace", func() bool {
		cmd := exec.CommandContext(t.Context(), binary, "apply", "-f", second, "--data-dir", in.Dir)
		return cmd.Run() == nil
	})
	accept(t, in.Gateway, "/v1/track", "wk_second", `{"userId":"u","event":"Second","messageId":"second"}`)
	until(t, "everything at the webhook", func() bool {
		got := hook.ids()
		return got["before"] > 0 && got["after"] > 0 && got["second"] > 0
	})
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// child returns the process that one waits for.
func child(t *testing.T, of int) int {
	t.Helper()
	path := fmt.Sprintf("/proc/%d/task/%d/children", of, of)
	for end := time.Now().Add(patience); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
		b, err := os.ReadFile(path)
		if err != nil {
			break
		}
		if fields := strings.Fields(string(b)); len(fields) > 0 {
			if pid, err := strconv.Atoi(fields[0]); err == nil {
				return pid
			}
		}
	}
	t.Fatalf("process %d has no child", of)
	return 0
}
