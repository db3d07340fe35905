package jobs_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/jobs"
	"weir/dataplane/jobs/jobstest"
)

// workspace is the first word of a key.
func workspace(k jobs.Key) string { ws, _, _ := strings.Cut(string(k), "/"); return ws }

// loop runs a loop in a bubble of its own time until the test ends.
func loop(t *testing.T, step jobs.Step) *jobs.Loop {
	t.Helper()
	l := jobs.NewLoop(jobs.Config{Step: step, Group: workspace, Log: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { l.Run(ctx); close(ended) }()
	t.Cleanup(func() { stop(); <-ended })
	return l
}

func TestLoop(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, func(*testing.T) jobstest.Open { return func(c jobs.Config) jobs.Runner { return jobs.NewLoop(c) } })
}

func TestAScheduleBeginsRuns(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 3, 1, 11, 50, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		want jobs.Want
		next time.Time
	}{
		"none":                     {jobs.Want{}, time.Time{}},
		"an interval":              {jobs.Want{Every: time.Hour}, began.Add(time.Hour)},
		"a cron":                   {jobs.Want{Cron: "0 12 * * *"}, began.Add(10 * time.Minute)},
		"what comes first of both": {jobs.Want{Every: 5 * time.Minute, Cron: "0 12 * * *"}, began.Add(5 * time.Minute)},
		"a day that does not come": {jobs.Want{Cron: "0 0 31 2 *"}, time.Time{}},
		"fields that are no cron":  {jobs.Want{Every: time.Hour, Cron: "often"}, began.Add(time.Hour)},
	} {
		if next := tc.want.Next(began); !next.Equal(tc.next) {
			t.Errorf("%s: the run after that of %v is at %v, want %v", name, began, next, tc.next)
		}
	}
}

func TestALoopThatIsHeldBeginsNoStep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		steps := 0
		l := loop(t, func(context.Context, jobs.Key) (jobs.Next, error) {
			steps++
			return jobs.Next{Wait: time.Second}, nil
		})
		l.Hold(true)
		l.Set([]jobs.Want{{Key: "a/1"}})
		time.Sleep(time.Minute)
		if steps != 0 {
			t.Errorf("%d steps while it was held", steps)
		}
		l.Hold(false)
		time.Sleep(2500 * time.Millisecond)
		synctest.Wait()
		if steps != 3 {
			t.Errorf("%d steps after it was let go, want 3", steps)
		}
	})
}

func TestWorkspacesTakeTurnsThenTheirJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var had []jobs.Key
		l := loop(t, func(_ context.Context, k jobs.Key) (jobs.Next, error) {
			time.Sleep(time.Second)
			had = append(had, k)
			return jobs.Next{More: len(had) < 8}, nil
		})
		l.Set([]jobs.Want{{Key: "a/1"}, {Key: "a/2"}, {Key: "a/3"}, {Key: "b/1"}})
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(slices.DeleteFunc(slices.Clone(had[:8]), func(k jobs.Key) bool { return k != "b/1" })); n != 4 {
			t.Errorf("the only job of a workspace had %d of 8 turns, want 4: %v", n, had)
		}
		if !slices.Contains(had[:6], "a/1") || !slices.Contains(had[:6], "a/2") || !slices.Contains(had[:6], "a/3") {
			t.Errorf("of three jobs of a workspace one waited for more than two of its turns: %v", had)
		}
	})
}

func TestAStepComesWhenItIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var at []time.Duration
		answers := []struct {
			next jobs.Next
			err  error
		}{{jobs.Next{Wait: time.Minute}, nil}, {jobs.Next{}, errors.New("away")}, {jobs.Next{}, errors.New("away")}, {jobs.Next{More: true}, nil}, {jobs.Next{}, nil}, {jobs.Next{}, nil}}
		l := loop(t, func(context.Context, jobs.Key) (jobs.Next, error) {
			at = append(at, time.Since(begun))
			a := answers[len(at)-1]
			return a.next, a.err
		})
		l.Set([]jobs.Want{{Key: "a/1"}})
		time.Sleep(time.Hour)
		synctest.Wait()
		want := []time.Duration{0, time.Minute, time.Minute + 250*time.Millisecond, time.Minute + 750*time.Millisecond, time.Minute + 750*time.Millisecond}
		if !slices.Equal(at, want) {
			t.Errorf("steps at %v, want %v", at, want)
		}
		l.Kick("a/1")
		l.Kick("a/2") // nobody knows it
		synctest.Wait()
		if len(at) != len(want)+1 {
			t.Errorf("%d steps after a kick, want one more than %d", len(at), len(want))
		}
	})
}

func TestTheStepOfAJobThatIsNotWantedEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		steps := 0
		l := loop(t, func(ctx context.Context, _ jobs.Key) (jobs.Next, error) {
			steps++
			<-ctx.Done()
			return jobs.Next{More: true}, ctx.Err()
		})
		l.Set([]jobs.Want{{Key: "a/1"}})
		synctest.Wait()
		l.Set(nil)
		time.Sleep(time.Minute)
		if steps != 1 {
			t.Errorf("%d steps, want the one that ended", steps)
		}
	})
}
