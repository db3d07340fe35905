package identity_test

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"weir/dataplane/tables"
	"weir/dataplane/tables/enginetest"
)

var (
	links  = flag.Int("links", 20_000, "of benchmarks of stitching: how many links of two identifiers there are, each in three rows")
	costs  = flag.Bool("costs", false, "of benchmarks of stitching: tell the processor time of each statement that takes a twentieth of a second")
	engine = flag.String("engine", "duckdb", "of benchmarks of stitching: the warehouse")
)

var stitchedAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// BenchmarkStitch makes persons of links: four of each person, from a user id to three devices and to
// an e-mail address, which some persons share. Then one row more in a hundred comes, then all is stitched again.
func BenchmarkStitch(b *testing.B) {
	w := engines.Open(b, *engine)
	s, err := w.Session(b.Context(), "profiles")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if *costs {
		s = enginetest.Tell(s)
	}
	at, year := tables.Time(stitchedAt), 365*24*3600
	insert := func(rows, first int) {
		// Twelve rows in a row name one user, and one of four other identifiers.
		_, err := tables.Run(b.Context(), s, fmt.Sprintf(`insert into src select i %% 7, %s - ((i * 7919) %% %d) * interval '1 second', 'user-' || (i - i %% 12), null,
			case when i %% 4 = 0 then 'Person' || (case when i %% 600 < 12 then i - i %% 12 + 12 else i - i %% 12 end) || '@home.org' end, null,
			case when i %% 4 > 0 then 'device-' || (i - i %% 12) || '-' || (i %% 4) end from generate_series(cast(%d as bigint), cast(%d as bigint)) t(i)`, at, year, first, first+rows-1))
		if err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() { // one: identity stays in the warehouse
		exec(b, s, "drop table if exists src", "create table src (batch bigint, at_time timestamptz, user_id text, stripe_id text, email text, phone text, anonymous_id text)")
		insert(3**links, 0)
		g := graph(w, "user", "true")
		g.Inputs[0].Changed = "at_time"
		run := func(name string, now time.Time, full bool) {
			if err := g.Prepare(b.Context(), s); err != nil {
				b.Fatal(err)
			}
			enginetest.Peak()
			start, cpu := time.Now(), enginetest.Used()
			m, held, err := g.Run(b.Context(), s, now, full, true)
			if err != nil || len(held) > 0 || m.Persons < int64(*links)/4 {
				b.Fatal(m, held, err)
			}
			b.ReportMetric(time.Since(start).Seconds(), name+"-s")
			b.ReportMetric(enginetest.Used()-cpu, name+"-cpu-s")
			b.ReportMetric(float64(enginetest.Peak())/(1<<20), name+"-peak-MiB")
		}
		run("full", stitchedAt, true)
		at, year = tables.Time(stitchedAt.Add(time.Hour)), 600
		insert(3**links/100, 3**links)
		run("1pc", stitchedAt.Add(time.Hour), false)
		run("again", stitchedAt.Add(2*time.Hour), true)
	}
}
