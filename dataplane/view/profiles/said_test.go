package profiles_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"weir/dataplane/guard"
	"weir/dataplane/profile/lookup"
	"weir/dataplane/profile/runs"
	"weir/dataplane/view/endpoint"
	view "weir/dataplane/view/profiles"
	"weir/dataplane/warehouse"
	"weir/shared/capability"
	"weir/shared/delay"
	"weir/shared/id"
	"weir/shared/workspace"
	"weir/shared/workspace/profiles"
)

// TestWhatAWarehouseSaysIsForWhoMayLookUpPersons: it quotes the mark, as warehouses quote values of rows.
func TestWhatAWarehouseSaysIsForWhoMayLookUpPersons(t *testing.T) {
	t.Parallel()
	const mark = "MARK-ann@home.org"
	p := workspace.Profile{Name: "customers", Warehouse: "dst_a", Plan: profiles.Plan{Entities: []profiles.Entity{{Name: "user", IDs: []profiles.Identifier{{Name: "user_id"}}}}}}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	own, log := func() bool { return true }, slog.New(slog.DiscardHandler)
	copies, err := lookup.New(lookup.Config{Dir: t.TempDir(), Jobs: func() []lookup.Job { return []lookup.Job{{Workspace: "ws_a", Profile: p}} }, Owner: own, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	job := runs.Job{Workspace: "ws_a", Profile: p, Table: strings.ToLower, Open: func(context.Context) (warehouse.Warehouse, error) {
		return nil, warehouse.Refuse(warehouse.CodeSchema, errors.New("the value "+mark+" is no number"))
	}}
	board := runs.New(runs.Config{Jobs: func() []runs.Job { return []runs.Job{job} }, Owner: own, Merged: func(id.Destination) int64 { return 0 }, Now: time.Now, Log: log})
	m := endpoint.New(endpoint.Config{Plane: "pl_a", Key: public, Guard: &guard.Guard{}, Now: time.Now, Log: log})
	view.Add(m, board, copies, time.Now, view.Elsewhere{})
	server := httptest.NewServer(m)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { board.Run(ctx); close(done) }()
	defer func() {
		server.Close()
		cancel()
		<-done
	}()
	call := func(method, path string, action capability.Action, body string) string {
		t.Helper()
		status, answer := call(t, server, private, method, path, action, body)
		return fmt.Sprint(status, " ", answer)
	}
	for end := time.Now().Add(time.Minute); !strings.Contains(call("GET", "", capability.ReadProfiles, ""), `"failed"`); delay.For(t.Context(), 10*time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited a minute for a run that fails")
		}
	}
	for _, c := range []struct {
		method, path string
		action       capability.Action
		body, want   string
		marked       bool
	}{
		{"GET", "", capability.ReadProfiles, "", warehouse.CodeSchema, false},
		{"GET", "", capability.ReadProfiles, "", "right to make and change tables", false},
		{"GET", "/said", capability.LookupProfiles, "", `"customers"`, true},
		{"GET", "/said", capability.ReadProfiles, "", "403", false},
		{"POST", "/inputs", capability.ReadProfiles, "{}", warehouse.CodeSchema, false},
		{"POST", "/sizes", capability.ReadProfiles, "{}", warehouse.CodeSchema, false},
		{"POST", "/scores", capability.ReadProfiles, "{}", warehouse.CodeSchema, false},
		{"POST", "/decide", capability.DecideProfiles, `{"kind":"block","a":"user_id:u1"}`, warehouse.CodeSchema, false},
		{"POST", "/erase", capability.DecideProfiles, `{"a":"user_id:u1"}`, warehouse.CodeSchema, false},
		{"POST", "/preview", capability.LookupProfiles, `{"name":"x"}`, "no number", true},
		{"POST", "/explain", capability.LookupProfiles, `{"a":"user_id:u1"}`, "no number", true},
	} {
		if got := call(c.method, c.path, c.action, c.body); !strings.Contains(got, c.want) || strings.Contains(got, mark) != c.marked {
			t.Errorf("%s %s for %s answers %s; want in it %q, and what the warehouse says: %v", c.method, c.path, c.action, got, c.want, c.marked)
		}
	}
}
