package profiles_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/dataplane/guard"
	"weir/dataplane/profile/lookup"
	"weir/dataplane/profile/runs"
	"weir/dataplane/tables"
	"weir/dataplane/tables/enginetest"
	"weir/dataplane/view/endpoint"
	view "weir/dataplane/view/profiles"
	"weir/dataplane/warehouse"
	"weir/shared/capability"
	"weir/shared/delay"
	"weir/shared/id"
	"weir/shared/workspace"
	"weir/shared/workspace/profiles"
)

// TestAHouseholdForgetsAnErasedMemberAtOnce: neither a load nor the hour is waited for, in the copy as in the warehouse.
func TestAHouseholdForgetsAnErasedMemberAtOnce(t *testing.T) {
	t.Parallel()
	w := engines.Open(t, "duckdb")
	s, err := w.Session(t.Context(), "profiles")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tables.Run(t.Context(), s, "create schema if not exists events",
		fmt.Sprintf(`create table events.identifies as select 'i' || r as id, 'u' || r as user_id, 'elm ' || (r // 2) as address, %[1]s as "timestamp", %[1]s as uuid_ts from range(4) x(r)`, tables.Time(now.Add(-time.Hour)))); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	plan := profiles.Plan{
		Entities: []profiles.Entity{{Name: "user", IDs: []profiles.Identifier{{Name: "user_id", Unique: true}}}, {Name: "household", IDs: []profiles.Identifier{{Name: "user", Of: "user"}, {Name: "address"}}}},
		Inputs:   []profiles.Input{{Name: "traits", Events: "identify"}},
		Features: []profiles.Feature{{Name: "n", Count: "traits"}, {Name: "rows", Entity: "household", Count: "traits"}},
		Lookup:   &profiles.Lookup{},
	}
	p := workspace.Profile{Name: "customers", Warehouse: "dst_a", Plan: plan}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	own := func() bool { return true }
	copies, err := lookup.New(lookup.Config{Dir: filepath.Join(t.TempDir(), "copies"), Jobs: func() []lookup.Job { return []lookup.Job{{Workspace: "ws_a", Profile: p}} }, Owner: own, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	job := runs.Job{Workspace: "ws_a", Profile: p, Table: strings.ToLower, Open: func(context.Context) (warehouse.Warehouse, error) { return enginetest.Keep(w), nil }}
	board := runs.New(runs.Config{
		Jobs: func() []runs.Job { return []runs.Job{job} }, Owner: own, Merged: func(id.Destination) int64 { return 0 }, Now: time.Now, Log: slog.New(slog.DiscardHandler), Done: copies.Feed,
	})
	m := endpoint.New(endpoint.Config{Plane: "pl_a", Key: public, Guard: &guard.Guard{}, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	view.Add(m, board, copies, time.Now, view.Elsewhere{})
	server := httptest.NewServer(m)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { board.Run(ctx); close(done) }()
	defer func() {
		server.Close()
		cancel()
		<-done
		copies.Run(ctx) // closes them
	}()
	call := func(method, path string, action capability.Action, body string) (int, string) {
		t.Helper()
		return call(t, server, private, method, path, action, body)
	}
	// The household at an address, as the copy has it.
	until := func(want string) {
		t.Helper()
		status, got := 0, ""
		for end := time.Now().Add(time.Minute); time.Now().Before(end); delay.For(t.Context(), 10*time.Millisecond) {
			if status, got = call(http.MethodGet, "/address:elm%201/traits?entity=household", capability.LookupProfiles, ""); strings.Contains(got, want) {
				return
			}
		}
		t.Fatalf("waited a minute for a household with %s: %d %s", want, status, got)
	}
	until(`"rows":2`)
	if status, got := call(http.MethodPost, "/erase", capability.DecideProfiles, `{"a":"user_id:u3"}`); status != http.StatusOK || !strings.Contains(got, `"ids":1`) {
		t.Fatalf("erased: %d %s", status, got)
	}
	until(`"rows":1`)
}
