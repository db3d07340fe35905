package view_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/quarantine"
	"weir/dataplane/view"
	"weir/shared/capability"
	"weir/shared/fault"
	"weir/shared/id"
)

// moves is a partition that does two records a call of the three it has when it
// is first asked for a source.
type moves struct {
	view.Lister
	name  string
	asked *[]string // what was asked, in order
}

func (m moves) Replay(_ context.Context, c quarantine.Filter, span quarantine.Span) (int, quarantine.Span, error) {
	places := ""
	for _, p := range c.Places {
		places += fmt.Sprintf(" %d/%d", p.Seq, p.Item)
	}
	*m.asked = append(*m.asked, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s %s %d-%d%s", m.name, c.Workspace, c.Source, c.Destination, c.Code, span.After, span.Until, places)), " "))
	if span == (quarantine.Span{}) {
		return 2, quarantine.Span{After: 2, Until: 3}, nil
	}
	return 1, quarantine.Span{}, nil
}

func (m moves) Discard(ctx context.Context, c quarantine.Filter, span quarantine.Span) (int, quarantine.Span, error) {
	return m.Replay(ctx, c, span)
}

func withMoves(t *testing.T) (f *fixture, asked *[]string) {
	asked = &[]string{}
	return newFixtureWith(t, "", func(c *view.Config) {
		c.Rows, c.Plans, c.Quarantine = rows, plans(t, opens(mute{})), []view.Quarantine{moves{name: "p0", asked: asked}, moves{name: "p1", asked: asked}}
	}), asked
}

// TestQuarantinedEventsMoveInParts asks until nothing is left, by every choice.
func TestQuarantinedEventsMoveInParts(t *testing.T) {
	t.Parallel()
	for choice, tc := range map[string]struct {
		change func(*capability.Grant)
		want   []string
	}{
		`"all":true`: {nil, []string{
			"p0 ws_a src_a 0-0", "p0 ws_a src_a 2-3", "p1 ws_a src_a 0-0", "p1 ws_a src_a 2-3",
			"p0 ws_a src_b 0-0", "p0 ws_a src_b 2-3", "p1 ws_a src_b 0-0", "p1 ws_a src_b 2-3",
		}},
		`"source":"app","code":"x"`:             {nil, []string{"p0 ws_a src_b x 0-0", "p0 ws_a src_b x 2-3", "p1 ws_a src_b x 0-0", "p1 ws_a src_b x 2-3"}},
		`"places":["1/7/2"],"source":"web"`:     {nil, []string{"p1 ws_a src_a 0-0 7/2", "p1 ws_a src_a 2-3 7/2"}},
		`"source":"src_b","destination":"gone"`: {nil, []string{"p0 ws_a src_b gone 0-0", "p0 ws_a src_b gone 2-3", "p1 ws_a src_b gone 0-0", "p1 ws_a src_b gone 2-3"}},
		`"destination":"lake"`: {func(g *capability.Grant) {
			g.Sources, g.Destinations = []id.Source{"src_b"}, []id.Destination{"dst_b"}
		}, []string{"p0 ws_a src_b dst_b 0-0", "p0 ws_a src_b dst_b 2-3", "p1 ws_a src_b dst_b 0-0", "p1 ws_a src_b dst_b 2-3"}},
		`"source":"src_z"`: {nil, []string{}},
	} {
		for path, action := range map[string]capability.Action{"replay": capability.ReplayQuarantine, "discard": capability.DiscardQuarantine} {
			f, asked := withMoves(t)
			total, next := 0, ""
			for range 20 {
				w := f.do("POST", "/v1/quarantine/"+path, f.token(tc.change, action), fmt.Sprintf(`{%s,"cursor":%q}`, choice, next))
				var out struct {
					Replayed, Discarded int
					Next                string
				}
				if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 200 {
					t.Fatalf("%s {%s}: %d %s", path, choice, w.Code, w.Body)
				}
				total += out.Replayed + out.Discarded
				if next = out.Next; next == "" {
					break
				}
			}
			if d := cmp.Diff(tc.want, *asked); d != "" || total != len(tc.want)/2*3 || next != "" {
				t.Errorf("%s {%s}: %d moved (-want +got):\n%s", path, choice, total, d)
			}
		}
	}
}

func TestQuarantinedEventsOfAnythingElseDoNotMove(t *testing.T) {
	t.Parallel()
	one := func(g *capability.Grant) { g.Destinations = []id.Destination{"dst_b"} }
	app := func(g *capability.Grant) { g.Sources = []id.Source{"src_b"} }
	for _, tc := range []struct {
		body   string
		change func(*capability.Grant)
		want   int
	}{
		{`{}`, nil, 400}, {`{"cursor":""}`, nil, 400}, {`{"all":true,"cursor":"x"}`, nil, 400}, {`{"places":["2/1/1"]}`, nil, 400}, {`{"everything":true}`, nil, 400}, {`{"all":true}x`, nil, 400},
		{`{"all":true}`, one, 403}, {`{"source":"web"}`, one, 403}, {`{"destination":"hook"}`, one, 403}, {`{"destination":"gone"}`, one, 403},
		{`{"source":"web"}`, app, 403}, {`{"source":"src_a"}`, app, 403}, {`{"source":"gone"}`, app, 403},
	} {
		f, asked := withMoves(t)
		for path, action := range map[string]capability.Action{"replay": capability.ReplayQuarantine, "discard": capability.DiscardQuarantine} {
			if w := f.do("POST", "/v1/quarantine/"+path, f.token(tc.change, action), tc.body); w.Code != tc.want {
				t.Errorf("%s %s: %d %s, want %d", path, tc.body, w.Code, w.Body, tc.want)
			}
		}
		if len(*asked) > 0 {
			t.Errorf("%s reached the partitions: %v", tc.body, *asked)
		}
	}
	f, asked := withMoves(t)
	if w := f.do("POST", "/v1/quarantine/replay", f.token(app, capability.ReplayQuarantine), `{"all":true}`); w.Code != 200 || slices.ContainsFunc(*asked, func(s string) bool { return !strings.Contains(s, "src_b") }) {
		t.Errorf("all of some sources: %d %s, asked %v", w.Code, w.Body, *asked)
	}
}

// busy is a partition that cannot move anything.
type busy struct{ moves }

func (busy) Replay(context.Context, quarantine.Filter, quarantine.Span) (int, quarantine.Span, error) {
	return 0, quarantine.Span{}, fault.New(fault.Conflict, "Being moved already.")
}

func TestAReplayThatCannotBeIsSaid(t *testing.T) {
	t.Parallel()
	f := newFixtureWith(t, "", func(c *view.Config) { c.Rows, c.Quarantine = rows, []view.Quarantine{busy{}} })
	if w := f.do("POST", "/v1/quarantine/replay", f.token(nil, capability.ReplayQuarantine), `{"all":true}`); w.Code != 409 || !strings.Contains(w.Body.String(), "Being moved already.") {
		t.Errorf("%d %s, want the conflict", w.Code, w.Body)
	}
}
