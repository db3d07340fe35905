package profile_test

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"weir/dataplane/profile"
	"weir/dataplane/tables"
	"weir/dataplane/tables/enginetest"
	"weir/shared/workspace/profiles"
)

var (
	customers = flag.Int("customers", 10_000, "of benchmarks of builds: how many customers there are, of whom each has 25 rows")
	engine    = flag.String("engine", "duckdb", "of benchmarks of builds: the warehouse")
	costs     = flag.Bool("costs", false, "of benchmarks of builds: tell the processor time of each statement that takes a twentieth of a second")
)

// BenchmarkBuild builds 21 features of customers with 25 rows each: identity, then the golden records of all,
// then, when one in a hundred did something in five minutes, those that this is about.
func BenchmarkBuild(b *testing.B) {
	w := engines.Open(b, *engine)
	s, err := w.Session(b.Context(), profile.Schema)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	makeTables(b, s)
	if *costs {
		s = enginetest.Tell(s)
	}
	n := *customers
	run := func(statements ...string) {
		if _, err := tables.Run(b.Context(), s, statements...); err != nil {
			b.Fatal(err)
		}
	}
	year := 365 * 24 * 3600
	when := func(mul int) string {
		return fmt.Sprintf("%s - ((i * %d) %% %d) * interval '1 second'", tables.Time(now), mul, year)
	}
	known := func(mul int) string { return when(mul) + " + interval '1 minute'" }
	run(
		fmt.Sprintf("insert into events.identifies select 'i' || i, 'a' || i, 'u' || i, 'm' || i || '@home.org', null, %s, %s from generate_series(0, %d) t(i)", when(7919), known(7919), n-1),
		fmt.Sprintf("insert into events.tracks select 't' || i, case when i %% 3 = 0 then null else 'a' || (i %% %[1]d) end, case when i %% 3 = 0 then 'u' || (i %% %[1]d) end, case i %% 4 when 0 then 'login' when 1 then 'view' when 2 then 'search' else 'share' end, %[2]s, %[3]s from generate_series(0, %[4]d) t(i)", n, when(104729), known(104729), 19*n-1),
		fmt.Sprintf("insert into events.order_completed select 'o' || i, 'u' || (i %% %d), (i %% 1000) / 4.0, 'p' || (i %% 50), %s, %s from generate_series(0, %d) t(i)", n, when(65537), known(65537), 3*n-1),
		"alter table desk.tickets add column updated_at timestamptz",
		fmt.Sprintf("insert into desk.tickets select 'k' || i, 'm' || (i %% %d) || '@home.org', %s, %s from generate_series(0, %d) t(i)", n, when(15485863), known(15485863), 2*n-1),
	)
	c := shop(w)
	c.Plan.Inputs[4].Changed = "updated_at"
	f := func(f profiles.Feature) { c.Plan.Features = append(c.Plan.Features, f) }
	c.Plan.Features, c.Plan.Audiences = nil, nil
	for _, last := range []string{"7d", "30d", "90d"} {
		f(profiles.Feature{Name: "logins_" + last, Count: "events", Where: raw(`{"event":"login"}`), Last: last})
		f(profiles.Feature{Name: "orders_" + last, Count: "orders", Last: last})
		f(profiles.Feature{Name: "revenue_" + last, Sum: "orders.total", Last: last})
		f(profiles.Feature{Name: "tickets_" + last, Count: "tickets", Last: last})
	}
	f(profiles.Feature{Name: "events", Count: "events"})
	f(profiles.Feature{Name: "days", Days: "events", Last: "30d"})
	f(profiles.Feature{Name: "least", Min: "orders.total"})
	f(profiles.Feature{Name: "most", Max: "orders.total"})
	f(profiles.Feature{Name: "mean", Average: "orders.total"})
	f(profiles.Feature{Name: "last_product", Latest: []string{"orders.product"}})
	f(profiles.Feature{Name: "mail", Latest: []string{"traits.email", "tickets.requester"}})
	f(profiles.Feature{Name: "buyer", Exists: "orders"})
	f(profiles.Feature{Name: "per_login", Ratio: []string{"revenue_30d", "logins_30d"}})
	build := func(name string, at time.Time, full bool) {
		p, err := profile.Open(b.Context(), s, c)
		if err != nil {
			b.Fatal(err)
		}
		if err := p.Prepare(b.Context(), s); err != nil {
			b.Fatal(err)
		}
		start, cpu := time.Now(), enginetest.Used()
		if _, _, err := p.Graph("").Run(b.Context(), s, at, full, true); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(start).Seconds(), "identity-"+name+"-s")
		b.ReportMetric(enginetest.Used()-cpu, "identity-"+name+"-cpu-s")
		start, cpu = time.Now(), enginetest.Used()
		built, err := p.Build(b.Context(), s, "user", 1, at, full)
		if err != nil || built.Persons != int64(n) {
			b.Fatal(built, err)
		}
		b.ReportMetric(time.Since(start).Seconds(), "features-"+name+"-s")
		b.ReportMetric(enginetest.Used()-cpu, "features-"+name+"-cpu-s")
		b.ReportMetric(float64(built.Changed), "changed-"+name)
	}
	for b.Loop() {
		build("full", now, true)
		at := now.Add(5 * time.Minute)
		run(fmt.Sprintf("insert into events.tracks select 'n' || i, null, 'u' || (i * 100), 'login', %s, %[1]s from generate_series(0, %d) t(i)", tables.Time(at.Add(-time.Minute)), n/100-1))
		build("1pc", at, false)
		start := time.Now()
		if _, err := c.Preview(b.Context(), s, "revenue_90d", profile.Draft{}, at); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(start).Seconds(), "preview-s")
	}
}
