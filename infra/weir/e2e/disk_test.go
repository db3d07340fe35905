package e2e_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAFullDiskIsSurvived fills the disk to its last byte under load, and frees
// it again: nothing acknowledged is lost, and nobody has to do anything.
func TestAFullDiskIsSurvived(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	in, seen := smallDisk(t, hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL}))
	l := startLoad(func() string { return in.Gateway }, "wk_web", 8, 2*time.Millisecond)
	until(t, "load that flows", func() bool { return l.sent.Load() > 500 })

	filler := filepath.Join(seen, "filler")
	fill(t, filler)
	until(t, "a refusal", func() bool {
		res, err := http.Get(in.Gateway + "/ready")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusServiceUnavailable
	})
	fill(t, filler) // what deliveries made free meanwhile
	full := time.Now()
	until(t, "some time with a full disk", func() bool { return time.Since(full) > 5*time.Second })
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	sent := l.sent.Load()
	until(t, "load that flows again", func() bool { return l.sent.Load() > sent+500 })
	t.Logf("%d acknowledged before the disk was free again", sent)
	l.stop()
	l.arrived(t, hook)
	until(t, "a balanced book with nothing in flight", func() bool {
		b := bookOf(t, in, "web", "hook")
		return b.Balanced && b.InFlight == 0 && b.Parked == 0 && b.Delivered >= l.sent.Load()
	})
}

// smallDisk starts the product on a disk of 512 MiB of its own, which the test
// reaches under seen.
func smallDisk(t *testing.T, configuration string) (in installation, seen string) {
	t.Helper()
	dir := t.TempDir()
	disk, config := filepath.Join(dir, "disk"), filepath.Join(dir, "weir.yaml")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, config, configuration)
	args := []string{"--mount"}
	if os.Geteuid() != 0 { // who is root in a namespace of its own may mount there
		args = append(args, "--user", "--map-root-user")
	}
	const mounted = `mount -t tmpfs -o size=512m tmpfs "$0" && exec "$@"`
	args = append(args, "sh", "-c", mounted, disk, binary, "dev", "--no-temporal", "--data-dir", filepath.Join(disk, "data"), "--config", config)
	p := startCommand(t, exec.Command("unshare", append(args, addresses(t)...)...))
	p.line("^ready$")
	seen = fmt.Sprintf("/proc/%d/root%s", p.cmd.Process.Pid, disk)
	return installed(t, filepath.Join(seen, "data")), seen
}

// fill writes to a file until the disk has no room.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // a full disk may complain again
	for size := 1 << 20; size > 0; {
		_, err := f.Write(make([]byte, size))
		switch {
		case errors.Is(err, syscall.ENOSPC):
			size /= 16
		case err != nil:
			t.Fatal(err)
		}
	}
}

// TestTooMuchThatWaitsRefusesItsOwnSource fills what may be parked with the
// deliveries of a destination that hangs: past its own quota they go to the blob
// store, past the plane's its source is refused, another one is not, and all of
// it arrives once the destination is back.
func TestTooMuchThatWaitsRefusesItsOwnSource(t *testing.T) {
	t.Parallel()
	good, bad := newSink(t), newSink(t)
	free := make(chan struct{})
	bad.set(hangs(free))
	in, seen := smallDisk(t, fmt.Sprintf(`
workspace: acme
region: eu
sources:
  - { name: web, type: http, writeKey: wk_web }
  - { name: app, type: http, writeKey: wk_app }
destinations:
  - { name: good, type: webhook, settings: { url: %q } }
  - { name: bad, type: webhook, settings: { url: %q } }
connections:
  - { source: web, destination: bad }
  - { source: app, destination: good }
`, good.URL, bad.URL))
	noise := rand.NewChaCha8([32]byte{1})
	acked, n := map[string]bool{}, 0
	batch := func() int {
		var body strings.Builder
		body.WriteString(`{"batch":[`)
		ids := make([]string, 20)
		for i := range ids {
			if i > 0 {
				body.WriteByte(',')
			}
			random := make([]byte, 12<<10)
			_, _ = noise.Read(random) // it gives no errors
			ids[i] = fmt.Sprint("w", n)
			n++
			fmt.Fprintf(&body, `{"type":"track","userId":"u%d","event":"Big","messageId":%q,"properties":{"x":"%x"}}`, n%50, ids[i], random)
		}
		body.WriteString("]}")
		code, answer := post(in.Gateway, "/v1/batch", "wk_web", body.String())
		if code == http.StatusOK {
			for _, id := range ids {
				acked[id] = true
			}
		} else if code != http.StatusServiceUnavailable || !strings.Contains(answer, "parked_full") {
			t.Fatalf("batch: %d %s", code, answer)
		}
		return code
	}
	until(t, "parked_full", func() bool { return batch() == http.StatusServiceUnavailable })
	moved := func() int {
		objects, _ := filepath.Glob(filepath.Join(seen, "data", "planes", "*", "parked", "*", "*", "*")) // the pattern is sound
		return len(objects)
	}
	if moved() == 0 {
		t.Error("nothing went to the blob store")
	}
	t.Logf("refused after %d events, with %d objects in the blob store", len(acked), moved())
	for i := range 20 {
		accept(t, in.Gateway, "/v1/track", "wk_app", fmt.Sprintf(`{"userId":"u","event":"E","messageId":"a%d"}`, i))
	}
	until(t, "the other source's events", func() bool { return len(good.ids()) == 20 })
	close(free)
	bad.set(nil)
	until(t, "a source that is taken again", func() bool { return batch() == http.StatusOK })
	until(t, "everything that waited", func() bool {
		ids := bad.ids()
		for id := range acked {
			if ids[id] == 0 {
				return false
			}
		}
		return true
	})
	until(t, "an empty blob store", func() bool { return moved() == 0 })
}
