package runs_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"weir/dataplane/profile"
	"weir/dataplane/profile/runs"
	"weir/dataplane/tables"
	"weir/dataplane/tables/enginetest"
	"weir/dataplane/warehouse"
	"weir/shared/id"
	"weir/shared/workspace"
	"weir/shared/workspace/profiles"
)

// TestWhoeverTakesProfilesOverRunsThem: at a clock that stands still, so that no window and no idle time begins a run, and
// without a load. What the former owner began, and what it did not come to ask for, is made good; and what it does ends.
func TestWhoeverTakesProfilesOverRunsThem(t *testing.T) {
	t.Parallel()
	w := engines.Open(t, "duckdb")
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
	var owns atomic.Bool
	owns.Store(true)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	job := runs.Job{
		Workspace: "ws_a", Table: func(event string) string { return event },
		Profile: workspace.Profile{Name: "customers", Warehouse: "dst_a", Plan: profiles.Plan{
			Entities: []profiles.Entity{{Name: "user", IDs: []profiles.Identifier{{Name: "user_id"}}}}, Inputs: []profiles.Input{{Name: "events", Events: "*"}},
		}},
		Open: func(context.Context) (warehouse.Warehouse, error) { return enginetest.Keep(w), nil },
	}
	board := runs.New(runs.Config{
		Jobs: func() []runs.Job { return []runs.Job{job} }, Owner: owns.Load, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
		Merged: func(id.Destination) int64 { return 0 },
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { board.Run(ctx); close(done) }()
	defer func() { cancel(); <-done }()
	stands := func() runs.Status { return board.Statuses("ws_a")[0] }
	until(t, "the first run", func() bool { return stands().Ended == 1 && !stands().Waits })
	err = board.With(t.Context(), "ws_a", "", func(ctx context.Context, _ tables.Session, _ profile.Config) error {
		owns.Store(false)
		<-ctx.Done() // and not at the deadline of what somebody waits for
		return ctx.Err()
	})
	if err == nil || stands().Ended != 1 {
		t.Fatalf("what is done when another process takes over ends with %v", err)
	}
	owns.Store(true)
	until(t, "a run of who has the profiles again", func() bool { return stands().Ended == 2 })
	if s := stands(); s.Last.State != profile.Published {
		t.Errorf("it is %+v", s.Last)
	}
}
