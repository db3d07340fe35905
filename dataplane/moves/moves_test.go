package moves_test

import (
	"flag"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/moves"
	"weir/shared/fault"
	"weir/shared/id"
)

var seeds = flag.Int("seeds", 20, "how many seeds the simulation of jobs runs")

// insist repeats what a store that is away refused.
func insist[T any](t *testing.T, try func() (T, error)) T {
	t.Helper()
	for range 1000 {
		v, err := try()
		if err == nil {
			return v
		}
		if fault.KindOf(err) != fault.Unavailable {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it stays away")
	panic("not reached")
}

// create begins a job, or finds the one that a try began whose answer was lost.
func create(t *testing.T, b *moves.Board, c moves.Choice) moves.Job {
	t.Helper()
	return insist(t, func() (moves.Job, error) {
		j, err := b.Create(t.Context(), ws, c)
		if err != nil && fault.KindOf(err) == fault.Conflict {
			all, listErr := b.Jobs(ws)
			if i := slices.IndexFunc(all, func(j moves.Job) bool { return j.Kind == c.Kind && j.State == moves.Running }); i >= 0 {
				return all[i], listErr
			}
		}
		return j, err
	})
}

// wait waits until a job has ended.
func wait(t *testing.T, b *moves.Board, job string) moves.Job {
	t.Helper()
	for range 10_000 {
		if j := insist(t, func() (moves.Job, error) { return b.Job(ws, job) }); j.State != moves.Running {
			return j
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("job %s does not end", job)
	panic("not reached")
}

// TestJobsGoOnWhateverDies: two processes of a plane die and come back while partitions
// move between them, calls fail and answers are lost. Each event that was there leaves
// once, in order, and what came later stays.
func TestJobsGoOnWhateverDies(t *testing.T) {
	t.Parallel()
	for seed := range uint64(*seeds) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			p := newPlane(t, seed, 3, 8)
			const each = 400
			for _, l := range p.parts {
				l.bury(dest, each)
				l.bury("dst_two", each/2)
				l.refuse(src, each)
			}
			time.Sleep(time.Second)
			var boards [2]*moves.Board
			var stops [2]func()
			for i := range boards {
				boards[i], stops[i] = p.start(i)
			}
			redrive := create(t, boards[0], moves.Choice{Kind: moves.Redrive})
			replay := create(t, boards[1], moves.Choice{Kind: moves.Replay, Source: src, Rate: []int{0, 150}[rng.IntN(2)]})
			for range 10 {
				time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
				i := rng.IntN(2)
				switch rng.IntN(3) {
				case 0:
					stops[i]()
					boards[i], stops[i] = p.start(i)
				case 1:
					l := p.parts[rng.IntN(len(p.parts))]
					l.mu.Lock()
					l.owner = i
					l.mu.Unlock()
				case 2:
					p.parts[rng.IntN(len(p.parts))].bury(dest, 3)
					p.parts[rng.IntN(len(p.parts))].refuse(src, 3)
				}
			}
			for _, id := range []string{redrive.ID, replay.ID} {
				if j := wait(t, boards[0], id); j.State != moves.Done || j.Kind == moves.Redrive && (j.Total != 3*each*3/2 || j.Moved < j.Total) {
					t.Errorf("seed %d: job %+v, want all %d moved", seed, j, 3*each*3/2)
				}
			}
			for n, l := range p.parts {
				for key, want := range map[string][2]int{string(dest): {1, each}, "dst_two": {each + 1, each / 2}, string(src): {each*3/2 + 1, each}} {
					got := l.moved[key]
					if len(got) != want[1] || !slices.IsSorted(got) || got[0] != want[0] || len(slices.Compact(slices.Clone(got))) != len(got) {
						t.Errorf("seed %d: of partition %d %s %d were moved from %d on, want the first %d from %d on in order", seed, n, key, len(got), got[:min(1, len(got))], want[1], want[0])
					}
				}
			}
			for i := range stops {
				stops[i]()
			}
		})
	}
}

func TestAJobKeepsToItsRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, kind := range []moves.Kind{moves.Redrive, moves.Replay} {
			for _, rate := range []int{3, 100, 400} {
				p := newPlane(t, 1, 2, 0)
				p.parts[0].cost, p.parts[1].cost = 0, 0
				p.parts[0].bury(dest, 12*rate)
				p.parts[1].bury(dest, 8*rate) // ends before the other
				p.parts[0].refuse(src, 12*rate)
				p.parts[1].refuse(src, 8*rate)
				time.Sleep(time.Second)
				b, stop := p.start(0)
				begun := time.Now()
				j := wait(t, b, create(t, b, moves.Choice{Kind: kind, Rate: rate}).ID)
				if took := time.Since(begun).Seconds(); took < 18 || took > 22 || j.Moved != 20*rate {
					t.Errorf("%s at %d a second moved %d in %.1f s, want %d in 20", kind, rate, j.Moved, took, 20*rate)
				}
				stop()
			}
		}
	})
}

func TestAJobThatIsStoppedMovesNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlane(t, 1, 1, 0)
		p.parts[0].bury(dest, 10_000)
		time.Sleep(time.Second)
		b, stop := p.start(0)
		defer stop()
		j := create(t, b, moves.Choice{Kind: moves.Discard, Destination: dest})
		time.Sleep(time.Second + time.Millisecond)
		now, err := b.Stop(t.Context(), ws, j.ID)
		if err != nil || now.State != moves.Stopped {
			t.Fatalf("Stop: %+v, %v", now, err)
		}
		time.Sleep(time.Minute)
		if last, _ := b.Job(ws, j.ID); last.Moved < 900 || last.Moved != len(p.parts[0].moved[string(dest)]) || last.Moved > now.Moved+1 || last.Total != 10_000 {
			t.Errorf("when it was stopped %+v, a minute later %+v with %d moved", now, last, len(p.parts[0].moved[string(dest)]))
		}
		if _, err := b.Stop(t.Context(), ws, "job_other"); fault.KindOf(err) != fault.Missing {
			t.Errorf("Stop of another: %v, want kind %v", err, fault.Missing)
		}
	})
}

func TestJobsThatAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlane(t, 1, 2, 0)
		for _, l := range p.parts {
			l.bury(dest, 1000)
		}
		time.Sleep(time.Second)
		b, stop := p.start(0)
		defer stop()
		first := create(t, b, moves.Choice{Kind: moves.Redrive, Destination: dest, Rate: 1})
		for name, tc := range map[string]struct {
			choice moves.Choice
			kind   fault.Kind
			text   string
		}{
			"the same":              {moves.Choice{Kind: moves.Redrive, Destination: dest}, fault.Conflict, first.ID},
			"all, among them these": {moves.Choice{Kind: moves.Discard}, fault.Conflict, first.ID},
			"no place":              {moves.Choice{Kind: moves.Redrive, Destination: "dst_two", Places: []string{"2/1/1"}}, fault.Invalid, "2/1/1"},
			"a negative rate":       {moves.Choice{Kind: moves.Redrive, Destination: "dst_two", Rate: -1}, fault.Invalid, "rate"},
			"too many places":       {moves.Choice{Kind: moves.Redrive, Destination: "dst_two", Places: make([]string, 1001)}, fault.Invalid, "1000"},
		} {
			if _, err := b.Create(t.Context(), ws, tc.choice); fault.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("%s: %v, want kind %v that names %s", name, err, tc.kind, tc.text)
			}
		}
		if _, err := b.Create(t.Context(), "ws_two", moves.Choice{Kind: moves.Redrive}); err != nil {
			t.Errorf("another workspace: %v", err)
		}
		create(t, b, moves.Choice{Kind: moves.Replay})
	})
}

// TestAJobIsAboutASourceAlone: what came from other sources stays. While it runs, a release that would take every
// source's letters cannot read the document; then it can again.
func TestAJobIsAboutASourceAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlane(t, 1, 1, 0)
		p.parts[0].bury(dest, 30)
		time.Sleep(time.Second)
		b, stop := p.start(0)
		defer stop()
		version := func() string {
			return string(p.table.docs[string(ws)].Value[:len(`{"version":1`)])
		}
		if j := wait(t, b, create(t, b, moves.Choice{Kind: moves.Redrive, Source: "src_two"}).ID); j.Moved != 0 || j.Total != 0 {
			t.Errorf("of another source: %+v, want nothing moved", j)
		}
		j := create(t, b, moves.Choice{Kind: moves.Discard, Source: src, Destination: dest})
		if got := version(); got != `{"version":2` {
			t.Errorf("while it runs: %s, want version 2", got)
		}
		if _, err := b.Create(t.Context(), ws, moves.Choice{Kind: moves.Redrive, Source: "src_two", Destination: dest}); err != nil {
			t.Errorf("beside it, of another source: %v", err)
		}
		if j = wait(t, b, j.ID); j.Moved != 30 {
			t.Errorf("%+v, want 30 moved", j)
		}
		for _, f := range p.parts[0].asked {
			if f.Source == "" {
				t.Errorf("letters were asked with %+v, want a source", f)
			}
		}
		for range 100 {
			if time.Sleep(time.Second); version() == `{"version":1` {
				return
			}
		}
		t.Errorf("afterwards: %s, want version 1", version())
	})
}

func TestAWorkspaceHasSoManyJobsAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlane(t, 1, 1, 0)
		var names []id.Destination
		for n := range moves.MaxRunning + 1 {
			names = append(names, id.Destination("dst_"+strings.Repeat("x", n+1)))
			p.parts[0].bury(names[n], 1000)
		}
		time.Sleep(time.Second)
		b, stop := p.start(0)
		defer stop()
		for _, d := range names[1:] {
			create(t, b, moves.Choice{Kind: moves.Redrive, Destination: d, Rate: 1})
		}
		if _, err := b.Create(t.Context(), ws, moves.Choice{Kind: moves.Redrive, Destination: names[0]}); fault.KindOf(err) != fault.Limited {
			t.Errorf("one more: %v, want kind %v", err, fault.Limited)
		}
	})
}

func TestEndedJobsAreForgottenOldestFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlane(t, 1, 1, 0)
		b, stop := p.start(0)
		defer stop()
		var last moves.Job
		for range 120 {
			last = wait(t, b, create(t, b, moves.Choice{Kind: moves.Replay}).ID)
		}
		all, err := b.Jobs(ws)
		if err != nil || len(all) > 101 || len(all) < 100 || all[0].ID != last.ID {
			t.Errorf("%d jobs are remembered, %v, want the last hundred, newest first", len(all), err)
		}
	})
}
