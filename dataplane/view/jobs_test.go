package view_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/dataplane/moves"
	"weir/dataplane/parked"
	"weir/dataplane/queue/natsstore/table"
	"weir/dataplane/view"
	"weir/shared/capability"
	"weir/shared/fault"
	"weir/shared/id"
)

// documents is a table in memory of which nobody hears.
type documents map[string]table.Document

func (d documents) Get(_ context.Context, key string) (table.Document, error) { return d[key], nil }

func (d documents) Put(_ context.Context, key string, value []byte, revision uint64) (uint64, error) {
	d[key] = table.Document{Key: key, Value: value, Revision: revision + 1}
	return revision + 1, nil
}

func (d documents) Watch(ctx context.Context, _ func(table.Document), known func()) error {
	known()
	<-ctx.Done()
	return ctx.Err()
}

// withJobs is a view with a board whose partitions run nowhere, so that jobs stay as they
// began. It ends with the test.
func withJobs(t *testing.T) *fixture {
	away := func() (moves.Dead, error) { return nil, fault.New(fault.Unavailable, "It does not run.") }
	board, err := moves.New(moves.Config{
		Table: documents{}, Connected: func(event.Event) bool { return true }, Replay: func(context.Context, []event.Event) error { return nil }, Log: slog.New(slog.DiscardHandler),
		Partitions: []moves.Partition{{Dead: away, Rows: func() []ledger.Row { return nil }}, {Dead: away, Rows: func() []ledger.Row { return nil }}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { board.Run(ctx); close(ended) }()
	t.Cleanup(func() { stop(); <-ended })
	synctest.Wait()
	return newFixtureWith(t, "", func(c *view.Config) { c.Plans, c.Jobs = plans(t, opens(mute{})), board })
}

// job is a job as it is answered.
type job struct {
	ID, Kind, State, Source, Destination, Code string
	Rate                                       int
	Total                                      *int
	Ended                                      *time.Time
	Chosen                                     *int
}

func (f *fixture) job(method, path string, token string, body string) (j job, status int) {
	f.t.Helper()
	w := f.do(method, path, token, body)
	if err := json.Unmarshal(w.Body.Bytes(), &j); err != nil {
		f.t.Fatalf("%s %s: %v: %s", method, path, err, w.Body)
	}
	return j, w.Code
}

// TestJobsAreAboutExactlyWhatWasChosen begins jobs by every choice.
func TestJobsAreAboutExactlyWhatWasChosen(t *testing.T) {
	t.Parallel()
	few := func(g *capability.Grant) {
		g.Sources, g.Destinations = []id.Source{"src_b"}, []id.Destination{"dst_b"}
	}
	two := func(g *capability.Grant) { g.Sources = []id.Source{"src_a", "src_b"} }
	one := func(g *capability.Grant) { g.Destinations = []id.Destination{"dst_b"} }
	for _, tc := range []struct {
		path, body string
		change     func(*capability.Grant)
		want       string
	}{
		{"redrive", `{"destination":"","places":[],"code":"","all":true}`, nil, "redrive"},
		{"redrive", `{"destination":"hook","rate":7}`, nil, "redrive destination hook at 7"},
		{"redrive", `{"destination":"dst_gone","code":"x","retransform":true}`, nil, "retransform destination dst_gone code x"},
		{"discard", `{"places":["0/1/1","1/4/0"]}`, nil, "discard"},
		{"discard", `{"destination":"lake"}`, one, "discard destination lake"},
		{"replay", `{"source":"app","destination":"lake"}`, few, "replay source app destination lake"},
		{"replay", `{"destination":"lake"}`, few, "replay source app destination lake"},
		{"discard-quarantined", `{"code":"no_id"}`, nil, "discard_quarantined code no_id"},
		{"redrive", `{}`, nil, "400"},
		{"redrive", `{"rate":5}`, nil, "400"},
		{"redrive", `{"all":true,"source":"web"}`, nil, "redrive source web"},
		{"discard", `{"source":"src_gone","destination":"hook"}`, nil, "discard source src_gone destination hook"},
		{"redrive", `{"source":"app","destination":"hook"}`, two, "redrive source app destination hook"},
		{"redrive", `{"source":"web","destination":"lake"}`, few, "403"},
		{"discard", `{"source":"web","destination":"dst_a","preview":true}`, nil, "3 chosen"},
		{"discard", `{"source":"app","destination":"dst_a","preview":true}`, nil, "0 chosen"},
		{"redrive", `{"all":true,"rate":-1}`, nil, "400"},
		{"redrive", `{"places":["7/1/1"]}`, nil, "400"},
		{"redrive", `{"places":["x"]}`, nil, "400"},
		{"redrive", `{"everything":true}`, nil, "400"},
		{"redrive", `{"all":true}x`, nil, "400"},
		{"discard", `{"all":true,"retransform":true}`, nil, "400"},
		{"replay", `{"all":true,"preview":true}`, nil, "400"},
		{"redrive", `{"all":true}`, two, "403"},
		{"redrive", `{"all":true}`, one, "403"},
		{"redrive", `{"destination":"hook"}`, one, "403"},
		{"replay", `{"all":true}`, two, "403"},
		{"replay", `{"all":true}`, one, "403"},
		{"replay", `{"source":"web","destination":"lake"}`, few, "403"},
		{"redrive", `{"code":"y","preview":true}`, nil, "1 chosen"},
		{"discard", `{"destination":"dst_a","preview":true}`, nil, "3 chosen"},
		{"redrive", `{"places":["0/1/1","1/4/0"],"preview":true}`, nil, "2 chosen"},
		{"redrive", `{"destination":"dst_z","preview":true}`, nil, "0 chosen"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := withJobs(t)
			action := map[string]capability.Action{"redrive": capability.RedriveDead, "discard": capability.DiscardDead, "replay": capability.ReplayQuarantine, "discard-quarantined": capability.DiscardQuarantine}[tc.path]
			j, status := f.job("POST", "/v1/jobs/"+tc.path, f.token(tc.change, action), tc.body)
			got := j.Kind
			for name, value := range map[string]string{"source": j.Source} {
				if value != "" {
					got += " " + name + " " + value
				}
			}
			if j.Destination != "" {
				got += " destination " + j.Destination
			}
			if j.Code != "" && status == 200 {
				got += " code " + j.Code
			}
			if j.Rate != 0 {
				got += fmt.Sprint(" at ", j.Rate)
			}
			if j.Chosen != nil {
				got = fmt.Sprint(*j.Chosen, " chosen")
			}
			if status != 200 {
				got = fmt.Sprint(status)
			}
			if got != tc.want || status == 200 && j.Chosen == nil && (j.State != "running" || j.Total != nil || j.Ended != nil) {
				t.Errorf("%s %s: %s, %+v, want %s", tc.path, tc.body, got, j, tc.want)
			}
			for _, p := range f.parts {
				for _, filter := range p.filters {
					if filter.Workspace != "ws_a" || filter.Destination == "" || filter.Destination == "dst_z" {
						t.Errorf("%s: dead letters were asked with %+v", tc.body, filter)
					}
				}
			}
		})
	}
}

// TestJobsAreListedAndStoppedByWhoMaySeeThem: a grant of some objects shows the jobs about
// these alone.
func TestJobsAreListedAndStoppedByWhoMaySeeThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := withJobs(t)
		all, _ := f.job("POST", "/v1/jobs/discard-quarantined", f.token(nil, capability.DiscardQuarantine), `{"all":true}`)
		lake, _ := f.job("POST", "/v1/jobs/redrive", f.token(nil, capability.RedriveDead), `{"destination":"lake"}`)
		foreign := func(g *capability.Grant) { g.Workspace = "ws_b" }
		one := func(g *capability.Grant) { g.Destinations = []id.Destination{"dst_b"} }
		app := func(g *capability.Grant) { g.Sources = []id.Source{"src_b"} }
		for name, tc := range map[string]struct {
			change func(*capability.Grant)
			want   []string
		}{"the workspace": {nil, []string{lake.ID, all.ID}}, "another workspace": {foreign, nil}, "a destination": {one, []string{lake.ID}}, "a source": {app, nil}} {
			w := f.do("GET", "/v1/jobs", f.token(tc.change, capability.ReadJobs), "")
			var out struct{ Jobs []job }
			if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
				t.Fatalf("%s: %v: %s", name, err, w.Body)
			}
			var got []string
			for _, j := range out.Jobs {
				got = append(got, j.ID)
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("%s sees (-want +got):\n%s", name, d)
			}
			for _, id := range []string{lake.ID, all.ID} {
				_, shown := f.job("GET", "/v1/jobs/"+id, f.token(tc.change, capability.ReadJobs), "")
				if (shown == 200) != (len(tc.want) == 2 || len(tc.want) == 1 && id == lake.ID) {
					t.Errorf("%s and job %s: %d", name, id, shown)
				}
				if len(tc.want) == 0 {
					if _, status := f.job("POST", "/v1/jobs/"+id+"/stop", f.token(tc.change, capability.StopJobs), ""); status != 403 && status != 404 {
						t.Errorf("%s stops job %s: %d", name, id, status)
					}
				}
			}
		}
		if j, status := f.job("POST", "/v1/jobs/"+lake.ID+"/stop", f.token(one, capability.StopJobs), ""); status != 200 || j.State != "stopped" || j.Ended == nil {
			t.Errorf("stopped: %d %+v", status, j)
		}
		if w := f.do("POST", "/v1/jobs/replay", f.token(nil, capability.ReplayQuarantine), `{"source":"web"}`); w.Code != 409 {
			t.Errorf("a second job about the same events: %d %s, want 409", w.Code, w.Body)
		}
	})
}

var _ view.Dead = (*parked.Store)(nil)
