package quarantine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/overflow"
	"weir/dataplane/quarantine"
	"weir/dataplane/queue/queuetest"
	"weir/shared/fault"
	"weir/shared/id"
)

const (
	ws     id.Workspace   = "ws_test"
	source id.Source      = "src_test"
	to     id.Destination = "dst_test"
)

func store(connected func(event.Event) bool) (*quarantine.Store, *queuetest.Log) {
	log := queuetest.NewLog(1, queuetest.Faults{})
	return &quarantine.Store{Log: log, Connected: connected}, log
}

func always(event.Event) bool { return true }

// refused is an event that code on the way to a destination refused.
func refused(n int, code string) event.Event {
	return event.Event{Workspace: ws, Source: source, MessageID: "x", Quarantine: code, Detail: "no", Destination: to, JSON: fmt.Appendf(nil, `"u %d"`, n)}
}

func add(t *testing.T, s *quarantine.Store, events ...event.Event) {
	t.Helper()
	if err := s.Add(t.Context(), source, events); err != nil {
		t.Fatalf("Add: %v", err)
	}
}

func list(t *testing.T, s *quarantine.Store, f quarantine.Filter) []quarantine.Item {
	t.Helper()
	all, err := s.List(t.Context(), f, delivery.Place{}, 1000)
	if err != nil {
		t.Fatalf("List(%+v): %v", f, err)
	}
	return all
}

// TestReplayAndRemoveGoOnWhereTheyEnded moves more than one call does, while
// what is sent again breaks the same rule again.
func TestReplayAndRemoveGoOnWhereTheyEnded(t *testing.T) {
	t.Parallel()
	s, _ := store(always)
	const records, each = 7, 300
	for n := range records {
		events := []event.Event{refused(n*each, "other")}
		for i := range each - 1 {
			events = append(events, refused(n*each+i+1, "too_deep"))
		}
		add(t, s, events...)
	}
	again := func(_ context.Context, events []event.Event) error {
		for i := range events {
			if !events[i].Replayed || events[i].Quarantine != "" {
				t.Errorf("sent again: %+v", events[i])
			}
			events[i].Quarantine = "too_deep"
		}
		add(t, s, events...)
		return nil
	}
	filter := quarantine.Filter{Workspace: ws, Source: source, Code: "too_deep"}
	all := func(move func(quarantine.Span) (int, quarantine.Span, error)) (moved, calls int) {
		for span := (quarantine.Span{}); calls == 0 || span != (quarantine.Span{}); calls++ {
			n, rest, err := move(span)
			if err != nil || n > 1000+each {
				t.Fatalf("call %d moved %d: %v", calls, n, err)
			}
			moved, span = moved+n, rest
		}
		return moved, calls
	}
	if n, calls := all(func(sp quarantine.Span) (int, quarantine.Span, error) {
		return s.Replay(t.Context(), filter, sp, again)
	}); n != records*(each-1) || calls < 2 {
		t.Errorf("%d were replayed in %d calls, want %d in several", n, calls, records*(each-1))
	}
	if n, calls := all(func(sp quarantine.Span) (int, quarantine.Span, error) { return s.Remove(t.Context(), filter, sp) }); n != records*(each-1) || calls < 2 {
		t.Errorf("%d were removed in %d calls, want %d in several", n, calls, records*(each-1))
	}
	left := list(t, s, quarantine.Filter{Source: source})
	if len(left) != records {
		t.Errorf("%d are left, want the %d of another code", len(left), records)
	}
	for _, item := range left {
		if item.Event.Quarantine != "other" {
			t.Errorf("left: %+v", item)
		}
	}
	if n, _, err := s.Remove(t.Context(), quarantine.Filter{Workspace: "ws_other", Source: source}, quarantine.Span{}); n != 0 || err != nil {
		t.Errorf("another workspace removed %d, %v", n, err)
	}
}

// TestACallMovesWhatCameBeforeATimeAndAboutSoMany: records leave as a whole.
func TestACallMovesWhatCameBeforeATimeAndAboutSoMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := store(always)
		for n := range 6 {
			if n == 4 {
				time.Sleep(time.Second)
			}
			add(t, s, refused(2*n, "x"), refused(2*n+1, "x"))
		}
		f := quarantine.Filter{Source: source, Before: time.Now(), Most: 3}
		if n, err := s.Count(t.Context(), f); n != 8 || err != nil {
			t.Errorf("Count = %d, %v, want the 8 that came before", n, err)
		}
		var sent [][]event.Event
		span := quarantine.Span{}
		for _, want := range []int{4, 4} {
			n, rest, err := s.Replay(t.Context(), f, span, func(_ context.Context, events []event.Event) error { sent = append(sent, events); return nil })
			if span = rest; n != want || err != nil {
				t.Errorf("Replay = %d, %v, want %d", n, err, want)
			}
		}
		if len(sent) != 2 || string(sent[1][0].JSON) != `"u 4"` {
			t.Errorf("sent in %d calls: %v, want 2 with many records in each", len(sent), sent)
		}
		if left := list(t, s, quarantine.Filter{Source: source}); len(left) != 4 {
			t.Errorf("%d are left, want the 4 that came later", len(left))
		}
	})
}

// TestWhatCannotGoStays: an event that still breaks its rule at the gateway, one
// that has no connection, and one that the sender does not take.
func TestWhatCannotGoStays(t *testing.T) {
	t.Parallel()
	const valid = `{"messageId":"m1","type":"track","userId":"u","event":"E"}`
	atGateway := func(json string) event.Event {
		return event.Event{Workspace: ws, Source: source, Quarantine: "no_type", JSON: []byte(json)}
	}
	for name, tc := range map[string]struct {
		event     event.Event
		connected bool
		err       error
		sent      int
	}{
		"a corrected rule":          {atGateway(valid), true, nil, 1},
		"the same rule":             {atGateway(`{"messageId":"m1"}`), true, nil, 0},
		"no source any more":        {atGateway(valid), false, nil, 0},
		"refused by code":           {refused(1, "transformation_failed"), true, nil, 1},
		"refused, no connection":    {refused(1, "transformation_failed"), false, nil, 0},
		"what the sender refuses":   {refused(1, "transformation_failed"), true, errors.New("full"), 0},
		"corrected, sender refuses": {atGateway(valid), true, errors.New("full"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := store(func(event.Event) bool { return tc.connected })
			add(t, s, tc.event)
			n, rest, err := s.Replay(t.Context(), quarantine.Filter{Source: source}, quarantine.Span{}, func(context.Context, []event.Event) error { return tc.err })
			if n != tc.sent || !errors.Is(err, tc.err) || rest != (quarantine.Span{}) {
				t.Errorf("Replay = %d, %v, %v, want %d, %v", n, rest, err, tc.sent, tc.err)
			}
			if left := list(t, s, quarantine.Filter{Source: source}); len(left) != 1-tc.sent {
				t.Errorf("%d are left, want %d", len(left), 1-tc.sent)
			}
		})
	}
}

func TestFiltersSelectByWhatTheyName(t *testing.T) {
	t.Parallel()
	s, log := store(always)
	other := refused(2, "other")
	other.Destination, other.Workspace = "dst_other", "ws_other"
	add(t, s, refused(0, "no"), refused(1, "no"))
	if _, err := log.Append(t.Context(), string(source), []byte("unreadable")); err != nil {
		t.Fatal(err)
	}
	add(t, s, other)
	for name, tc := range map[string]struct {
		filter quarantine.Filter
		want   int
	}{
		"all":         {quarantine.Filter{}, 3},
		"workspace":   {quarantine.Filter{Workspace: ws}, 2},
		"destination": {quarantine.Filter{Destination: "dst_other"}, 1},
		"code":        {quarantine.Filter{Code: "no"}, 2},
		"whose":       {quarantine.Filter{Is: func(e *event.Event) bool { return e.Workspace == "ws_other" }}, 1},
		"places":      {quarantine.Filter{Places: []delivery.Place{{Seq: 1, Item: 1}, {Seq: 3}}}, 2},
	} {
		tc.filter.Source = source
		if got := list(t, s, tc.filter); len(got) != tc.want {
			t.Errorf("%s: %d are listed, want %d", name, len(got), tc.want)
		}
	}
	page, err := s.List(t.Context(), quarantine.Filter{Source: source}, delivery.Place{Seq: 1}, 1)
	if err != nil || len(page) != 1 || page[0].Place != (delivery.Place{Seq: 1, Item: 1}) {
		t.Errorf("one behind the first: %+v, %v, want that at 1.1", page, err)
	}
	if _, err := s.List(t.Context(), quarantine.Filter{}, delivery.Place{}, 1); fault.KindOf(err) != fault.Invalid {
		t.Errorf("no source: %v, want kind %v", err, fault.Invalid)
	}
}

// TestWhatIsTooOldExpires: of several sources, in the log and in objects, of which one
// is damaged.
func TestWhatIsTooOldExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir, log := t.TempDir(), queuetest.NewLog(1, queuetest.Faults{})
		blobs, err := blob.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		const each = 40
		o, err := overflow.New(t.Context(), overflow.Config{Log: log, Limit: 16 << 10, Blobs: blobs, Folder: "0", Stored: 1 << 20, Segment: 2000, Insist: true})
		if err != nil {
			t.Fatal(err)
		}
		s := &quarantine.Store{Log: o, Connected: always}
		many := func(n int) {
			for range n {
				for _, source := range []id.Source{source, "src_other"} {
					e := refused(1, "no")
					e.Source, e.JSON = source, fmt.Appendf(nil, "%q", strings.Repeat("x", 300))
					if err := s.Add(t.Context(), source, []event.Event{e}); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		many(each)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		o.Run(ctx) // moves
		cancel()
		objects, err := filepath.Glob(filepath.Join(dir, "0", string(source), "*"))
		if err != nil || len(objects) < 2 {
			t.Fatalf("objects %v, %v", objects, err)
		}
		b, err := os.ReadFile(objects[0])
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)-1] ^= 1
		if err := os.WriteFile(objects[0], b, 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(31 * 24 * time.Hour)
		many(1)
		booked := map[id.Source]int{}
		for range 2 {
			for more := true; more; {
				var err error
				if _, more, err = s.Expire(t.Context(), time.Now().Add(-30*24*time.Hour), time.Now(), func(all []delivery.Settled) {
					for _, x := range all {
						if x.Stage != delivery.FromQuarantine || x.End != delivery.EndDropped || x.Code != delivery.CodeExpired || x.Destination != to {
							t.Errorf("reported %+v", x)
						}
						booked[x.Source]++
					}
				}); err != nil {
					t.Fatal(err)
				}
			}
		}
		left := func(source id.Source) int { return len(list(t, s, quarantine.Filter{Source: source})) }
		if booked["src_other"] != each || left("src_other") != 1 {
			t.Errorf("%d of %d expired, %d are left, want 1", booked["src_other"], each, left("src_other"))
		}
		if n := booked[source]; n == 0 || n == each || left(source) < 1 || n+left(source) > each+1 {
			t.Errorf("of the source with a damaged object %d expired, %d are left", n, left(source))
		}
	})
}
