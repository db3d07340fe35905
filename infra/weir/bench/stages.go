package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"weir/infra/weir/bench/process"
)

// stage is a part of the way of an event. A sample of CPU time belongs to the
// first stage of stages that any of its functions belongs to.
type stage struct {
	name      string
	functions []string // beginnings of their names
}

func stages() []stage {
	return []stage{
		{"collector", []string{"runtime.gcBgMarkWorker", "runtime.gcAssistAlloc", "runtime.bgsweep", "runtime.bgscavenge"}},
		{"gateway", []string{"weir/dataplane/ingest.", "weir/dataplane/httpserve."}},
		{"dedupe", []string{"weir/dataplane/dedupe."}},
		{"route", []string{"weir/dataplane/route."}},
		{"journal", []string{"weir/dataplane/journal"}},
		{"lanes", []string{"weir/dataplane/deliver.", "weir/dataplane/backlog.", "weir/dataplane/outbound.", "weir/dataplane/httpsend.", "weir/dataplane/parked"}},
		{"code", []string{"weir/dataplane/transform"}},
		{"pipeline", []string{"weir/dataplane/pipeline.", "weir/dataplane/rewrite.", "weir/dataplane/queue/natsstore.(*reader)"}},
		{"log", []string{"weir/dataplane/queue", "github.com/nats-io/"}},
		{"scheduler", []string{"runtime."}},
	}
}

// cpuProfile is the CPU time of weir, without its workers, while a load ran and arrived.
type cpuProfile struct{ merged *profile.Profile }

// byStage says where the time went, in microseconds an event.
func (c *cpuProfile) byStage(events int64) string {
	if c.merged == nil || events == 0 {
		return ""
	}
	spent := map[string]float64{}
	for _, s := range c.merged.Sample {
		spent[stageOf(s)] += float64(s.Value[len(s.Value)-1]) / 1e3 / float64(events) // the last value is nanoseconds
	}
	parts := make([]string, 0, len(spent))
	for _, s := range append(stages(), stage{name: "rest"}) {
		if us := spent[s.name]; us >= 0.05 {
			parts = append(parts, fmt.Sprintf("%s %.1f", s.name, us))
		}
	}
	return strings.Join(parts, ", ")
}

func stageOf(s *profile.Sample) string {
	for _, one := range stages() {
		for _, at := range s.Location {
			for _, line := range at.Line {
				if slices.ContainsFunc(one.functions, func(f string) bool { return strings.HasPrefix(line.Function.Name, f) }) {
					return one.name
				}
			}
		}
	}
	return "rest"
}

// profiling takes CPU profiles of weir until stop, which returns them merged, and keeps
// them where profiles are wanted.
func (b *bench) profiling(ctx context.Context, p phase) (stop func() *cpuProfile) {
	end := process.Profiling(ctx, b.metrics)
	return func() *cpuProfile {
		merged, err := end()
		if err == nil && b.profiles != "" {
			err = process.KeepProfile(b.profiles, p.name, merged)
		}
		if err != nil {
			b.report.Note("%s: no profile: %v", p.name, err)
		}
		return &cpuProfile{merged}
	}
}
