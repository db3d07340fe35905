package loadtest

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/dataplane/load"
	"weir/dataplane/warehouse"
)

// benchRows is how many rows of 20 columns one load of a benchmark has.
const benchRows = 100_000

// Bench measures loads of a kind: whole ones and their merge alone (schema and
// merge of what is staged) in rows a second, merges also as a part of what the
// bare driver loads, and what staging takes of the processor for each event. bare
// loads n rows of 20 columns as fast as the bare driver can.
func Bench(b *testing.B, kind warehouse.Kind, setup func(testing.TB) Setup, bare func(settings string, n int)) {
	settings := ""
	w := start(b, kind, func(t testing.TB) Setup {
		s := setup(t)
		settings = s.Settings
		s.Settings = settings[:len(settings)-1] + `,"skipTracksTable":true}`
		return s
	})
	var stageCPU, took, merging, baring time.Duration
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		for f := range benchRows / 500 {
			events := make([]string, 500)
			for i := range events {
				events[i] = track(fmt.Sprintf("m-%d-%d-%d", n, f, i),
					`{"a":1,"b":2.5,"c":"text of a column","d":true,"e":"2026-01-02T03:04:05Z","f":123456,"g":"x","h":"yes"}`)
			}
			w.stage(events...)
		}
		bareAt := time.Now() // in turns, so that both meet the same machine
		bare(settings, benchRows)
		baring += time.Since(bareAt)
		var cpu time.Duration
		var staged time.Time
		w.reach = func(s load.Step) error {
			switch s {
			case load.StepManifest:
				cpu = used()
			case load.StepFile:
				stageCPU += used() - cpu
			case load.StepStaged:
				staged = time.Now()
			case load.StepMerged:
				merging += time.Since(staged)
			}
			return nil
		}
		b.StartTimer()
		at := time.Now()
		w.load()
		took += time.Since(at)
	}
	rows := float64(b.N) * benchRows
	b.ReportMetric(rows/took.Seconds(), "rows/s")
	b.ReportMetric(float64(stageCPU.Microseconds())/rows, "stage-cpu-µs/event")
	b.ReportMetric(rows/merging.Seconds(), "merge-rows/s")
	b.ReportMetric(rows/baring.Seconds(), "bare-rows/s")
	b.ReportMetric(100*baring.Seconds()/merging.Seconds(), "merge-%-of-bare")
	cols := 0
	for _, row := range w.query("select * from order_done limit 1") {
		cols = len(row)
	}
	if cols == 0 {
		b.Error("no row was loaded")
	}
}

// used is the processor time that this process took.
func used() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
