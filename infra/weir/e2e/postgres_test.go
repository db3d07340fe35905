package e2e_test

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"weir/shared/postgrestest"
)

// acmePostgres is a server with the database acme, which trusts everybody.
func acmePostgres(t *testing.T) (server *postgrestest.Server, at string) {
	t.Helper()
	at = freePort(t)
	server, err := postgrestest.Start(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := server.Database(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	return server, at
}

// postgresConfig is a source and the warehouse lake, which is that database.
func postgresConfig(t *testing.T, dir, at string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		t.Fatal(err)
	}
	password := filepath.Join(dir, "password")
	write(t, password, "of no use to who is trusted")
	return fmt.Sprintf(`workspace: acme
region: eu
sources:
  - { name: web, type: http, writeKey: wk_web }
destinations:
  - name: lake
    type: postgres
    settings: { host: %s, port: %s, database: acme, user: postgres, schema: weir, sslMode: disable, syncEvery: 5s }
    secrets: { password: { from: file, path: %q } }
connections:
  - { source: web, destination: lake }
`, host, port, password)
}

// TestEventsBecomeRowsInPostgres loads a server that is no part of the product:
// events that come twice, a type that widens, a user who changes, a process that
// is killed while it loads.
func TestEventsBecomeRowsInPostgres(t *testing.T) {
	t.Parallel()
	const users = 40
	_, at := acmePostgres(t)
	dir := t.TempDir()
	config := postgresConfig(t, dir, at)
	ports := addresses(t)
	p, in := dev(t, dir, config, ports...)
	send := func(name string, amount func(int) string) {
		t.Helper()
		var events []string
		for i := range users {
			events = append(events,
				fmt.Sprintf(`{"type":"track","userId":"u%d","event":"Paid","messageId":"%s-%d","properties":{"amount":%s}}`, i, name, i, amount(i)),
				fmt.Sprintf(`{"type":"identify","userId":"u%d","messageId":"%s-i%d","traits":{"plan":%q}}`, i, name, i, name))
		}
		for range 2 { // a client that did not hear the answer
			accept(t, in.Gateway, "/v1/batch", "wk_web", `{"batch":[`+strings.Join(events, ",")+`]}`)
		}
	}
	send("first", func(i int) string { return fmt.Sprint(i) })
	until(t, "the first rows", func() bool { return rowCount(t, in, "paid") == users })
	send("second", func(i int) string { return fmt.Sprintf("%d.5", i) })
	p.kill()
	_, in = dev(t, dir, config, ports...)
	until(t, "all rows", func() bool { return rowCount(t, in, "paid") == 2*users && rowCount(t, in, "identifies") == 2*users })
	for sql, want := range map[string]string{
		`select count(*) as n, count(distinct id) as ids from tracks`: `{"n":80,"ids":80}`,
		`select count(*) as n, min(plan) as plan from users`:          `{"n":40,"plan":"second"}`,
		`select amount from paid where id = 'second-7'`:               `{"amount":7.5}`,
		`select sum(amount) as total from paid`:                       `{"total":1580}`,
		`select data_type as t from information_schema.columns where table_schema = 'weir' and table_name = 'paid' and column_name = 'amount'`: `{"t":"double precision"}`,
	} {
		if got := strings.Join(query(t, in, "lake", sql), "|"); got != want {
			t.Errorf("%s\n gives %s\n want  %s", sql, got, want)
		}
	}
	until(t, "a balanced book", func() bool {
		b := bookOf(t, in, "web", "lake")
		return b.Balanced && b.InFlight == 0 && b.Delivered == 4*users
	})
}

// TestWhatTheWarehouseRefusesIsQuarantinedInTheBooks has a unique index of the
// customer's: a row that it refuses is delivered no longer, also after the process was
// killed, and is delivered once it was replayed into a table without that index.
func TestWhatTheWarehouseRefusesIsQuarantinedInTheBooks(t *testing.T) {
	t.Parallel()
	server, at := acmePostgres(t)
	dir := t.TempDir()
	config := postgresConfig(t, dir, at)
	ports := addresses(t)
	p, in := dev(t, dir, config, ports...)
	pay := func(id, mail string) {
		t.Helper()
		accept(t, in.Gateway, "/v1/track", "wk_web", fmt.Sprintf(`{"userId":"u","event":"Paid","messageId":%q,"properties":{"mail":%q}}`, id, mail))
	}
	books := func(when string, routed, delivered, quarantined int64) {
		t.Helper()
		until(t, when, func() bool {
			b := bookOf(t, in, "web", "lake")
			return b.Balanced && b.Staged+b.InFlight == 0 && b.Routed == routed && b.Delivered == delivered && b.Quarantined == quarantined
		})
	}
	again := func() {
		t.Helper()
		p.kill()
		p, in = dev(t, dir, config, ports...)
	}
	pay("one", "a@b.c")
	until(t, "a row", func() bool { return rowCount(t, in, "paid") == 1 })
	if err := server.Exec(t.Context(), "acme", `create unique index on weir.paid (mail)`); err != nil {
		t.Fatal(err)
	}
	pay("two", "a@b.c")
	pay("three", "d@e.f")
	books("one of three is quarantined", 3, 2, 1)
	list := run(t, 0, "", "dlq", "list", "--quarantined", "--output", "json", "--data-dir", in.Dir)
	if strings.Count(list, `"row_refused"`) != 1 || !contains(list, `"two"`) {
		t.Errorf("the quarantine shows %s, want event two", list)
	}
	again()
	books("so it is after a death", 3, 2, 1)
	if err := server.Exec(t.Context(), "acme", `drop index weir.paid_mail_idx`); err != nil {
		t.Fatal(err)
	}
	if out := run(t, 0, "", "replay", "--code", "row_refused", "--data-dir", in.Dir); !strings.HasPrefix(out, "replayed 1 events\n") {
		t.Errorf("replay: %s", out)
	}
	until(t, "its row", func() bool { return rowCount(t, in, "paid") == 3 })
	books("it was routed and delivered again", 4, 3, 1)
	again()
	books("so it stays after a death", 4, 3, 1)
	if own := bookOf(t, in, "web", ""); own.Accepted != 3 || own.Replayed != 1 || own.Duplicate+own.Quarantined != 0 {
		t.Errorf("the source's book is %+v, want 3 accepted and 1 replayed", own)
	}
}
