package live_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/live"
	"weir/shared/fault"
	"weir/shared/id"
)

func sighting(ws id.Workspace, s id.Source, d id.Destination, stage live.Stage, o live.Outcome) live.Sighting {
	return live.Sighting{Workspace: ws, Source: s, Destination: d, MessageID: "m", Stage: stage, Outcome: o, Event: []byte(`{"n":1}`)}
}

// queued returns what a watch holds, as text.
func queued(w *live.Watch) []string {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	out := []string{}
	for {
		s, err := w.Next(ctx)
		if err != nil {
			return out
		}
		out = append(out, fmt.Sprintf("%s %s %s %s", s.Source, s.Destination, s.Stage, s.Outcome))
	}
}

func TestNobodyWatchesAnEmptyOrAbsentHub(t *testing.T) {
	t.Parallel()
	var none *live.Hub
	for name, h := range map[string]*live.Hub{"nil": none, "zero": {}} {
		h.See(sighting("ws_a", "src_a", "", live.Gateway, live.Accepted))
		if h.Watching("ws_a") {
			t.Errorf("%s: somebody watches", name)
		}
	}
	if _, err := none.Watch(live.Filter{Workspace: "ws_a"}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Watch of a nil hub: %v, want Unavailable", err)
	}
	if _, err := new(live.Hub).Watch(live.Filter{}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("Watch of no workspace: %v, want Invalid", err)
	}
}

func TestAWatchSeesWhatItsFilterChooses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		filter live.Filter
		want   []string
	}{
		"all":                                    {live.Filter{}, []string{"src_a  gateway accepted", "src_a dst_a deliver delivered", "src_b dst_b deliver parked"}},
		"a source":                               {live.Filter{Sources: []id.Source{"src_b"}}, []string{"src_b dst_b deliver parked"}},
		"a destination leaves out what has none": {live.Filter{Destinations: []id.Destination{"dst_a", "dst_x"}}, []string{"src_a dst_a deliver delivered"}},
		"stages":                                 {live.Filter{Stages: []live.Stage{live.Gateway}}, []string{"src_a  gateway accepted"}},
		"outcomes":                               {live.Filter{Outcomes: []live.Outcome{live.Parked, live.Dead}}, []string{"src_b dst_b deliver parked"}},
		"nothing":                                {live.Filter{Sources: []id.Source{"src_a"}, Outcomes: []live.Outcome{live.Parked}}, []string{}},
	} {
		var h live.Hub
		tc.filter.Workspace = "ws_a"
		w, err := h.Watch(tc.filter)
		if err != nil {
			t.Fatal(err)
		}
		if !h.Watching("ws_a") || h.Watching("ws_b") {
			t.Errorf("%s: Watching is %v and %v, want ws_a alone", name, h.Watching("ws_a"), h.Watching("ws_b"))
		}
		h.See(sighting("ws_a", "src_a", "", live.Gateway, live.Accepted))
		h.See(sighting("ws_b", "src_a", "dst_a", live.Deliver, live.Delivered)) // a stranger's
		h.See(sighting("ws_a", "src_a", "dst_a", live.Deliver, live.Delivered))
		h.See(sighting("ws_a", "src_b", "dst_b", live.Deliver, live.Parked))
		if d := cmp.Diff(tc.want, queued(w)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		if n := w.Missed(); n != 0 {
			t.Errorf("%s: %d missed, want 0", name, n)
		}
		w.Close()
		if w.Close(); h.Watching("ws_a") {
			t.Errorf("%s: somebody watches after Close", name)
		}
	}
}

func TestASearchFollowsTheEventsThatItFound(t *testing.T) {
	t.Parallel()
	event := func(id id.Event, json string, d id.Destination, stage live.Stage) live.Sighting {
		s := sighting("ws_a", "src_a", d, stage, live.Routed)
		s.MessageID, s.Event = id, []byte(json)
		return s
	}
	for name, tc := range map[string]struct {
		filter live.Filter
		want   []string
	}{
		"a message":                       {live.Filter{Search: "m1"}, []string{"src_a  gateway routed", "src_a dst_a deliver routed"}},
		"a user, with what became of him": {live.Filter{Search: "ada"}, []string{"src_a  gateway routed", "src_a dst_a deliver routed"}},
		"an anonymous user":               {live.Filter{Search: "anon-7"}, []string{"src_a  gateway routed"}},
		"a name that is written in escapes, and outputs of a fan-out": {live.Filter{Search: "Café"}, []string{"src_a  gateway routed", "src_a dst_b deliver routed"}},
		"a later step alone":             {live.Filter{Search: "ada", Stages: []live.Stage{live.Deliver}}, []string{"src_a dst_a deliver routed"}},
		"what only stands in properties": {live.Filter{Search: "secret"}, []string{}},
		"nobody":                         {live.Filter{Search: "bob"}, []string{}},
	} {
		var h live.Hub
		tc.filter.Workspace = "ws_a"
		w, err := h.Watch(tc.filter)
		if err != nil {
			t.Fatal(err)
		}
		h.See(event("m1", `{"type":"track","userId":"ada","event":"Paid","properties":{"userId":"secret"}}`, "", live.Gateway))
		h.See(event("x2", `{"anonymousId":"anon-7","event":7}`, "", live.Gateway))
		h.See(event("x3", `{"name":"Caf\u00e9"}`, "", live.Gateway))
		h.See(event("x4", `no JSON`, "", live.Gateway))
		h.See(event("m1", "", "dst_a", live.Deliver)) // nothing of the event is known there
		h.See(event("x3:2", `{"event":"changed"}`, "dst_b", live.Deliver))
		if d := cmp.Diff(tc.want, queued(w)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		w.Close()
	}
	if _, err := new(live.Hub).Watch(live.Filter{Workspace: "ws_a", Search: strings.Repeat("a", 201)}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a search for a long text: %v, want Invalid", err)
	}
}

func TestASearchFollowsABoundedNumberOfEvents(t *testing.T) {
	t.Parallel()
	var h live.Hub
	w, err := h.Watch(live.Filter{Workspace: "ws_a", Search: "ada", Stages: []live.Stage{live.Deliver}})
	if err != nil {
		t.Fatal(err)
	}
	s := sighting("ws_a", "src_a", "", live.Gateway, live.Accepted)
	s.Event = []byte(`{"userId":"ada"}`)
	const many = 3000
	for n := range many {
		s.MessageID = id.Event(fmt.Sprint(n))
		h.See(s)
	}
	s.Event, s.Stage = nil, live.Deliver
	for n := range many {
		s.MessageID = id.Event(fmt.Sprint(n))
		h.See(s)
	}
	if n := len(queued(w)); n != 1024 {
		t.Errorf("%d of the oldest %d are followed still, want the newest 1024", n, many)
	}
}

func TestASightingOutlivesTheBytesItWasMadeOf(t *testing.T) {
	t.Parallel()
	var h live.Hub
	w, err := h.Watch(live.Filter{Workspace: "ws_a"})
	if err != nil {
		t.Fatal(err)
	}
	frame := []byte(`xx{"n":1}xx`)
	s := sighting("ws_a", "src_a", "", live.Gateway, live.Accepted)
	s.Event = frame[2:9]
	h.See(s)
	copy(frame, strings.Repeat("?", len(frame)))
	if got, err := w.Next(t.Context()); err != nil || string(got.Event) != `{"n":1}` {
		t.Errorf("event %s, %v", got.Event, err)
	}
}

func TestASlowReaderCostsABoundedAmountAndLearnsWhatItMissed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		bytes, see, want int
	}{
		"many small": {100, live.MaxSightings + 5, live.MaxSightings},
		"few large":  {1 << 20, 10, 3}, // a fourth would pass MaxBytes
		"one beyond": {live.MaxBytes * 2, 3, 1},
	} {
		var h live.Hub
		w, err := h.Watch(live.Filter{Workspace: "ws_a"})
		if err != nil {
			t.Fatal(err)
		}
		s := sighting("ws_a", "src_a", "", live.Gateway, live.Accepted)
		s.Event = make([]byte, tc.bytes)
		for range tc.see {
			h.See(s)
		}
		if n := len(queued(w)); n != tc.want {
			t.Errorf("%s: %d are held, want %d", name, n, tc.want)
		}
		if n := w.Missed(); n != uint64(tc.see-tc.want) {
			t.Errorf("%s: %d missed, want %d", name, n, tc.see-tc.want)
		}
		h.See(s)
		if n := len(queued(w)); n != 1 || w.Missed() != 0 {
			t.Errorf("%s: after reading, %d are held, want 1 and none missed", name, n)
		}
	}
}

func TestEverySightingIsTakenOrMissedUnderLoad(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 5000
	var h live.Hub
	w, err := h.Watch(live.Filter{Workspace: "ws_a"})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() {
			for i := range each {
				s := sighting("ws_a", id.Source(fmt.Sprint(n)), "", live.Gateway, live.Accepted)
				s.Code = fmt.Sprintf("%06d", i)
				h.See(s)
			}
		})
	}
	go func() { wg.Wait(); w.Close() }()
	taken, last := 0, map[id.Source]string{}
	for {
		s, err := w.Next(t.Context())
		if err != nil {
			break
		}
		if taken++; s.Code <= last[s.Source] && last[s.Source] != "" {
			t.Fatalf("of one writer, %s came after %s", s.Code, last[s.Source])
		}
		last[s.Source] = s.Code
	}
	taken += len(queued(w))
	if missed := int(w.Missed()); taken+missed != writers*each {
		t.Errorf("%d taken and %d missed, want %d together", taken, missed, writers*each)
	}
}

func TestWatchesAreFew(t *testing.T) {
	t.Parallel()
	var h live.Hub
	var watches []*live.Watch
	open := func(ws id.Workspace) error {
		w, err := h.Watch(live.Filter{Workspace: ws})
		if err == nil {
			watches = append(watches, w)
		}
		return err
	}
	for n := range live.MaxWorkspace {
		if err := open("ws_a"); err != nil {
			t.Fatalf("watch %d: %v", n, err)
		}
	}
	if err := open("ws_a"); fault.KindOf(err) != fault.Limited {
		t.Errorf("one watch of a workspace too many: %v, want Limited", err)
	}
	for n := len(watches); n < live.MaxPlane; n++ {
		if err := open(id.Workspace(fmt.Sprintf("ws_%d", n))); err != nil {
			t.Fatalf("watch %d: %v", n, err)
		}
	}
	for n := range live.MaxWorkspace - 1 { // the oldest of ws_a go for those who have none
		if err := open(id.Workspace(fmt.Sprintf("ws_late_%d", n))); err != nil {
			t.Errorf("a workspace without a watch: %v", err)
		}
		if _, err := watches[n].Next(t.Context()); fault.KindOf(err) != fault.Limited {
			t.Errorf("watch %d of ws_a goes on: %v", n, err)
		}
	}
	if err := open("ws_z"); fault.KindOf(err) != fault.Limited {
		t.Errorf("one watch of a plane too many: %v, want Limited", err)
	}
	watches[live.MaxWorkspace].Close()
	if err := open("ws_z"); err != nil {
		t.Errorf("after one was closed: %v", err)
	}
}

func TestNextWaitsAndEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var h live.Hub
		w, err := h.Watch(live.Filter{Workspace: "ws_a"})
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan error)
		next := func(ctx context.Context) { _, err := w.Next(ctx); got <- err }
		go next(t.Context())
		synctest.Wait()
		h.See(sighting("ws_a", "src_a", "", live.Gateway, live.Accepted))
		if err := <-got; err != nil {
			t.Errorf("Next: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go next(ctx)
		synctest.Wait()
		cancel()
		if err := <-got; !errors.Is(err, context.Canceled) {
			t.Errorf("Next of an ended context: %v", err)
		}
		go next(t.Context())
		synctest.Wait()
		h.Close()
		if err := <-got; fault.KindOf(err) != fault.Unavailable {
			t.Errorf("Next after the hub closed: %v, want Unavailable", err)
		}
		w.Close()
		if _, err := h.Watch(live.Filter{Workspace: "ws_a"}); fault.KindOf(err) != fault.Unavailable || h.Watching("ws_a") {
			t.Errorf("Watch of a closed hub: %v, want Unavailable", err)
		}
	})
}

func BenchmarkWatching(b *testing.B) {
	var h live.Hub
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if h.Watching("ws_a") {
				b.Error("somebody watches")
			}
		}
	})
}

func BenchmarkSee(b *testing.B) {
	for name, filter := range map[string]live.Filter{"full": {Workspace: "ws_a"}, "filtered": {Workspace: "ws_a", Sources: []id.Source{"src_b"}}, "stranger": {Workspace: "ws_b"}} {
		b.Run(name, func(b *testing.B) {
			var h live.Hub
			if _, err := h.Watch(filter); err != nil {
				b.Fatal(err)
			}
			s := sighting("ws_a", "src_a", "", live.Gateway, live.Accepted)
			for b.Loop() {
				h.See(s)
			}
		})
	}
}
