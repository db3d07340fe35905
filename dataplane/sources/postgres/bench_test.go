package postgres_test

import (
	"testing"
	"time"

	"weir/dataplane/pull"
	"weir/dataplane/sources/postgres"
	"weir/shared/postgrestest"
)

// BenchmarkReplica copies a table of 20 columns, then follows an update of each of its rows:
// rows a second of both, as records with their JSON.
func BenchmarkReplica(b *testing.B) {
	const rows = 100_000
	s, err := postgrestest.Start(b.Context(), "", "wal_level=logical")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	run := func(statement string) {
		b.Helper()
		if err := s.Exec(b.Context(), "postgres", statement); err != nil {
			b.Fatal(err)
		}
	}
	run(`create table things (id bigint primary key, a text, b text, c text, d text, e text, f int, g int, h int, i int, j float8, k float8, l numeric, m boolean, n boolean, o timestamptz, p timestamptz, q date, r text, s text)`)
	run(`insert into things select i, md5(i::text), md5(i::text), 'c', 'd', 'e' || i, i, i, i, i, i / 7.0, i, i * 1.5, true, false, now(), now(), now()::date, repeat('x', 60), 'y' from generate_series(1, 100000) i`)
	open, err := postgres.Kind().Open([]byte(`{"host":"db.example","database":"postgres","user":"postgres","sslMode":"disable","replication":"logical","tables":{"things":""}}`), nil)
	if err != nil {
		b.Fatal(err)
	}
	p := open(pull.Deps{Dial: s.Dial, Now: time.Now, Source: "src_bench"})
	var at pull.Cursor
	follow := func() (n int) {
		_, err := p.Pull(b.Context(), "replication", at, pull.Budget{Until: time.Now().Add(2 * time.Second)}, func(some []pull.Record, c pull.Cursor) error {
			n, at = n+len(some), c
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	follow()
	var copied, followed time.Duration
	for b.Loop() {
		var from pull.Cursor
		began := time.Now()
		for n := 0; ; {
			next, err := p.Pull(b.Context(), "things", from, pull.Budget{Until: time.Now().Add(time.Minute)}, func(some []pull.Record, c pull.Cursor) error {
				n, from = n+len(some), c
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			if !next.More && next.Wait == 0 {
				if n != rows {
					b.Fatalf("%d rows were copied", n)
				}
				break
			}
		}
		copied += time.Since(began)
		run("update things set f = f + 1")
		began = time.Now()
		for n := 0; n < rows; {
			n += follow()
		}
		followed += time.Since(began)
	}
	b.ReportMetric(float64(rows*b.N)/copied.Seconds(), "copied/s")
	b.ReportMetric(float64(rows*b.N)/followed.Seconds(), "followed/s")
}
