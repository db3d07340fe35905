package runs_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"weir/dataplane/profile"
	"weir/dataplane/profile/runs"
	"weir/dataplane/profile/score"
	"weir/dataplane/tables"
	"weir/dataplane/tables/enginetest"
	"weir/dataplane/warehouse"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/workspace"
	"weir/shared/workspace/profiles"
	"weir/shared/workspace/profiles/scores"
)

var engines enginetest.Engines

func TestMain(m *testing.M) { engines.Main(m) }

// until waits for something that the board does.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); delay.For(t.Context(), 10*time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited a minute for " + what)
		}
	}
}

func TestProfilesRunAfterLoadsAndWhenAsked(t *testing.T) {
	t.Parallel()
	w := engines.Open(t, "duckdb")
	var merged atomic.Int64
	var down, lacks atomic.Bool
	plan := profiles.Plan{
		Entities: []profiles.Entity{{Name: "user", IDs: []profiles.Identifier{{Name: "user_id"}}}},
		Inputs:   []profiles.Input{{Name: "events", Events: "*"}}, Features: []profiles.Feature{{Name: "n", Count: "events"}},
		Scores: []scores.Score{{Name: "churn", Model: scores.Boosted, Predict: json.RawMessage(`{"did":"events","next":"7d"}`)}},
	}
	s, err := w.Session(t.Context(), profile.Schema)
	if err != nil {
		t.Fatal(err)
	}
	home := w.Home()
	if _, err := tables.Run(t.Context(), s, "create schema if not exists "+home, `create table `+home+`.tracks as select 'e1' as id, 'u1' as user_id, timestamptz '2026-01-01 00:00:00Z' as "timestamp", timestamptz '2026-01-01 00:00:00Z' as uuid_ts`); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	job := runs.Job{
		Workspace: "ws_a", Profile: workspace.Profile{Name: "customers", Warehouse: "dst_a", Plan: plan}, Table: func(event string) string { return event },
		Open: func(context.Context) (warehouse.Warehouse, error) {
			if down.Load() {
				return nil, fault.New(fault.Unavailable, "down")
			}
			return enginetest.Keep(w), nil
		},
	}
	board := runs.New(runs.Config{
		Jobs: func() []runs.Job { return []runs.Job{job} }, Owner: func() bool { return true }, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Merged: func(id.Destination) int64 { return merged.Load() },
		Lacks:  func(id.Workspace, string) bool { return lacks.Load() },
		Done: func(context.Context, id.Workspace, tables.Session, profile.Config) error {
			lacks.Store(false)
			return nil
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { board.Run(ctx); close(done) }()
	defer func() { cancel(); <-done }()
	stands := func() runs.Status { return board.Statuses("ws_a")[0] }
	merged.Store(1)
	until(t, "a run after a load", func() bool { return stands().Ended == 1 })
	if s := stands(); s.Last.State != profile.Published || s.Last.Number != 2 { // a second one has what was learned
		t.Fatalf("the run after a load: %+v", s.Last)
	}
	if u := stands().Last; u.Built["user"].Changed != 1 || u.Identity["user"].Largest != 1 || u.Identity["user"].Touched != 1 {
		t.Errorf("the run after a load says that it changed %+v, %+v; want one person, as the run before the model was learned made them", u.Built, u.Identity)
	}
	if all := stands().Last.Built["user"].Scores; len(all) != 1 || all[0].Code != score.CodeUnlearned || all[0].Last == nil {
		t.Errorf("a score that nobody can be learned from: %+v", all)
	}
	down.Store(true)
	asked, err := board.Ask("ws_a", "", profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "a run that fails", func() bool { return stands().Ended > asked.Ended })
	if p := stands().Process; p == "" || p != asked.Process {
		t.Errorf("the run was asked of process %q, and process %q says how it stands", asked.Process, p)
	}
	if s := stands(); s.Last.State != profile.Failed || s.Last.Code != warehouse.CodeUnreachable {
		t.Errorf("a run while the warehouse is down: %+v", s.Last)
	}
	down.Store(false)
	if asked, err = board.Ask("ws_a", "customers", profile.Options{Full: true}); err != nil {
		t.Fatal(err)
	}
	until(t, "a run that was asked for", func() bool { return stands().Ended > asked.Ended && stands().Last.State == profile.Published })
	ended := stands().Ended
	lacks.Store(true)
	until(t, "a run that makes a copy which is not there, without a load", func() bool { return stands().Ended > ended && !lacks.Load() })
	if _, err := board.Ask("ws_b", "customers", profile.Options{}); fault.KindOf(err) != fault.Missing {
		t.Errorf("another workspace's profiles were run: %v", err)
	}
	if err := board.With(t.Context(), "ws_a", "", func(context.Context, tables.Session, profile.Config) error { return nil }); err != nil {
		t.Error(err)
	}
}
