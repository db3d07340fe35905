package lookup_test

import (
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"weir/dataplane/profile/lookup"
	"weir/dataplane/tables"
	"weir/shared/workspace"
)

// TestACopyIsLackedAfterAnotherProcess: a process that runs the profiles again, after another one did, has no copy until one
// is made, and says so.
func TestACopyIsLackedAfterAnotherProcess(t *testing.T) {
	t.Parallel()
	w := engines.Open(t, "duckdb")
	s, err := w.Session(t.Context(), "profiles")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	begin(t, s)
	c := config(w)
	run(t, s, "insert into events.identifies values ('i1', 'a1', 'u1', 'ann@home.org', "+tables.Time(now.Add(-time.Hour))+", "+tables.Time(now)+")")
	var owns atomic.Bool
	job := lookup.Job{Workspace: "ws_a", Profile: workspace.Profile{Name: "customers", Warehouse: "dst_a", Plan: plan()}}
	l, err := lookup.New(lookup.Config{Dir: t.TempDir(), Jobs: func() []lookup.Job { return []lookup.Job{job} }, Owner: owns.Load, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { shut(l) }()
	lacks := func(when string, want bool) {
		t.Helper()
		l.Refresh()
		if got := l.Lacks("ws_a", "customers"); got != want {
			t.Errorf("%s a copy is lacked: %t", when, got)
		}
	}
	lacks("in a process that does not run profiles", false)
	owns.Store(true)
	lacks("at first", true)
	build(t, s, c, now)
	feed(t, l, s, c)
	lacks("when it is made", false)
	owns.Store(false)
	lacks("while another process runs them", false)
	owns.Store(true)
	lacks("afterwards", true)
	feed(t, l, s, c)
	if _, _, _, err := l.Find("ws_a", "", "", "user_id:u1", "traits"); err != nil {
		t.Error(err)
	}
	lacks("made again", false)
}
