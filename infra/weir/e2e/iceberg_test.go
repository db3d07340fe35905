package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// withIceberg puts the folder of weir-iceberg into PATH, once.
var withIceberg = sync.OnceValue(func() error {
	root, err := filepath.Abs("../../..")
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(root, "bin", "weir-iceberg")); err != nil {
		if out, err := exec.Command(filepath.Join(root, "infra", "tools", "iceberg.sh")).CombinedOutput(); err != nil {
			return fmt.Errorf("build weir-iceberg: %w\n%s", err, out)
		}
	}
	return os.Setenv("PATH", filepath.Join(root, "bin")+string(filepath.ListSeparator)+os.Getenv("PATH"))
})

// TestEventsBecomeRowsOfIceberg loads into tables of Iceberg through a process that is killed
// twice: the newest snapshot has one row for each event, and each load is one snapshot.
func TestEventsBecomeRowsOfIceberg(t *testing.T) {
	t.Parallel()
	if err := withIceberg(); err != nil {
		t.Fatal(err)
	}
	const events = 200
	dir := t.TempDir()
	config := `workspace: acme
region: eu
sources:
  - { name: web, type: http, writeKey: wk_web }
destinations:
  - name: lake
    type: iceberg
    settings: { path: events, syncEvery: 5s, compactEvery: 2 }
connections:
  - { source: web, destination: lake }
`
	ports := addresses(t)
	p, in := dev(t, dir, config, ports...)
	rows := func(table string) (total string) {
		t.Helper()
		at, err := filepath.Glob(filepath.Join(in.Dir, "planes", "eu", "warehouses", "ws_*", "events.lake", "events", table, "metadata"))
		if err != nil || len(at) == 0 {
			return ""
		}
		hint, err := os.ReadFile(filepath.Join(at[0], "version-hint.text"))
		if err != nil {
			return "" // the first one is being written
		}
		content, err := os.ReadFile(filepath.Join(at[0], "v"+string(hint)+".metadata.json"))
		if err != nil {
			t.Fatal(err)
		}
		var m struct {
			Current   int64 `json:"current-snapshot-id"`
			Snapshots []struct {
				ID      int64             `json:"snapshot-id"`
				Summary map[string]string `json:"summary"`
			} `json:"snapshots"`
		}
		if err := json.Unmarshal(content, &m); err != nil {
			t.Fatal(err)
		}
		loads := map[string]bool{}
		for _, s := range m.Snapshots {
			load := s.Summary["weir.load"]
			if load != "" && loads[load] {
				t.Errorf("two snapshots of table %s are load %s", table, load)
			}
			loads[load] = true
			if s.ID == m.Current {
				total = s.Summary["total-records"]
			}
		}
		return total
	}
	for round := range 3 {
		var all []string
		for i := range events {
			all = append(all, fmt.Sprintf(`{"type":"track","userId":"u%d","event":"Paid","messageId":"round%d-%d","properties":{"amount":%d.5}}`, i, round, i, i))
		}
		for range 2 { // a client that did not hear the answer
			accept(t, in.Gateway, "/v1/batch", "wk_web", `{"batch":[`+strings.Join(all, ",")+`]}`)
		}
		if round < 2 {
			if round == 1 {
				until(t, "the first rows", func() bool { return rows("paid") != "" })
			}
			p.kill()
			p, in = dev(t, dir, config, ports...)
		}
	}
	until(t, "a balanced book", func() bool {
		b := bookOf(t, in, "web", "lake")
		return b.Balanced && b.InFlight == 0 && b.Delivered == 3*events
	})
	for _, table := range []string{"paid", "tracks"} {
		if got := rows(table); got != fmt.Sprint(3*events) {
			t.Errorf("the newest snapshot of %s has %s rows, want %d", table, got, 3*events)
		}
	}
}
