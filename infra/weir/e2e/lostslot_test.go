package e2e_test

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"

	"weir/shared/postgrestest"
)

// TestALostSlotIsMadeAnew drops the slot of a table while the plane is away, and changes and
// deletes rows: the table is copied anew from a new slot, and the warehouse ends equal to it.
func TestALostSlotIsMadeAnew(t *testing.T) {
	t.Parallel()
	s, err := postgrestest.Start(t.Context(), "", "wal_level=logical")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Exec(t.Context(), "postgres", "create table things (id bigint primary key, name text); insert into things select i, 'n' || i from generate_series(1, 300) i"); err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(forward(t, s.Dial))
	dir, ports := t.TempDir(), addresses(t)
	config := fmt.Sprintf(`workspace: acme
region: eu
sources:
  - { name: pg, type: postgres, settings: { host: %s, port: %s, database: postgres, user: postgres, replication: logical, tables: { things: "" }, sslMode: disable } }
destinations:
  - { name: lake, type: duckdb, settings: { path: "./acme.duckdb", syncEvery: 1s } }
connections:
  - { source: pg, destination: lake }
`, host, port)
	p, in := dev(t, dir, config, ports...)
	equal := func(when, of string) {
		t.Helper()
		want, err := psql(t, s, "select count(*) || ' ' || md5(string_agg(id || name, ',' order by id)) from things")
		if err != nil {
			t.Fatal(err)
		}
		until(t, "the table in the warehouse, "+when, func() bool { // which has neither table nor column before there is something for it
			out, _ := exec.CommandContext(t.Context(), binary, "query", "lake", "select count(*) || ' ' || md5(string_agg(id || name, ',' order by id::bigint)) as d from pg_things"+of, "--data-dir", in.Dir).Output()
			return strings.TrimSpace(string(out)) == `{"d":"`+want+`"}`
		})
	}
	equal("at first", "")
	if err := s.Exec(t.Context(), "postgres", "insert into things values (1000, 'told'); delete from things where id = 300"); err != nil {
		t.Fatal(err)
	}
	const there = " where __deleted_at is null"
	equal("after a change", there) // the slot is in use
	p.kill()
	var slot string
	until(t, "a slot that nobody reads", func() bool {
		if name, err := psql(t, s, "select slot_name from pg_replication_slots where not active"); err == nil && name != "" {
			slot = name
		}
		_, err := psql(t, s, "select pg_drop_replication_slot('"+slot+"')")
		return slot != "" && err == nil
	})
	if err := s.Exec(t.Context(), "postgres", "delete from things where id % 3 = 0; update things set name = name || '!' where id % 5 = 0; insert into things select i, 'm' || i from generate_series(2000, 2050) i"); err != nil {
		t.Fatal(err)
	}
	_, in = dev(t, dir, config, ports...)
	equal("after the slot was lost", there)
	if now, err := psql(t, s, "select string_agg(slot_name, ' ') from pg_replication_slots"); err != nil || now == "" || now == slot || strings.Contains(now, " ") {
		t.Errorf("the slots are %q, %v, want one other than %s", now, err, slot)
	}
	if err := s.Exec(t.Context(), "postgres", "delete from things where id = 1; insert into things values (3000, 'told')"); err != nil {
		t.Fatal(err)
	}
	equal("after a change from the new slot", there)
}
