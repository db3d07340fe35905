package pipeline_test

import (
	"flag"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/deliver"
	"weir/dataplane/ledger"
	"weir/dataplane/queue"
	"weir/dataplane/queue/queuetest"
)

var (
	only  = flag.Uint64("seed", 0, "run only this seed of the simulation")
	seeds = flag.Uint64("seeds", 320, "how many seeds the simulation runs")
)

// TestSimulation runs a partition through deaths of its process at any moment,
// owners that do not know that they lost it, logs whose answers are lost, and
// destinations that fail. Nothing accepted is lost, order per user holds,
// repetitions are bounded, and the books balance after every start and at the end.
func TestSimulation(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed <= max(*seeds, *only); seed++ {
		if *only != 0 && seed != *only {
			continue
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { simulate(t, seed) })
		})
	}
}

func simulate(t *testing.T, seed uint64) {
	w := newWorld(t, seed)
	quiet := seed%3 == 0 // the journal's log is faultless, so repetitions are bounded tightly
	slack := 12 * time.Millisecond
	f := queuetest.Faults{Lost: 4, Refused: 4, Delayed: 10}
	w.faults(f, queue.Parked, queue.Dead, queue.Quarantine)
	if !quiet {
		w.faults(f, queue.Journal)
		slack = time.Second
	}
	refuses, stale := seed%5 == 0, seed%4 == 0
	if seed%2 == 0 {
		w.checkpoint = 2000
	}
	pr := w.start()
	defer func() { pr.stop() }()
	for range 12 {
		switch w.rng.IntN(8) {
		case 0:
			w.answers(shaky, always(503, time.Millisecond))
		case 1:
			w.answers(shaky, always(200, time.Duration(w.rng.IntN(5000))*time.Millisecond))
		case 2:
			w.answers(shaky, always(0, time.Millisecond))
		case 3:
			w.answers(shaky, nil)
		case 4:
			w.load(w.rng.IntN(2) == 0)
		case 5:
			if refuses {
				w.answers(shaky, always(400, time.Millisecond))
			}
		}
		for range w.rng.IntN(6) {
			w.accept(1 + w.rng.IntN(5))
			time.Sleep(time.Duration(w.rng.IntN(30)) * time.Millisecond)
		}
		time.Sleep(time.Duration(w.rng.IntN(3000)) * time.Millisecond / time.Duration(1+w.rng.IntN(100)))
		if w.rng.IntN(2) == 0 {
			continue
		}
		if w.rng.IntN(5) == 0 { // it ends in peace, but with answers outstanding
			w.cut()
			pr.stop()
			pr = w.start()
		} else if former := pr; stale && w.rng.IntN(2) == 0 {
			former.supersede()
			pr = w.start()
			time.Sleep(time.Duration(w.rng.IntN(3000)) * time.Millisecond)
			former.stop()
		} else {
			pr.crash()
			pr = w.start()
		}
		w.balanced(pr)
	}
	w.answers(shaky, nil)
	w.load(true)
	w.faults(queuetest.Faults{}, queue.Journal, queue.Parked, queue.Dead, queue.Quarantine)
	w.settled(pr)
	if n := row(pr, shaky).Dead; n > 0 {
		w.wait("all are redriven", func() bool {
			_, _ = pr.p.Redrive(t.Context(), deliver.Filter{Destination: shaky}) // asked again when the owner changed
			return row(pr, shaky).Dead == 0
		})
		w.settled(pr)
	}
	w.wait("EVENTS is purged", func() bool { return len(w.disk[queue.Events].Snapshot().Records) == 0 })
	w.balanced(pr)
	w.complete(steady, false, slack)
	w.complete(shaky, refuses, slack)
	w.complete(coded, false, slack)
	w.rewrote(row(pr, coded))
	if own := row(pr, ""); own.Quarantined != int64(w.broken) || own.SourceRouted != int64(w.unique()) || own.Duplicate+own.SourceRouted+own.Quarantined != int64(w.copies) {
		t.Errorf("seed %d: the source's book is %+v, want %d accepted, %d quarantined", seed, own, w.copies, w.broken)
	}
	for _, d := range []string{"settlement_unknown", "journal_damaged", "ledger_unbalanced", "state_damaged"} {
		if pr.raised(d) > 0 {
			t.Errorf("seed %d: alarm %s", seed, d)
		}
	}
}

// unique is how many events were accepted and broke no rule.
func (w *world) unique() (n int) {
	for _, of := range w.accepted {
		n += len(of)
	}
	return n
}

// rewrote checks the book of the destination with code, and that what the code
// refused is kept as it was.
func (w *world) rewrote(r ledger.Row) {
	var routed, dropped, refused int64
	kept := map[string]bool{}
	for _, rec := range w.disk[queue.Quarantine].Snapshot().Records {
		f, err := queue.DecodeFrame(rec.Data)
		if err != nil {
			w.t.Errorf("seed %d: QUARANTINE: %v", w.seed, err)
		}
		for _, e := range f.Events {
			if e.Quarantine == "transformation_failed" && e.Destination == coded && e.Detail == "no" {
				kept[string(e.JSON)] = true
			}
		}
	}
	for _, of := range w.accepted {
		for _, e := range of {
			outs, no := rewritten(e)
			routed++
			switch {
			case no:
				refused++
				if !kept[e] {
					w.t.Errorf("seed %d: %s was refused and is not in QUARANTINE", w.seed, e)
				}
			case len(outs) == 0:
				dropped++
			}
		}
	}
	if r.Routed != routed || r.Quarantined != refused || r.Dropped["transformation_dropped"] != dropped || r.Delivered-r.Added != routed-dropped-refused {
		w.t.Errorf("seed %d: the book of coded is %+v, want %d routed, %d refused, %d dropped", w.seed, r, routed, refused, dropped)
	}
}
