package warehouses_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"weir/dataplane/layout"
	"weir/dataplane/load/loadtest"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouses/postgres"
	"weir/shared/postgrestest"
	"weir/shared/secret"
)

type dial = func(ctx context.Context, network, addr string) (net.Conn, error)

// pooler starts a PgBouncer before the server.
func pooler(t *testing.T, mode, auth string) *postgrestest.Pooler {
	t.Helper()
	p, err := postgrestest.Pool(t.Context(), server.Dir(), mode, auth)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// TestPoolers holds Postgres to the contract behind a PgBouncer, whose clients share
// sessions of the server, and wants nothing left in those.
func TestPoolers(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"session", "transaction"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := pooler(t, mode, "scram-sha-256")
			loadtest.Check(t, postgres.Kind(), func(t testing.TB) loadtest.Setup { return postgresBehind(t, p.Dial) },
				"calls", "repeat", "evolve", "users", "query", "outside", "exec", "refused")
			t.Run("beside each other", func(t *testing.T) {
				t.Parallel()
				beside(t, p.Dial)
			})
		})
	}
}

// opened opens a Postgres as a setup says, with a password.
func opened(t *testing.T, s loadtest.Setup) (warehouse.Warehouse, error) {
	t.Helper()
	o, err := postgres.Kind().Open([]byte(s.Settings), s.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	return o.Open(t.Context(), s.Deps)
}

// beside uses one schema by several connections in turn, as planes do that load into
// it, and looks at what is left in the sessions of the server.
func beside(t *testing.T, by dial) {
	ctx := t.Context()
	s := postgresBehind(t, by)
	name := strings.Split(strings.Split(s.Settings, `"database":"`)[1], `"`)[0]
	var all []warehouse.Warehouse
	for range 2 { // as many as the pooler keeps sessions
		w, err := opened(t, s)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, w)
	}
	for range 3 {
		for i, w := range all {
			table := fmt.Sprintf("t%d", i)
			have, err := w.Schema(ctx, []string{table})
			if err == nil && have[table].Columns == nil {
				err = w.Alter(ctx, []warehouse.Change{{Table: table, To: layout.String}, {Table: table, Column: "n", To: layout.Int}})
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Exec(ctx, []string{"insert into " + table + " values ('" + table + "', 1)"}); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(w.Test(ctx), w.Query(ctx, "select * from "+table, func([]byte) error { return nil })); err != nil {
				t.Fatal(err)
			}
		}
	}
	conn, err := pgx.Connect(ctx, server.URL(name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var locks, temporary int
	err = conn.QueryRow(ctx, `select (select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = $1)),
		(select count(*) from pg_class where relpersistence = 't')`, name).Scan(&locks, &temporary)
	if err != nil || locks != 0 || temporary != 0 {
		t.Errorf("%d locks and %d temporary tables are left, error %v", locks, temporary, err)
	}
	// Sessions that keep a setting would show it to whoever gets them next.
	for _, w := range all {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	with := strings.Split(s.Settings, `"user":"`)[1]
	c, err := pgx.ParseConfig("postgres://" + strings.Split(with, `"`)[0] + ":hush@db/" + name + "?sslmode=disable&default_query_exec_mode=simple_protocol")
	if err != nil {
		t.Fatal(err)
	}
	c.DialFunc, c.LookupFunc = by, func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	for range 3 {
		next, err := pgx.ConnectConfig(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		var path, timeout string
		var prepared int
		err = next.QueryRow(ctx, "select current_setting('search_path'), current_setting('statement_timeout'), (select count(*) from pg_prepared_statements)").Scan(&path, &timeout, &prepared)
		if err := errors.Join(err, next.Close(ctx)); err != nil || path != `"$user", public` || timeout != "0" || prepared != 0 {
			t.Errorf("whoever comes next has the search_path %s, the statement_timeout %s and %d prepared statements, error %v", path, timeout, prepared, err)
		}
	}
}

// TestPoolerAuth signs in by way of a PgBouncer that asks for passwords, and says what
// it says against a wrong one.
func TestPoolerAuth(t *testing.T) {
	t.Parallel()
	for _, auth := range []string{"md5", "scram-sha-256"} {
		t.Run(auth, func(t *testing.T) {
			t.Parallel()
			p := pooler(t, "transaction", auth)
			s := ofPostgres(t)
			name := strings.Split(strings.Split(s.Settings, `"database":"`)[1], `"`)[0]
			execPostgres(t, name, "set password_encryption = '"+auth+"'; alter role owner_"+name+" password 'other'")
			s.Deps.Dial = p.Dial
			for password, want := range map[string]string{"other": "", "hush": warehouse.CodeAuth} {
				s.Secrets = map[string]secret.String{"password": secret.NewString(password)}
				w, err := opened(t, s)
				if err == nil {
					err = errors.Join(w.Test(t.Context()), w.Close())
				}
				if err != nil && warehouse.CodeOf(err) != want || (err == nil) != (want == "") {
					t.Errorf("password %s: %v, want %q", password, err, want)
				}
			}
		})
	}
}

// TestWidenedMeanwhile has a column that another plane widens after the table was
// read: it becomes no narrower, and the table is tried again. What both make is made
// once.
func TestWidenedMeanwhile(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := ofPostgres(t)
	var two []warehouse.Warehouse
	for range 2 {
		w, err := opened(t, s)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = w.Close() }()
		two = append(two, w)
	}
	table := []warehouse.Change{{Table: "t", To: layout.String}, {Table: "t", Column: "n", To: layout.Int}}
	for _, w := range two {
		if err := w.Alter(ctx, table); err != nil {
			t.Fatal(err)
		}
	}
	widen := func(w warehouse.Warehouse, to layout.Type) error {
		return w.Alter(ctx, []warehouse.Change{{Table: "t", Column: "n", From: layout.Int, To: to}})
	}
	if err := widen(two[0], layout.String); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"a narrower type":         widen(two[1], layout.Float),
		"a column that is there":  two[1].Alter(ctx, []warehouse.Change{{Table: "t", Column: "n", To: layout.Int}}),
		"a column that is absent": two[1].Alter(ctx, []warehouse.Change{{Table: "t", Column: "m", From: layout.Int, To: layout.Float}}),
	} {
		if err == nil || refusal.Of(err) != refusal.Busy {
			t.Errorf("%s: %v, want refusal.Busy", what, err)
		}
	}
	if err := widen(two[1], layout.String); err != nil {
		t.Errorf("the same change once more: %v", err)
	}
	have, err := two[1].Schema(ctx, []string{"t"})
	if err != nil || have["t"].Columns["n"].Type != layout.String {
		t.Errorf("n is %v, error %v, want a text", have["t"].Columns["n"], err)
	}
	err = two[1].Query(ctx, "select count(*) as n from pg_indexes where tablename = 't'", func(row []byte) error {
		if string(row) != `{"n":1}` {
			t.Errorf("indexes: %s, want 1", row)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
