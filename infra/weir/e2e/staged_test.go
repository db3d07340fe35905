package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAWarehouseIsLoadedNow loads what was just sent to a warehouse that is loaded once an hour.
func TestAWarehouseIsLoadedNow(t *testing.T) {
	t.Parallel()
	_, in := dev(t, t.TempDir(), `workspace: acme
region: eu
sources:
  - { name: web, type: http, writeKey: wk_web }
destinations:
  - { name: lake, type: duckdb, settings: { path: "./acme.duckdb", syncEvery: 1h } }
connections:
  - { source: web, destination: lake }
`)
	weir := func(args ...string) string { t.Helper(); return run(t, 0, "", append(args, "--data-dir", in.Dir)...) }
	stand := func(waiting int, state string) {
		t.Helper()
		until(t, fmt.Sprintf("%d events wait", waiting), func() bool {
			out := weir("load", "status", "lake", "--output", "json")
			return contains(out, fmt.Sprintf(`"destination":"lake","waiting":%d,`, waiting)) && contains(out, state)
		})
	}
	for n := range 3 { // what was accepted before the command is in it, and the first load may be the one after the start
		accept(t, in.Gateway, "/v1/track", "wk_web", fmt.Sprintf(`{"userId":"u","event":"Paid","messageId":"m%d"}`, n))
		weir("load", "now", "lake")
		if got := rowCount(t, in, "paid"); got != int64(n+1) {
			t.Errorf("%d rows after load now, want %d", got, n+1)
		}
	}
	accept(t, in.Gateway, "/v1/track", "wk_web", `{"userId":"u","event":"Paid","messageId":"m"}`)
	stand(1, `"rows":`)
	weir("load", "now", "lake", "--detach")
	until(t, "it is loaded", func() bool { return rowCount(t, in, "paid") == 4 })
	if out := run(t, 1, "", "load", "now", "nowhere", "--data-dir", in.Dir); !contains(out, "nowhere") {
		t.Errorf("load now of what there is not says %s", out)
	}
}

// TestWhatWaitsForAWarehouseIsStaged has a warehouse that nobody answers for: what it
// has been handed is staged in the books and not delivered, also after the process was
// killed, and the warehouse is not removed without a word.
func TestWhatWaitsForAWarehouseIsStaged(t *testing.T) {
	t.Parallel()
	const events = 50
	dir := t.TempDir()
	file, password := filepath.Join(dir, "weir.yaml"), filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`workspace: acme
region: eu
sources:
  - { name: web, type: http, writeKey: wk_web }
destinations:
  - name: lake
    type: postgres
    settings: { host: 127.0.0.1, port: 1, database: acme, user: postgres, schema: weir, sslMode: disable, syncEvery: 5s }
    secrets: { password: { from: file, path: %q } }
connections:
  - { source: web, destination: lake }
`, password)
	ports := addresses(t)
	p, in := dev(t, dir, config, ports...)
	var members []string
	for i := range events {
		members = append(members, fmt.Sprintf(`{"type":"track","userId":"u%d","event":"Paid","messageId":"m%d"}`, i, i))
	}
	accept(t, in.Gateway, "/v1/batch", "wk_web", `{"batch":[`+strings.Join(members, ",")+`]}`)
	staged := func() bool {
		b := bookOf(t, in, "web", "lake")
		return b.Balanced && b.InFlight == 0 && b.Staged == events && b.Delivered == 0
	}
	until(t, "everything staged", staged)
	p.kill()
	_, in = dev(t, dir, config, ports...)
	until(t, "everything staged after a death", staged)
	without := "workspace: acme\nregion: eu\nsources:\n  - { name: web, type: http, writeKey: wk_web }\n"
	if err := os.WriteFile(file, []byte(without), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := runCommand(t, 1, "", binary, "apply", "-f", file, "--data-dir", in.Dir); !strings.Contains(out, "lake") {
		t.Errorf("the removal of a warehouse for which events wait says %q", out)
	}
	run(t, 0, "", "apply", "-f", file, "--discard-parked", "--data-dir", in.Dir)
}
