package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
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

// profiling takes CPU profiles of weir, a second each, until stop, which returns them merged.
func (b *bench) profiling(ctx context.Context, p phase) (stop func() *cpuProfile) {
	end, done := make(chan struct{}), make(chan *cpuProfile, 1)
	go func() {
		c := new(cpuProfile)
		defer func() { done <- c }()
		var all []*profile.Profile
		for {
			one, err := b.second(ctx)
			if err != nil {
				b.report.Note("%s: no profile: %v", p.name, err)
				return
			}
			all = append(all, one)
			select {
			case <-end:
				merged, err := profile.Merge(all)
				if err != nil {
					b.report.Note("%s: profiles do not merge: %v", p.name, err)
					return
				}
				c.merged = merged
				b.keep(p, merged)
				return
			default:
			}
		}
	}()
	return func() *cpuProfile { close(end); return <-done }
}

// second takes the CPU profile of one second.
func (b *bench) second(ctx context.Context) (*profile.Profile, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.metrics+"/debug/pprof/profile?seconds=1", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	return profile.Parse(bytes.NewReader(text))
}

// keep writes the profile of a load where profiles are wanted.
func (b *bench) keep(p phase, merged *profile.Profile) {
	if b.profiles == "" {
		return
	}
	name := strings.NewReplacer(" ", "-", ",", "").Replace(p.name) + ".pprof"
	f, err := os.OpenFile(filepath.Join(b.profiles, name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err == nil {
		err = merged.Write(f)
		if shut := f.Close(); err == nil {
			err = shut
		}
	}
	if err != nil {
		b.report.Note("%s: keep the profile: %v", p.name, err)
	}
}
