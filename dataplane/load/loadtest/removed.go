package loadtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/dataplane/erase"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/removal"
)

// rows removes or counts rows, and tells of which tables.
func (w *harness) rows(dry bool, condition func(warehouse.Warehouse) func(string, warehouse.TableSchema) string) string {
	w.t.Helper()
	known, open, err := w.engine.Tables(dest)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx := context.Background()
	c, err := open(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	err = erase.Rows(ctx, c, known.Names(), condition(c), dry, func(t erase.Table) error {
		all = append(all, fmt.Sprint(t.Name, " ", t.Rows))
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		w.t.Fatal(err)
	}
	return strings.Join(all, ", ")
}

// removes erases a person, whose identifiers hold what SQL would trip over, from all tables,
// and lets rows expire.
func removes(w *harness) {
	odd := `o'ne\"; --`
	if slices.Contains(w.setup.Without, "backslash") {
		odd = `o'ne"; --`
	}
	event := func(id, user, rest string) string {
		return fmt.Sprintf(`{"type":"track","event":"Order Done","messageId":%q,"userId":%q,"receivedAt":"2026-01-02T03:04:05.678Z"%s}`, id, user, rest)
	}
	w.load(event("1", odd, ""), event("2", "two", ""), event("3", "two", `,"anonymousId":"a1"`),
		fmt.Sprintf(`{"type":"identify","messageId":"4","userId":%q,"traits":{"plan":"pro"}}`, odd), `{"type":"identify","messageId":"5","userId":"two","traits":{"plan":"pro"}}`,
		fmt.Sprintf(`{"type":"alias","messageId":"6","userId":"two","previousId":%q}`, odd), `{"type":"page","messageId":"7","anonymousId":"a1","receivedAt":"2026-01-02T03:04:05.678Z"}`)
	w.exec(`create table mine (id varchar, user_id varchar)`)
	p := erase.Person{}
	for _, id := range []string{"user_id:" + odd, "anonymous_id:a1"} {
		if !p.Add(id) {
			w.t.Errorf("%s is no identifier", id)
		}
	}
	of := func(c warehouse.Warehouse) func(string, warehouse.TableSchema) string {
		return func(table string, have warehouse.TableSchema) string { return p.Of(c, table, have) }
	}
	want := "aliases 1, identifies 1, order_done 2, pages 1, tracks 2, users 1"
	for _, dry := range []bool{true, true, false} {
		if got := w.rows(dry, of); got != want {
			w.t.Errorf("a person has %q, want %q", got, want)
		}
	}
	if got := w.rows(false, of); got != "" {
		w.t.Errorf("left are %s", got)
	}
	w.want(`select id from order_done`, `[{"id":"2"}]`)
	w.want(`select id from users`, `[{"id":"two"}]`)
	w.want(`select id from identifies`, `[{"id":"5"}]`)

	w.load(event("8", "two", ""), `{"type":"page","messageId":"9","userId":"two","receivedAt":"2026-01-02T03:04:05.678Z"}`, event("10", "two", `,"x":1`))
	rule := removal.Retention{All: 24 * time.Hour, Tables: map[string]time.Duration{"pages": 0}}
	for now, want := range map[string]string{"2026-01-03T03:04:05.677Z": "", "2026-01-03T03:04:05.679Z": "order_done 3, tracks 3"} {
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			w.t.Fatal(err)
		}
		got := w.rows(true, func(c warehouse.Warehouse) func(string, warehouse.TableSchema) string {
			return erase.Older(c, rule, at)
		})
		if got = strings.TrimPrefix(strings.ReplaceAll(got, "aliases 1, ", ""), "identifies 1, "); got != want {
			w.t.Errorf("at %s expire %q, want %q", now, got, want)
		}
	}
	w.rows(false, func(c warehouse.Warehouse) func(string, warehouse.TableSchema) string {
		return erase.Older(c, rule, time.Date(2026, 1, 3, 3, 4, 6, 0, time.UTC))
	})
	w.want(`select count(*) as n from order_done`, `[{"n":0}]`)
	w.want(`select count(*) as n from pages`, `[{"n":1}]`)
}
