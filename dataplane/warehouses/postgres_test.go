package warehouses_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/postgres"
	"weir/shared/secret"
)

func TestPostgresCodes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	name := fmt.Sprintf("codes%d", databases.Add(1))
	if err := server.Database(ctx, name); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, server.URL(name))
	if err != nil {
		t.Fatal(err)
	}
	weak := "weak_" + name // roles belong to the server, not to the database
	_, err = conn.Exec(ctx, "create role "+weak+" login; revoke all on database "+name+" from public; grant connect on database "+name+" to "+weak)
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		t.Fatal(err)
	}
	down := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route") }
	for what, c := range map[string]struct {
		database, user string
		dial           func(context.Context, string, string) (net.Conn, error)
		query, want    string
	}{
		"no route":        {name, "postgres", down, "", warehouse.CodeUnreachable},
		"no database":     {"none", "postgres", server.Dial, "", warehouse.CodeUnreachable},
		"no role":         {name, "nobody", server.Dial, "", warehouse.CodeAuth},
		"no right":        {name, weak, server.Dial, "", warehouse.CodeAuth},
		"no table":        {name, "postgres", server.Dial, "select * from none", warehouse.CodeSchema},
		"a division by 0": {name, "postgres", server.Dial, "select 1/0", warehouse.CodeFailed},
		"a write":         {name, "postgres", server.Dial, "create table t (i int)", warehouse.CodeFailed},
		"two statements":  {name, "postgres", server.Dial, "select 1; commit; create table t (i int)", warehouse.CodeSchema},
	} {
		o, err := postgres.Kind().Open([]byte(`{"host":"db","database":"`+c.database+`","user":"`+c.user+`","schema":"weir","sslMode":"disable"}`), map[string]secret.String{})
		if err != nil {
			t.Fatal(err)
		}
		w, err := o.Open(ctx, warehouse.Deps{Dial: c.dial})
		if err == nil {
			if c.query == "" {
				err = w.Test(ctx)
			} else {
				err = w.Query(ctx, c.query, func([]byte) error { return nil })
			}
			_ = w.Close()
		}
		if warehouse.CodeOf(err) != c.want || err == nil {
			t.Errorf("%s: got %v, want %s", what, err, c.want)
		}
	}
}

// TestAbandonedStatement wants the server to end a statement whose client is gone also
// when the request to cancel it is lost.
func TestAbandonedStatement(t *testing.T) {
	t.Parallel()
	var dials atomic.Int64
	s := postgresBehind(t, func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials.Add(1) > 1 {
			return nil, errors.New("no route")
		}
		return server.Dial(ctx, network, addr)
	})
	w, err := opened(t, s)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }() // its connection ended with the statement
	look, err := pgx.Connect(t.Context(), server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = look.Close(context.WithoutCancel(t.Context())) }()
	runs := func() (n int) {
		if err := look.QueryRow(t.Context(), "select count(*) from pg_stat_activity where state = 'active' and query like '%abandoned' || '_statement%'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- w.Query(ctx, "select count(*) as abandoned_statement from generate_series(1, 100000) a, generate_series(1, 100000) b", func([]byte) error { return nil })
	}()
	for runs() == 0 { // ends with the test's own time limit
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("a query that was given up succeeded")
	}
	for runs() > 0 {
	}
}
