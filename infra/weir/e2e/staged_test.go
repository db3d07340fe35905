package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
