package rewrite_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/filter"
	"weir/dataplane/journal/record"
	"weir/dataplane/live"
	"weir/dataplane/plan"
	"weir/dataplane/queue"
	"weir/dataplane/queue/queuetest"
	"weir/dataplane/rewrite"
	"weir/dataplane/route"
	"weir/dataplane/transform"
	"weir/shared/fault"
	rules "weir/shared/filter"
	"weir/shared/id"
	"weir/shared/telemetry"
)

// Destinations: two behind the same code, and one without any.
var (
	coded   = route.Destination{ID: "dst_coded"}
	other   = route.Destination{ID: "dst_other"}
	plain   = route.Destination{ID: "dst_plain", ChainIndex: 1}
	routing = &plan.Routing{Chains: []*transform.Chain{{Key: "code"}, nil}}
)

// partition is what a Rewriter works for. It notes what it hears, in order.
type partition struct {
	t      *testing.T
	events *queuetest.Log
	w      *rewrite.Rewriter
	ctx    context.Context
	code   func(transform.Meta, []event.Event) transform.Result
	fanned chan struct{} // closed when fans are journaled

	mu    sync.Mutex
	heard []string
	again map[id.Destination]int // frames that were read again for it
}

// in runs a test with a Rewriter, in a bubble.
func in(t *testing.T, bytes int64, test func(t *testing.T, p *partition)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &partition{t: t, events: queuetest.NewLog(1, queuetest.Faults{}), code: same, fanned: make(chan struct{}), again: map[id.Destination]int{}}
		ctx, cancel := context.WithCancel(t.Context())
		p.ctx = ctx
		p.w = rewrite.New(rewrite.Config{
			Bytes: bytes, Events: p.events, Left: p.left,
			Transform: func(_ context.Context, _ *transform.Chain, m transform.Meta, in []event.Event) (transform.Result, error) {
				return p.code(m, in), nil
			},
			Quarantine: func(_ context.Context, _ id.Source, events []event.Event) error {
				for _, e := range events {
					p.hear("quarantined %s %s", e.JSON, e.Quarantine)
				}
				return nil
			},
			Settle: func(all []delivery.Settled) {
				for _, s := range all {
					p.hear("settled %d.%d.%d %s", s.Frame, s.Index, s.Output, s.Code)
				}
			},
			Fan: func(all []record.Fan) <-chan struct{} {
				for _, f := range all {
					p.hear("fan %d of %d", len(f.Outs), f.Frame)
				}
				return p.fanned
			},
			Offer: func(_ context.Context, all []delivery.Delivery) error {
				for _, d := range all {
					p.hear("offered %d.%d.%d %s %s", d.Frame, d.Index, d.Output, d.Destination, d.Event.JSON)
				}
				return nil
			},
			See:   func(*event.Event, id.Destination, live.Stage, live.Outcome, string) {},
			Trace: func(uint64) *telemetry.Trace { return nil },
		})
		test(t, p)
		cancel()
		p.w.Join()
	})
}

func (p *partition) hear(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = append(p.heard, fmt.Sprintf(format, args...))
}

// expect waits until nothing moves and checks what was heard since it was called last.
func (p *partition) expect(want ...string) {
	p.t.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.heard, want) {
		p.t.Errorf("heard\n%q, want\n%q", p.heard, want)
	}
	p.heard = nil
}

// outputs are those of a frame of one event to each destination.
func outputs(frame uint64, text string, to ...route.Destination) *rewrite.Outputs {
	o := &rewrite.Outputs{Frame: frame}
	e := event.Event{Workspace: "ws_test", Source: "src_test", JSON: []byte(text)}
	for _, d := range to {
		o.Add(&e, 0, 0, routing, d)
	}
	return o
}

// take appends a frame to EVENTS and gives its outputs to the Rewriter.
func (p *partition) take(frame uint64, text string, to ...route.Destination) (direct []delivery.Delivery, all bool) {
	p.t.Helper()
	if _, err := p.events.Append(p.ctx, "", []byte(text)); err != nil {
		p.t.Fatal(err)
	}
	return p.give(outputs(frame, text, to...))
}

// give gives outputs to the Rewriter.
func (p *partition) give(o *rewrite.Outputs) (direct []delivery.Delivery, all bool) {
	p.t.Helper()
	direct, all, err := p.w.Take(p.ctx, o)
	if err != nil {
		p.t.Error(err)
	}
	return direct, all
}

// left says that a destination got nothing of a frame.
func (p *partition) left(_ context.Context, rec queue.Record, d id.Destination) (*rewrite.Outputs, error) {
	p.hear("read %d again", rec.Seq)
	p.mu.Lock()
	p.again[d]++
	p.mu.Unlock()
	return outputs(rec.Seq, string(rec.Data), route.Destination{ID: d}), nil
}

// same is code that changes nothing.
func same(_ transform.Meta, in []event.Event) (r transform.Result) {
	for i, e := range in {
		r.Outs = append(r.Outs, transform.Out{From: i, Event: e})
	}
	return r
}

func TestWhatNeedsNoCodeGoesAtOnceUnlessItComesBehindWhatDoes(t *testing.T) {
	in(t, 1<<20, func(t *testing.T, p *partition) {
		p.code = func(m transform.Meta, in []event.Event) transform.Result {
			time.Sleep(time.Second)
			return same(m, in)
		}
		if direct, all := p.take(1, "a", plain); len(direct) != 1 || !all {
			t.Errorf("a frame without code: %d at once, all %t, want 1, true", len(direct), all)
		}
		if direct, all := p.take(2, "b", coded, plain); len(direct) != 1 || direct[0].Destination != plain.ID || all {
			t.Errorf("a frame with code: %v at once, all %t, want that of %s alone", direct, all, plain.ID)
		}
		unchanged := route.Destination{ID: coded.ID, ChainIndex: plain.ChainIndex}
		if direct, all := p.take(3, "c", unchanged); len(direct) != 0 || all {
			t.Errorf("behind code: %d at once, all %t, want none", len(direct), all)
		}
		p.expect()
		time.Sleep(time.Second)
		p.expect("offered 2.0.0 dst_coded b", "offered 3.0.0 dst_coded c")
		if direct, all := p.take(4, "d", unchanged); len(direct) != 1 || !all {
			t.Errorf("behind nothing any more: %d at once, all %t, want 1, true", len(direct), all)
		}
	})
}

func TestNoneOfSeveralOutputsIsOfferedBeforeTheirFanIsJournaled(t *testing.T) {
	in(t, 1<<20, func(t *testing.T, p *partition) {
		p.code = func(_ transform.Meta, in []event.Event) transform.Result {
			return transform.Result{Outs: []transform.Out{{Event: event.Event{JSON: []byte("x")}}, {Event: event.Event{JSON: []byte("y")}}}}
		}
		p.take(1, "a", coded)
		p.expect("fan 2 of 1")
		close(p.fanned)
		p.expect("offered 1.0.1 dst_coded x", "offered 1.0.2 dst_coded y")
	})
}

func TestWhatCodeRefusesIsKeptBeforeItIsCounted(t *testing.T) {
	in(t, 1<<20, func(t *testing.T, p *partition) {
		p.code = func(transform.Meta, []event.Event) transform.Result {
			return transform.Result{Ends: []transform.End{{Quarantined: true, Code: "failed"}}}
		}
		p.take(1, "a", coded)
		p.expect("quarantined a failed", "settled 1.0.0 failed")
		p.code = func(transform.Meta, []event.Event) transform.Result {
			return transform.Result{Ends: []transform.End{{Code: "dropped"}}}
		}
		p.take(2, "b", coded)
		p.expect("settled 2.0.0 dropped")
	})
}

// TestWhatAConnectionDoesNotTakeEndsWithoutItsCode: at once, or behind what waits for
// its destination.
func TestWhatAConnectionDoesNotTakeEndsWithoutItsCode(t *testing.T) {
	in(t, 2000, func(t *testing.T, p *partition) {
		p.code = func(m transform.Meta, in []event.Event) transform.Result {
			time.Sleep(time.Second)
			return same(m, in)
		}
		compiled := func(r rules.Rules) *filter.Filter {
			f, problem := filter.New(r, &rules.Compiler{})
			if problem != nil {
				t.Fatal(problem)
			}
			return f
		}
		ruled := &plan.Routing{Chains: routing.Chains, Filters: map[id.Destination]*filter.Filter{
			coded.ID: compiled(rules.Rules{Events: &rules.Events{Deny: []string{"B"}}}),
			plain.ID: compiled(rules.Rules{Filter: "event.x > 1"}),
		}}
		of := func(frame uint64, json string, to ...route.Destination) *rewrite.Outputs {
			o := &rewrite.Outputs{Frame: frame}
			e := event.Event{Workspace: "ws_test", Source: "src_test", Type: "track", JSON: []byte(json)}
			for _, d := range to {
				o.Add(&e, 0, 0, ruled, d)
			}
			return o
		}
		if direct, all := p.give(of(1, `{"event":"B","x":"y"}`, coded, plain)); len(direct) != 0 || !all {
			t.Errorf("%d at once, all %t, want none, true", len(direct), all)
		}
		p.expect(`quarantined {"event":"B","x":"y"} filter_failed`, "settled 1.0.0 event_filtered", "settled 1.0.0 filter_failed")
		if direct, all := p.give(of(2, `{"event":"A","x":1}`, coded, plain)); len(direct) != 0 || all {
			t.Errorf("%d at once, all %t, want none, false", len(direct), all)
		}
		p.expect("settled 2.0.0 event_filtered")
		p.give(of(3, `{"event":"B"}`, coded))
		p.expect() // its destination is still busy with frame 2
		time.Sleep(time.Second)
		p.expect(`offered 2.0.0 dst_coded {"event":"A","x":1}`, "settled 3.0.0 event_filtered")
	})
}

func TestCodeRunsOnceForSeveralDestinationsUnlessItLooksAtThem(t *testing.T) {
	in(t, 1<<20, func(t *testing.T, p *partition) {
		looks := false
		p.code = func(m transform.Meta, in []event.Event) transform.Result {
			p.hear("code for %s", m.Destination)
			r := same(m, in)
			r.DestinationRead = looks
			return r
		}
		p.take(1, "a", coded, other)
		synctest.Wait()
		slices.Sort(p.heard) // two queues hand over at once
		p.expect("code for dst_coded", "offered 1.0.0 dst_coded a", "offered 1.0.0 dst_other a")
		looks = true
		p.take(2, "b", coded, other)
		synctest.Wait()
		slices.Sort(p.heard)
		p.expect("code for dst_coded", "code for dst_other", "offered 2.0.0 dst_coded b", "offered 2.0.0 dst_other b")
	})
}

// TestAFullQueueReadsItsFramesAgain: the first frame is more than a queue may
// hold, so those behind it stay in EVENTS until it is handed over.
func TestAFullQueueReadsItsFramesAgain(t *testing.T) {
	in(t, 2000, func(t *testing.T, p *partition) {
		p.code = func(m transform.Meta, in []event.Event) transform.Result {
			time.Sleep(time.Second)
			return same(m, in)
		}
		for frame := range uint64(5) {
			p.take(frame+1, fmt.Sprint("e", frame+1), coded)
			synctest.Wait()
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		var offered []string
		again := 0
		for _, h := range p.heard {
			if h[:4] == "read" {
				again++
				continue
			}
			offered = append(offered, h)
		}
		var want []string
		for n := 1; n <= 5; n++ {
			want = append(want, fmt.Sprintf("offered %d.0.0 dst_coded e%d", n, n))
		}
		if !slices.Equal(offered, want) || again == 0 {
			t.Errorf("offered %q after %d frames were read again, want all in order and some read again", offered, again)
		}
	})
}

// TestSlowCodeOfAWorkspaceLeavesMemoryToAnother has twenty destinations of a workspace
// with slow code, for each of which frames wait. Those of a neighbour, of which some
// wait too, are not read again.
func TestSlowCodeOfAWorkspaceLeavesMemoryToAnother(t *testing.T) {
	in(t, 200_000, func(t *testing.T, p *partition) {
		p.code = func(m transform.Meta, in []event.Event) transform.Result {
			if m.Workspace == "evil" {
				time.Sleep(time.Second)
			}
			time.Sleep(5 * time.Millisecond)
			return same(m, in)
		}
		own := &plan.Routing{Chains: []*transform.Chain{{Key: "evil"}, {Key: "good"}}}
		text := fmt.Sprintf("%01000d", 1)
		for frame := range uint64(300) {
			o := &rewrite.Outputs{Frame: frame + 1}
			for n := range 20 {
				e := event.Event{Workspace: "evil", Source: id.Source(fmt.Sprint("src", n)), JSON: []byte(text)}
				o.Add(&e, uint32(n), 0, own, route.Destination{ID: id.Destination(fmt.Sprint("evil", n))})
			}
			e := event.Event{Workspace: "good", Source: "src", JSON: []byte(text)}
			o.Add(&e, 20, 0, own, route.Destination{ID: "good", ChainIndex: 1})
			if _, err := p.events.Append(p.ctx, "", []byte(text)); err != nil {
				t.Fatal(err)
			}
			p.give(o)
			if frame%4 == 3 {
				time.Sleep(10 * time.Millisecond)
			}
		}
		time.Sleep(time.Second)
		p.mu.Lock()
		defer p.mu.Unlock()
		if offered := len(slices.DeleteFunc(slices.Clone(p.heard), func(h string) bool { return !strings.Contains(h, " good ") })); offered != 300 || p.again["good"] > 0 {
			t.Errorf("%d frames of the neighbour were offered and %d read again, want 300 and none", offered, p.again["good"])
		}
	})
}

func TestCodeThatCannotRunEndsTheRewriter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rewrite.New(rewrite.Config{
			Bytes: 1 << 20,
			Transform: func(context.Context, *transform.Chain, transform.Meta, []event.Event) (transform.Result, error) {
				return transform.Result{}, fault.New(fault.Internal, "broken")
			},
			Trace: func(uint64) *telemetry.Trace { return nil },
		})
		ctx, cancel := context.WithCancel(t.Context())
		if _, _, err := w.Take(ctx, outputs(1, "a", coded)); err != nil {
			t.Error(err)
		}
		if err := w.Wait(ctx); fault.KindOf(err) != fault.Internal {
			t.Errorf("Wait = %v, want the error of the code", err)
		}
		cancel()
		w.Join()
	})
}
