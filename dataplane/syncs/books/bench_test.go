package books_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/dataplane/syncs/books"
	"weir/dataplane/tables"
	"weir/dataplane/tables/enginetest"
	"weir/shared/workspace/activation"
)

var (
	engines enginetest.Engines
	rows    = flag.Int("rows", 50_000, "of benchmarks of plans: how many rows the model has, of 20 columns")
	engine  = flag.String("engine", "duckdb", "of benchmarks of plans: the warehouse")
)

func TestMain(m *testing.M) { engines.Main(m) }

// used is the processor time in seconds of this process and all that it started, in which
// the warehouse is.
func used() (seconds float64) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	parents, ticks := map[string]string{}, map[string]float64{}
	for _, f := range files {
		text, _ := os.ReadFile(f) // it may have ended
		pid, rest, _ := strings.Cut(string(text), " (")
		if x := strings.Fields(rest[strings.LastIndex(rest, ")")+1:]); len(x) > 14 {
			for _, at := range x[11:15] { // with those that ended
				n, _ := strconv.ParseFloat(at, 64)
				ticks[pid] += n
			}
			parents[pid] = x[1]
		}
	}
	self := strconv.Itoa(os.Getpid())
	for pid, n := range ticks {
		for p := pid; p != "" && p != "0"; p = parents[p] {
			if p == self {
				seconds += n / 100
				break
			}
		}
	}
	return seconds
}

// BenchmarkPlan finds what is to be sent of a model of which one row in a hundred has
// changed, and reads and settles it.
func BenchmarkPlan(b *testing.B) {
	w := engines.Open(b, *engine)
	s, err := w.Session(b.Context(), "weir_sync")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	var columns []string
	mapping := map[string]string{}
	for i := range 18 {
		name := fmt.Sprintf("c%d", i)
		columns = append(columns, []string{"i * %d as %s", "'text ' || (i * %d) as %s", "(i %% 1000) / %d.0 as %s"}[i%3])
		columns[i] = fmt.Sprintf(columns[i], i+1, name)
		mapping[name] = name
	}
	run := func(statements ...string) {
		if _, err := tables.Run(b.Context(), s, statements...); err != nil {
			b.Fatal(err)
		}
	}
	run("create schema if not exists events", fmt.Sprintf("create table events.customers as select i as id, 'u' || i || '@home.org' as email, %s from generate_series(1, %d) t(i)", strings.Join(columns, ", "), *rows))
	book := books.New(activation.Sync{ID: "s", Name: "s", Object: "contact", Mode: activation.Upsert, First: books.Assume, Identifiers: map[string]string{"email": "email"}, Mapping: mapping},
		activation.Model{ID: "m", Name: "m", Table: "events.customers", Column: "id"}, w.Dialect())
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	measure := func(name string, do func() error) {
		b.Helper()
		start, cpu := time.Now(), used()
		if err := do(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(start).Seconds(), name+"-s")
		b.ReportMetric(used()-cpu, name+"-cpu-s")
	}
	plan := func(want int64) func() error {
		return func() error {
			p, err := book.Plan(b.Context(), s, now, books.Agreed{})
			if err == nil && (p.Planned != want || p.Held != "") {
				err = fmt.Errorf("the plan is %+v, want %d rows", p, want)
			}
			return err
		}
	}
	measure("first", plan(0))
	for n := 0; b.Loop(); n++ {
		now = now.Add(time.Hour)
		run(fmt.Sprintf("update events.customers set c1 = c1 || '.' where id %% 100 = %d", n%100))
		measure("plan", plan(int64(*rows/100)))
		measure("settle", func() error {
			var settled books.Settled
			for after := int64(0); ; {
				some, err := book.Rows(b.Context(), s, after, 1000)
				if err != nil {
					return err
				}
				if len(some) == 0 {
					return book.Settle(b.Context(), s, "r", now, settled)
				}
				for _, r := range some {
					settled.Accepted = append(settled.Accepted, r.N)
					after = r.N
				}
			}
		})
	}
}
