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
)

// workspace is the first word of a key.
func workspace(k jobs.Key) string { ws, _, _ := strings.Cut(string(k), "/"); return ws }

// loop runs a loop in a bubble of its own time until the test ends.
func loop(t *testing.T, step jobs.Step) *jobs.Loop {
	t.Helper()
	l := jobs.NewLoop(step, workspace, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { l.Run(ctx); close(ended) }()
	t.Cleanup(func() { stop(); <-ended })
	return l
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
		l.Set([]jobs.Key{"a/1", "a/2", "a/3", "b/1"})
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
		l.Set([]jobs.Key{"a/1"})
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
		l.Set([]jobs.Key{"a/1"})
		synctest.Wait()
		l.Set(nil)
		time.Sleep(time.Minute)
		if steps != 1 {
			t.Errorf("%d steps, want the one that ended", steps)
		}
	})
}
