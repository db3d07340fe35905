package parked_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/parked"
	"weir/shared/fault"
)

func TestDeadLettersAreSentFromTheirOriginals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		var sent []event.Event
		var away error
		connected := false
		retransform := func(f parked.Filter) (int, error) {
			return h.store.Retransform(t.Context(), f, func(event.Event) bool { return connected }, func(_ context.Context, events []event.Event) error {
				if away == nil {
					sent = append(sent, events...)
				}
				return away
			})
		}
		h.start()
		defer func() { h.stop() }()
		// Outputs 1 to 3 are of one event, of which the last is no JSON; another was left as it was.
		var items []parked.Item
		for n, original := range []string{"", `{"type":"track","messageId":"m","userId":"u","event":"E"}`, `{"type":"track","messageId":"m","userId":"u","event":"E"}`, `no JSON`} {
			it := refused(1, fmt.Sprintf(`{"n":%d}`, n))
			it.Delivery.Output, it.Delivery.Original = uint32(n), []byte(original)
			it.Delivery.Event.MessageID, it.Delivery.Event.User, it.Delivery.Event.Type = "other", "v", "page"
			if n == 0 {
				it.Delivery.Frame, it.Delivery.Original = 2, nil
			}
			items = append(items, it)
		}
		h.bury(items...)
		choice := parked.Filter{Destination: hook, Code: "rejected_400"}
		if n, err := retransform(choice); n != 0 || err != nil {
			t.Errorf("without a connection: %d, %v, want none", n, err)
		}
		connected, away = true, errors.New("away")
		if n, err := retransform(choice); n != 0 || !errors.Is(err, away) {
			t.Errorf("while events are not taken: %d, %v, want none", n, err)
		}
		away = nil
		if n, err := retransform(choice); n != 3 || err != nil {
			t.Errorf("Retransform = %d, %v, want 3", n, err)
		}
		var got []string
		for _, e := range sent {
			got = append(got, fmt.Sprintf("%s %s %s %s %s %v %d", e.MessageID, e.User, e.Type, e.Workspace, e.Destination, e.Replayed, e.ReceivedAt.Unix()))
		}
		if d := cmp.Diff([]string{"other v page ws_test " + string(hook) + " true 1700000000", "m u track ws_test " + string(hook) + " true 1700000000"}, got); d != "" {
			t.Errorf("sent (-want +got):\n%s", d)
		}
		left, err := h.store.List(t.Context(), choice, delivery.Place{}, 10)
		if err != nil || len(left) != 1 || string(left[0].Delivery.Original) != "no JSON" {
			t.Errorf("left: %+v, %v, want the one that cannot be read", left, err)
		}
		h.stop()
		h.start()
		if n, err := retransform(choice); n != 0 || err != nil || len(sent) != 2 {
			t.Errorf("once more after a restart: %d, %v, %d sent", n, err, len(sent))
		}
	})
}

// TestNoOriginalsOfFormatOne: nobody knows what those events were before transformations.
func TestNoOriginalsOfFormatOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.dead = holding(7, kept(t)["format1"])
		h.start()
		defer func() { h.stop() }()
		if n, err := h.store.Retransform(t.Context(), parked.Filter{Destination: hook}, func(event.Event) bool { return true },
			func(context.Context, []event.Event) error { t.Error("something was replayed"); return nil }); n != 0 || err != nil {
			t.Errorf("Retransform = %d, %v, want none", n, err)
		}
		if n, err := h.store.Redrive(t.Context(), parked.Filter{Destination: hook}); n != 1 || err != nil {
			t.Errorf("Redrive = %d, %v, want 1", n, err)
		}
	})
}

// TestAMoveOfSoManyGoesOnWithinARecord: each call moves so many, also where those before
// them in their record stay.
func TestAMoveOfSoManyGoesOnWithinARecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.start()
		defer func() { h.stop() }()
		var items []parked.Item
		for n := range uint64(10) {
			items = append(items, refused(n+1, `{"type":"track"}`))
		}
		h.bury(items...)
		heard := 0
		f := parked.Filter{Destination: hook, Most: 3, Moved: func(n int) { heard += n }, Sent: map[delivery.Ref]struct{}{}}
		late := func(e event.Event) bool { return e.MessageID > "4" } // 5 to 9
		for _, want := range []int{3, 2, 0} {
			if n, err := h.store.Retransform(t.Context(), f, late, func(context.Context, []event.Event) error { return nil }); n != want || err != nil {
				t.Errorf("Retransform = %d, %v, want %d", n, err, want)
			}
		}
		if n, err := h.store.Count(t.Context(), f); n != 5 || err != nil || heard != 5 {
			t.Errorf("%d are left, %v, heard of %d, want 5 of each", n, err, heard)
		}
		if n, err := h.store.Redrive(t.Context(), f); n != 3 || err != nil {
			t.Errorf("Redrive = %d, %v, want 3", n, err)
		}
		f.Most = 0
		if n, err := h.store.Discard(t.Context(), f); n != 2 || err != nil || heard != 10 {
			t.Errorf("Discard = %d, %v, heard of %d, want the last 2 of 10", n, err, heard)
		}
	})
}

func TestARedriveMovesWhatIsChosenAndNothingElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.start()
		defer func() { h.stop() }()
		h.bury(refused(1, "{}"), refused(2, "{}"), refused(3, "{}"))
		if n, err := h.store.Redrive(t.Context(), parked.Filter{Destination: hook, Places: []delivery.Place{{Seq: 1, Item: 1}}}); n != 1 || err != nil {
			t.Errorf("Redrive = %d, %v, want 1", n, err)
		}
		if n, err := h.store.Discard(t.Context(), parked.Filter{Destination: hook, Places: []delivery.Place{{Seq: 1, Item: 2}}}); n != 1 || err != nil {
			t.Errorf("Discard = %d, %v, want 1", n, err)
		}
		want := []string{
			"1: 1 {0 0} -> 4 {1 0} rejected_400", "2: 1 {0 0} -> 4 {1 1} rejected_400", "3: 1 {0 0} -> 4 {1 2} rejected_400",
			"2: 3 {1 1} -> 3 {1 0} ", "3: 3 {1 2} -> 2 {3 0} discarded",
		}
		if diff := cmp.Diff(want, h.reports()); diff != "" {
			t.Errorf("settled: -want +got\n%s", diff)
		}
		if n, err := h.store.Discard(t.Context(), parked.Filter{Destination: hook, Is: func(*event.Event) bool { return false }}); n != 0 || err != nil {
			t.Errorf("discard of nobody's: %d, %v", n, err)
		}
		letters, err := h.store.List(t.Context(), parked.Filter{Destination: hook}, delivery.Place{}, 10)
		if err != nil || len(letters) != 1 || letters[0].Delivery.Frame != 1 {
			t.Errorf("List = %+v, %v, want the first one", letters, err)
		}
		if _, err := h.store.Redrive(t.Context(), parked.Filter{}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("of no destination: %v, want Invalid", err)
		}
	})
}

func TestAPartOfARedriveEndsInTimeAndLeavesWhatDiedLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.start()
		defer func() { h.stop() }()
		const letters = 2500
		var batch []parked.Item
		for i := range letters {
			if batch = append(batch, refused(uint64(i+1), "{}")); len(batch) == letters/10 {
				h.bury(batch...)
				batch = nil
			}
		}
		time.Sleep(time.Second)
		begun := time.Now()
		time.Sleep(time.Second)
		h.bury(refused(letters+1, "{}"))
		first, err := h.store.Redrive(t.Context(), parked.Filter{Destination: hook, Before: begun, Until: begun})
		if err != nil || first == 0 || first >= letters {
			t.Errorf("a part whose time is over moves %d of %d, %v, want one batch", first, letters, err)
		}
		rest, err := h.store.Redrive(t.Context(), parked.Filter{Destination: hook, Before: begun, Until: time.Now().Add(time.Hour)})
		if err != nil || first+rest != letters {
			t.Errorf("the next part moves %d, %v, want %d", rest, err, letters-first)
		}
		left, err := h.store.List(t.Context(), parked.Filter{Destination: hook}, delivery.Place{}, 10)
		if err != nil || len(left) != 1 || left[0].Delivery.Frame != letters+1 {
			t.Errorf("List = %+v, %v, want the one that died later", left, err)
		}
	})
}

// TestAStoreThatDoesNotRunRefuses: nothing is moved before what a former owner left
// is known, or when nobody writes any more.
func TestAStoreThatDoesNotRunRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.start()
		h.bury(refused(1, "{}"))
		h.stop()
		if n, err := h.store.Redrive(t.Context(), parked.Filter{Destination: hook}); n != 0 || fault.KindOf(err) != fault.Unavailable {
			t.Errorf("after Run: %d, %v, want Unavailable", n, err)
		}
		if _, _, err := h.store.Waiting(t.Context(), ws, hook, delivery.Place{}, 1, 1); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("after Run: %v, want Unavailable", err)
		}
	})
}

// TestARedriveThatWasCutOffIsEndedByTheNextOwner: what is in PARKED has left DEAD,
// also when the process died before it said so.
func TestARedriveThatWasCutOffIsEndedByTheNextOwner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.start()
		h.bury(refused(1, "{}"), refused(2, "{}"))
		before := h.dead.Snapshot()
		if n, err := h.store.Redrive(t.Context(), parked.Filter{Destination: hook, Places: []delivery.Place{{Seq: 1}}}); n != 1 || err != nil {
			t.Fatalf("Redrive = %d, %v, want 1", n, err)
		}
		h.stop()
		h.dead.Restore(before)
		h.start()
		defer func() { h.stop() }()
		letters, err := h.store.List(t.Context(), parked.Filter{Destination: hook}, delivery.Place{}, 10)
		if err != nil || len(letters) != 1 || letters[0].Delivery.Frame != 2 {
			t.Errorf("List = %+v, %v, want the one that was not redriven", letters, err)
		}
	})
}

func TestWhatIsSettledWhileItWaitsIsNotWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.start()
		defer func() { h.stop() }()
		h.park(made(1, "{}")) // the next record gathers for a while
		entries := make([]parked.Entry, 4)
		for i := range entries {
			it := made(uint64(10+i), "{}")
			entries[i] = (*entry)(&it)
			h.store.Park(h, entries[i])
		}
		h.mu.Lock()
		h.gone[entries[0]], h.gone[entries[2]] = true, true
		h.mu.Unlock()
		h.wait(3)
		time.Sleep(time.Second)
		if got := h.reports()[1:]; !slices.Equal(got, []string{"11: 1 {0 0} -> 3 {2 0} ", "13: 1 {0 0} -> 3 {2 1} "}) {
			t.Errorf("parked %v, want 11 and 13", got)
		}
		if n := h.store.Queued(); n != 0 {
			t.Errorf("%d bytes wait, want none", n)
		}
	})
}

// TestAMoveOfASourceLeavesTheOthers: letters of one destination came from two sources.
func TestAMoveOfASourceLeavesTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.start()
		defer func() { h.stop() }()
		var items []parked.Item
		for n := range uint64(10) {
			it := refused(n+1, `{"type":"track"}`)
			if n%2 == 1 {
				it.Delivery.Event.Source = "src_app"
			}
			items = append(items, it)
		}
		h.bury(items...)
		app := parked.Filter{Destination: hook, Source: "src_app"}
		if n, err := h.store.Count(t.Context(), app); n != 5 || err != nil {
			t.Errorf("Count = %d, %v, want 5", n, err)
		}
		if n, err := h.store.Discard(t.Context(), app); n != 5 || err != nil {
			t.Errorf("Discard = %d, %v, want 5", n, err)
		}
		left, err := h.store.List(t.Context(), parked.Filter{Destination: hook}, delivery.Place{}, 20)
		if err != nil || len(left) != 5 {
			t.Fatalf("left: %d, %v, want 5", len(left), err)
		}
		for _, l := range left {
			if l.Delivery.Event.Source != "src_web" {
				t.Errorf("left: one of %s, want src_web alone", l.Delivery.Event.Source)
			}
		}
	})
}

// TestAPersonWhomCodeMaskedIsFoundByTheOriginal: a choice by what an event says looks at what
// it was before transformations, too.
func TestAPersonWhomCodeMaskedIsFoundByTheOriginal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.start()
		defer func() { h.stop() }()
		masked, other := refused(1, `{"userId":"masked"}`), refused(2, `{"userId":"other"}`)
		masked.Delivery.Original = []byte(`{"userId":"zoe"}`)
		h.bury(masked, other)
		f := parked.Filter{Destination: hook, Is: func(e *event.Event) bool { return strings.Contains(string(e.JSON), "zoe") }}
		if n, err := h.store.Discard(t.Context(), f); n != 1 || err != nil {
			t.Errorf("Discard = %d, %v, want 1", n, err)
		}
		left, err := h.store.List(t.Context(), parked.Filter{Destination: hook}, delivery.Place{}, 10)
		if err != nil || len(left) != 1 || string(left[0].Delivery.Event.JSON) != `{"userId":"other"}` {
			t.Errorf("left: %+v, %v, want the other's", left, err)
		}
	})
}
