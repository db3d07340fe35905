package places_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"weir/dataplane/erasures"
	"weir/dataplane/erasures/places"
	"weir/dataplane/profile"
	"weir/dataplane/profile/lookup"
	"weir/dataplane/profile/runs"
	"weir/dataplane/tables"
	"weir/dataplane/tables/enginetest"
	"weir/dataplane/warehouse"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/workspace"
	"weir/shared/workspace/profiles"
)

var engines enginetest.Engines

func TestMain(m *testing.M) { engines.Main(m) }

// TestAnErasureAsksForARunWhoeverRemovedThePerson: the process that removed them may have lost the profiles before it could
// ask for the run with which records of others forget them. Then the next one finds nobody, and asks all the same.
func TestAnErasureAsksForARunWhoeverRemovedThePerson(t *testing.T) {
	t.Parallel()
	w := engines.Open(t, "duckdb")
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	p := workspace.Profile{Name: "customers", Warehouse: "dst_a", Plan: profiles.Plan{
		Entities: []profiles.Entity{{Name: "user", IDs: []profiles.Identifier{{Name: "user_id"}}}}, Inputs: []profiles.Input{{Name: "events", Events: "*"}},
	}}
	s, err := w.Session(t.Context(), profile.Schema)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tables.Run(t.Context(), s, "create schema if not exists "+w.Home(), `create table `+w.Home()+`.tracks as select 'e1' as id, 'u1' as user_id, timestamptz '2026-01-01 00:00:00Z' as "timestamp", timestamptz '2026-01-01 00:00:00Z' as uuid_ts`); err != nil {
		t.Fatal(err)
	}
	table := func(event string) string { return event }
	if r, err := profile.Do(t.Context(), s, profile.Config{Name: p.Name, Plan: p.Plan, SQL: w.Dialect(), Home: w.Home(), Table: table}, now, profile.Options{}); err != nil || r.State != profile.Published {
		t.Fatal(r, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	process := func() (*places.Persons, *atomic.Bool) {
		owns := new(atomic.Bool)
		owns.Store(true)
		copies, err := lookup.New(lookup.Config{Dir: t.TempDir(), Jobs: func() []lookup.Job { return []lookup.Job{{Workspace: "ws_a", Profile: p}} }, Owner: owns.Load, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		job := runs.Job{Workspace: "ws_a", Profile: p, Table: table, Open: func(context.Context) (warehouse.Warehouse, error) { return enginetest.Keep(w), nil }}
		return &places.Persons{Copies: copies, Profiles: runs.New(runs.Config{
			Jobs: func() []runs.Job { return []runs.Job{job} }, Owner: owns.Load, Merged: func(id.Destination) int64 { return 0 }, Now: func() time.Time { return now }, Log: log,
		})}, owns
	}
	waits := func(p *places.Persons) bool { return p.Profiles.Statuses("ws_a")[0].Waits }
	who := erasures.Known{Profile: "customers", Entity: "user", ID: "user_id:u1"}
	one, _ := process()
	if n, err := one.Forget(t.Context(), "ws_a", who, false); err != nil || n != 1 || !waits(one) {
		t.Fatalf("erasing removes %d identifiers, %v, and a run waits: %v", n, err, waits(one))
	}
	two, owns := process()
	owns.Store(false)
	if _, err := two.Forget(t.Context(), "ws_a", who, false); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a process that does not run profiles says %v, want unavailable: it is tried again", err)
	}
	owns.Store(true)
	if _, err := two.Forget(t.Context(), "ws_a", who, true); fault.KindOf(err) != fault.Missing || waits(two) {
		t.Errorf("counting says %v, and a run waits: %v", err, waits(two))
	}
	if n, err := two.Forget(t.Context(), "ws_a", who, false); fault.KindOf(err) != fault.Missing || n != 0 || !waits(two) {
		t.Errorf("erasing again removes %d identifiers, %v, and a run waits: %v; want one that waits", n, err, waits(two))
	}
}
