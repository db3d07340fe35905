package e2e_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// TestEventsBecomeFilesOfALake loads into a lake on disk through a process that is killed
// twice: in the files of all loads together each event has one row.
func TestEventsBecomeFilesOfALake(t *testing.T) {
	t.Parallel()
	const events = 200
	dir := t.TempDir()
	config := `workspace: acme
region: eu
sources:
  - { name: web, type: http, writeKey: wk_web }
destinations:
  - name: lake
    type: local_datalake
    settings: { path: events, partition: day, syncEvery: 5s }
connections:
  - { source: web, destination: lake }
`
	ports := addresses(t)
	p, in := dev(t, dir, config, ports...)
	type row struct {
		ID     string  `parquet:"id,optional"`
		Amount float64 `parquet:"amount,optional"`
		Load   string  `parquet:"load_id,optional"`
	}
	rows := func(table string) (all []row) {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(in.Dir, "planes", "eu", "warehouses", "ws_*", "events.lake", table, "received_day=*", "*.parquet"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasPrefix(filepath.Base(name), ".") { // being written
				continue
			}
			some, err := parquet.ReadFile[row](name)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			all = append(all, some...)
		}
		return all
	}
	send := func(name string) {
		t.Helper()
		var all []string
		for i := range events {
			all = append(all, fmt.Sprintf(`{"type":"track","userId":"u%d","event":"Paid","messageId":"%s-%d","properties":{"amount":%d.5}}`, i, name, i, i))
		}
		for range 2 { // a client that did not hear the answer
			accept(t, in.Gateway, "/v1/batch", "wk_web", `{"batch":[`+strings.Join(all, ",")+`]}`)
		}
	}
	for round := range 3 {
		send(fmt.Sprint("round", round))
		if round < 2 {
			if round == 1 {
				until(t, "the first files", func() bool { return len(rows("paid")) >= events })
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
		ids, total := map[string]bool{}, 0.0
		all := rows(table)
		for _, r := range all {
			ids[r.ID] = true
			total += r.Amount
			if r.Load == "" {
				t.Fatalf("%s: a row has no load_id", table)
			}
		}
		if len(all) != 3*events || len(ids) != 3*events {
			t.Errorf("%s has %d rows of %d events, want %d", table, len(all), len(ids), 3*events)
		}
		if want := 3 * (events*(events-1)/2 + events*0.5); table == "paid" && total != want {
			t.Errorf("the amounts are %g together, want %g", total, want)
		}
	}
}
