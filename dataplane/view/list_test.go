package view_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/view"
	"weir/shared/capability"
	"weir/shared/fault"
	"weir/shared/id"
)

// memory is a log in memory. It looks at two events a call, as a log of much else
// would.
type memory struct {
	t   *testing.T
	all []view.Listed
}

func (s *memory) List(_ context.Context, f view.ListFilter, after delivery.Place, events, bytes int) ([]view.Listed, delivery.Place, error) {
	if f.Workspace != "ws_a" || (f.Source == "") == (f.Destination == "") || events < 1 || bytes < 1 {
		s.t.Errorf("List(%+v, %d, %d): want the workspace, one object and some room", f, events, bytes)
	}
	var out []view.Listed
	looked := 0
	for _, h := range s.all {
		if h.Seq < after.Seq || h.Seq == after.Seq && h.Item <= after.Item {
			continue
		}
		if looked++; looked > 2 || len(out) == events {
			return out, after, nil
		}
		if after = h.Place; f.Source == "" && f.Destination == h.Destination || f.Source != "" && f.Source == h.Event.Source {
			out = append(out, h)
		}
	}
	return out, delivery.Place{}, nil
}

func listed(ws id.Workspace, s id.Source, d id.Destination, seq uint64, n uint32) view.Listed {
	return view.Listed{Place: delivery.Place{Seq: seq, Item: n}, Destination: d, Code: "broken", At: now,
		Event: event.Event{Workspace: ws, Source: s, MessageID: "m", Detail: "why", JSON: []byte(`{"n":1}`)}}
}

func withLogs(t *testing.T) *fixture {
	t.Helper()
	logs := []view.Lister{
		&memory{t, []view.Listed{listed("ws_a", "src_a", "dst_a", 1, 0), listed("ws_b", "src_z", "dst_z", 1, 1), listed("ws_a", "src_b", "dst_b", 2, 0), listed("ws_a", "src_a", "dst_a", 3, 0)}},
		&memory{t, []view.Listed{listed("ws_a", "src_b", "", 1, 0), listed("ws_b", "src_a", "dst_a", 1, 1), listed("ws_a", "src_a", "dst_a", 9, 7)}},
	}
	return newFixtureWith(t, "", func(c *view.Config) {
		c.Rows, c.Plans, c.Parked, c.Quarantine = rows, plans(t, opens(mute{})), logs, logs
	})
}

type listPage struct {
	Items []struct {
		Place, Source, Destination, MessageID, Code, Detail, At string
		Event                                                   json.RawMessage
	}
	Next string
}

func TestListedEventsComeInPagesOfWhatTheCapabilityCovers(t *testing.T) {
	t.Parallel()
	one := func(g *capability.Grant) { g.Destinations = []id.Destination{"dst_b"} }
	app := func(g *capability.Grant) { g.Sources = []id.Source{"src_b"} }
	for name, tc := range map[string]struct {
		path   string
		action capability.Action
		change func(*capability.Grant)
		want   []string
	}{
		"parked":                      {"/v1/parked?", capability.ReadParked, nil, []string{"0/1/0 web hook", "0/3/0 web hook", "1/9/7 web hook", "0/2/0 app lake"}},
		"parked of one":               {"/v1/parked?destination=lake&", capability.ReadParked, nil, []string{"0/2/0 app lake"}},
		"parked of one source":        {"/v1/parked?source=app&", capability.ReadParked, nil, []string{"0/2/0 app lake"}},
		"parked of a connection":      {"/v1/parked?source=web&destination=lake&", capability.ReadParked, nil, nil},
		"quarantined for one":         {"/v1/quarantine?destination=lake&", capability.ReadQuarantine, nil, []string{"0/2/0 app lake"}},
		"parked, some destinations":   {"/v1/parked?", capability.ReadParked, one, []string{"0/2/0 app lake"}},
		"parked, some sources":        {"/v1/parked?", capability.ReadParked, app, []string{"0/2/0 app lake"}},
		"parked of a stranger":        {"/v1/parked?destination=dst_z&", capability.ReadParked, nil, nil},
		"quarantined":                 {"/v1/quarantine?", capability.ReadQuarantine, nil, []string{"0/1/0 web hook", "0/3/0 web hook", "1/9/7 web hook", "0/2/0 app lake", "1/1/0 app "}},
		"quarantined of one":          {"/v1/quarantine?source=app&", capability.ReadQuarantine, nil, []string{"0/2/0 app lake", "1/1/0 app "}},
		"quarantined, some of either": {"/v1/quarantine?", capability.ReadQuarantine, one, []string{"0/2/0 app lake"}},
		"quarantined, some sources":   {"/v1/quarantine?", capability.ReadQuarantine, app, []string{"0/2/0 app lake", "1/1/0 app "}},
	} {
		for _, limit := range []int{1, 2, 100} {
			f := withLogs(t)
			var got []string
			cursor := ""
			for range 40 {
				w := f.do("GET", fmt.Sprintf("%slimit=%d&cursor=%s", tc.path, limit, cursor), f.token(tc.change, tc.action), "")
				var page listPage
				if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != 200 || len(page.Items) > limit || page.Items == nil {
					t.Fatalf("%s: %d %s: %v", name, w.Code, w.Body, err)
				}
				for _, i := range page.Items {
					got = append(got, i.Place+" "+i.Source+" "+i.Destination)
					if i.MessageID != "m" || i.Code != "broken" || i.Detail != "why" || i.At != "2026-03-01T12:00:00Z" || string(i.Event) != `{"n":1}` {
						t.Errorf("%s: item %+v", name, i)
					}
				}
				if cursor = page.Next; cursor == "" {
					break
				}
			}
			if d := cmp.Diff(tc.want, got); d != "" || cursor != "" {
				t.Errorf("%s by %d (-want +got):\n%s", name, limit, d)
			}
		}
	}
}

func TestListedEventsOfAnythingElseAreRefused(t *testing.T) {
	t.Parallel()
	f := withLogs(t)
	one := func(g *capability.Grant) {
		g.Destinations, g.Sources = []id.Destination{"dst_b"}, []id.Source{"src_b"}
	}
	for path, action := range map[string]capability.Action{
		"/v1/parked?destination=hook": capability.ReadParked, "/v1/parked?destination=dst_a": capability.ReadParked,
		"/v1/parked?destination=none": capability.ReadParked, "/v1/quarantine?source=web": capability.ReadQuarantine, "/v1/quarantine?source=none": capability.ReadQuarantine,
	} {
		if w := f.do("GET", path, f.token(one, action), ""); w.Code != 403 || strings.Contains(w.Body.String(), "items") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	for path, want := range map[string]int{"/v1/quarantine?source=none": 404, "/v1/quarantine?limit=0": 400, "/v1/quarantine?cursor=x": 400} {
		if w := f.do("GET", path, f.token(nil, capability.ReadQuarantine), ""); w.Code != want {
			t.Errorf("%s: %d %s, want %d", path, w.Code, w.Body, want)
		}
	}
}

func TestAPageEndsAlthoughALogNeverDoes(t *testing.T) {
	t.Parallel()
	log, calls := endless{}, 0
	f := newFixtureWith(t, "", func(c *view.Config) {
		c.Rows, c.Plans, c.Parked = rows, plans(t, opens(mute{})), []view.Lister{log.count(&calls)}
	})
	w := f.do("GET", "/v1/parked", f.token(nil, capability.ReadParked), "")
	var page listPage
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || len(page.Items) != 0 || page.Next == "" || calls > 64 {
		t.Errorf("%d %s after %d calls, want an empty page that goes on", w.Code, w.Body, calls)
	}
}

// endless never finds anything and is never at its end.
type endless struct{ calls *int }

func (endless) count(n *int) endless { return endless{n} }

func (e endless) List(_ context.Context, _ view.ListFilter, after delivery.Place, _, _ int) ([]view.Listed, delivery.Place, error) {
	if *e.calls++; *e.calls > 1000 {
		return nil, delivery.Place{}, fault.New(fault.Internal, "asked for ever")
	}
	return nil, delivery.Place{Seq: after.Seq + 1}, nil
}
