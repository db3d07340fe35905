package deliver

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"weir/dataplane/backlog"
	"weir/dataplane/circuit"
	"weir/dataplane/delivery"
	"weir/dataplane/destination"
	"weir/dataplane/keyed"
	"weir/dataplane/outbound"
	"weir/shared/telemetry"
)

// maxBatchBytes is how many bytes of events a batch has at most; a single event may
// have more.
const maxBatchBytes = 4 << 20

// job is one batch under way.
type job struct {
	entries []*entry // in the order in which they have to arrive
	queue   *keyed.Queue[*entry]
	chains  []*keyed.Chain[*entry]
	results []outbound.Result // by entry
	one     [1]*entry
	oneC    [1]*keyed.Chain[*entry]
	oneR    [1]outbound.Result
	outcome outbound.Outcome
	probe   bool
	late    bool
	begun   time.Time
}

// canSend reports whether the lane may start another request now.
func (ln *lane) canSend(now time.Time) bool {
	if ln.l.stopping.Load() || !ln.l.cfg.Held() {
		return false
	}
	if ln.presence == destination.Removed {
		return ln.sending < 2 // nothing is sent, everything is dropped
	}
	if ln.presence != destination.Present || ln.target.Disabled {
		return false
	}
	return ln.circuit.Allows(now, ln.sending, ln.share())
}

// share is how many requests may be under way at most: this owner's part of the
// destination's concurrency.
func (ln *lane) share() int {
	return (ln.limits().Concurrency + ln.l.cfg.Owners - 1) / ln.l.cfg.Owners
}

// staff starts a worker when there is work that nobody does.
func (ln *lane) staff() {
	if ln.workers > ln.sending {
		return // a worker that is not sending looks for work already
	}
	now := time.Now()
	if !ln.due(&ln.live, now) && !ln.due(&ln.parked, now) || !ln.canSend(now) {
		return
	}
	if ln.l.workers.Spawn(ln.work) {
		ln.workers++
	}
}

// work sends one batch after another until there is nothing to send.
func (ln *lane) work(ctx context.Context) {
	for {
		ln.mu.Lock()
		j := ln.next(time.Now())
		if j == nil {
			ln.workers--
			ln.mu.Unlock()
			return
		}
		ln.staff() // this one is taken; is there more?
		ln.mu.Unlock()
		ln.send(ctx, j)
		ln.finish(ctx, j)
	}
}

// next takes the next batch, live and parked ones by turns, nil for none.
func (ln *lane) next(now time.Time) *job {
	if !ln.canSend(now) {
		return nil
	}
	size := ln.limits().BatchSize
	ln.turn = !ln.turn
	queues := [2]*keyed.Queue[*entry]{&ln.live, &ln.parked}
	if ln.turn && !ln.circuit.Open() { // of one that is down, a live delivery is the better probe
		queues[0], queues[1] = queues[1], queues[0]
	}
	for _, q := range queues {
		if !ln.due(q, now) {
			continue
		}
		j := &job{queue: q, begun: now}
		if ln.circuit.Open() {
			size = 1
		}
		ln.collect(j, size, ln.link.BatchBytes(now, maxBatchBytes), now)
		if len(j.entries) > 0 {
			if j.late = q == &ln.parked && backlog.Late(&j.entries[0].d, now); j.late {
				ln.sendingLate++
				ln.l.cfg.Yield.Begin()
			}
			ln.sending++
			j.probe = ln.circuit.Begin()
			return j
		}
	}
	return nil
}

// due reports whether a batch of q may go: it has something, live ones gathered
// long enough, and parked ones do not have to give way.
func (ln *lane) due(q *keyed.Queue[*entry], now time.Time) bool {
	if q.Items() == 0 || ln.presence == destination.Removed {
		return q.Items() > 0
	}
	if q == &ln.parked {
		first, ok := q.First()
		return ln.circuit.Open() || ln.sendingLate == 0 || !ok || !backlog.Late(&first.d, now) || ln.l.cfg.Yield.May(now)
	}
	l := ln.limits()
	return q.Items() >= l.BatchSize || now.Sub(q.Since()) >= l.BatchWait
}

// collect takes up to size entries that are ready, and up to most bytes of events,
// but one at least.
func (ln *lane) collect(j *job, size int, most int64, now time.Time) {
	j.entries, j.chains = j.one[:0], j.oneC[:0]
	full := false
	take := func(e *entry) bool {
		most -= int64(len(e.d.Event.JSON))
		if full = len(j.entries) == size || most < 0 && len(j.entries) > 0; full {
			return false
		}
		e.sending = true
		e.attempt++
		j.entries = append(j.entries, e)
		return true
	}
	for len(j.entries) < size && !full {
		c := j.queue.Next()
		if c == nil {
			break
		}
		before := len(j.entries)
		c.Take(take)
		if len(j.entries) == before {
			j.queue.Return(c, func(*entry) time.Time { return time.Time{} }, now) // it is ready for the next batch
			break
		}
		j.chains = append(j.chains, c)
	}
	if len(j.entries) > 1 {
		slices.SortFunc(j.entries, func(a, b *entry) int { return int(int64(a.n) - int64(b.n)) })
	}
	j.results = j.oneR[:0]
	for range j.entries {
		j.results = append(j.results, outbound.Result{})
	}
}

// send gives every entry of j a result, with the destination of this moment.
func (ln *lane) send(ctx context.Context, j *job) {
	t, p := ln.l.cfg.Lookup(j.entries[0].d.Event.Workspace, ln.id)
	switch {
	case p == destination.Removed:
		for i := range j.results {
			j.results[i] = outbound.Result{Outcome: destination.Dropped, Code: delivery.CodeRemoved}
		}
	case p != destination.Present || t == nil || t.Disabled || !ln.l.cfg.Held():
		ln.mu.Lock()
		ln.seeTarget(t, p)
		ln.mu.Unlock()
	default:
		b := destination.Batch{Items: make([]destination.Item, len(j.entries)), Now: ln.l.cfg.Deps.Now()}
		for i, e := range j.entries {
			b.Items[i] = destination.Item{Event: e.d.Event, Attempt: e.attempt, Ref: e.d.Ref}
		}
		ln.l.inFlight.Add(1)
		defer ln.l.inFlight.Add(-1)
		j.outcome = ln.link.Send(ctx, t, b, j.results)
	}
}

// trace adds a request to the traces of its frames.
func (ln *lane) trace(j *job) {
	last := uint64(0)
	for i, e := range j.entries {
		if e.d.Frame == last {
			continue
		}
		last = e.d.Frame
		tr := ln.l.cfg.Trace(last)
		if tr == nil {
			continue
		}
		r, stage := j.results[i], "live"
		if e.stage == delivery.FromParked {
			stage = "parked"
		}
		tr.Span("deliver", j.begun, r.Code, slog.String(telemetry.KeyDestination, string(ln.id)), slog.String(telemetry.KeyStage, stage),
			slog.Int(telemetry.KeyCount, len(j.entries)), slog.Int(telemetry.KeyAttempt, e.attempt))
	}
}

// finish reports what ended and gives the chains back. Reports come before
// anything that builds on them: the user's next request, the floor.
func (ln *lane) finish(ctx context.Context, j *job) {
	now := time.Now()
	ln.keepDead(j)
	ln.trace(j)
	ln.mu.Lock()
	ln.health(j, now)
	settle := make([]delivery.Settled, 0, len(j.entries))
	var dead []*refused
	for i, e := range j.entries {
		ln.show(&e.d, j.results[i])
		s, d := ln.conclude(e, j.results[i])
		settle, dead = append(settle, s...), append(dead, d...)
	}
	ln.mu.Unlock()

	if len(settle) > 0 {
		ln.l.cfg.Settle(settle)
	}
	for _, e := range dead {
		if ln.l.store.RoomDead(ctx) == nil {
			ln.l.store.Bury(ln, e)
		}
	}

	ln.mu.Lock()
	defer ln.mu.Unlock()
	for i, e := range j.entries {
		ln.release(e, j.results[i], now)
	}
	for _, c := range j.chains {
		ln.giveBack(c, j, now)
	}
	ln.sending--
	if j.late {
		ln.sendingLate--
		ln.l.cfg.Yield.End()
	}
	if j.probe {
		ln.circuit.End()
	}
}

// codeDeadFull says of a delivery that waits why it is not in DEAD.
const codeDeadFull = "dead_full"

// deadPause is how long a lane waits whose dead letters are not taken.
const deadPause = 10 * time.Second

// keepDead lets deliveries wait that would be dead while DEAD takes no more of their
// destination: their lane alone waits, until dead letters were redriven or discarded.
func (ln *lane) keepDead(j *job) {
	bytes := int64(0)
	for i := range j.results {
		if j.results[i].Outcome != destination.Dead {
			continue
		}
		if bytes += j.entries[i].size; !ln.l.store.TakesDead(ln.id, bytes) {
			j.results[i] = outbound.Result{Outcome: destination.Retry, Code: codeDeadFull, After: deadPause}
		}
	}
}

// health learns from the answers.
func (ln *lane) health(j *job, now time.Time) {
	a := circuit.Answer{Begun: j.begun, Probe: j.probe, Answered: j.outcome.Answered, Failed: j.outcome.Failed, Unreachable: j.outcome.Unreachable, Pause: j.outcome.Pause}
	for _, r := range j.results {
		if r.Outcome == destination.Retry {
			a.Pause = max(a.Pause, r.After)
			refused := r
			ln.refusal = &refused
		}
	}
	closed, opened := ln.circuit.Learn(a, now, ln.sending, ln.share())
	if closed {
		ln.rise(now)
	}
	if opened {
		ln.parkLive()
	}
}

// conclude takes one result in and returns what it means: settlements to
// report, entries for DEAD.
func (ln *lane) conclude(e *entry, r outbound.Result) ([]delivery.Settled, []*refused) {
	e.sending = false
	if r.Outcome == 0 {
		e.attempt-- // it was none
	}
	if !r.Final() {
		return nil, nil
	}
	switch e.park {
	case writing:
		e.end = r // parkedAs goes on
		return nil, nil
	case written:
		e.end = r
		ln.ending[e.place] = struct{}{}
		return ln.endParked(e)
	case pending:
		e.park, e.end = cancelled, r
	default:
		e.end = r
		if e.stage == delivery.FromParked {
			ln.leaveWindow(e)
		} else {
			ln.forgetLive(e)
		}
	}
	if r.Outcome == destination.Dead {
		return nil, []*refused{refuse(e, e.stage, e.from, r)}
	}
	end := delivery.EndDelivered
	if r.Outcome == destination.Dropped {
		end = delivery.EndDropped
	}
	return []delivery.Settled{e.d.Settlement(e.stage, e.from, end, r.Code)}, nil
}

// release does what has to come after the report of e's result.
func (ln *lane) release(e *entry, r outbound.Result, now time.Time) {
	switch {
	case e.park == cancelled:
		ln.backlog.Remove(e.user)
	case e.park == written && ln.awaiting[e.place] == e:
		delete(ln.awaiting, e.place)
		h := ln.held[e.place]
		delete(ln.held, e.place)
		if h != nil {
			ln.unhold(h, e, r, now)
		}
		if r.Final() && r.Outcome != destination.Dead {
			ln.finished(e.place, e.user)
		}
	case e.park == notParked && e.stage == delivery.FromParked && r.Final() && r.Outcome != destination.Dead:
		ln.finished(e.from, e.user)
	}
}

// unhold lets h, which is e read back from PARKED, go on after e's answer.
func (ln *lane) unhold(h, e *entry, r outbound.Result, now time.Time) {
	h.hold = false
	if r.Final() {
		ln.leaveWindow(h)
	} else {
		h.attempt = e.attempt
	}
	if ln.parked.Release(h.chain, h, now.Add(ln.wait(h, r)), now) {
		ln.backlog.Wake() // it may be evicted from a full window
	}
	ln.staff()
}

// wait is how long to wait before e is tried again.
func (ln *lane) wait(e *entry, r outbound.Result) time.Duration {
	if r.Outcome == 0 {
		return 0
	}
	seed := ln.l.cfg.Seed ^ e.n
	if e.stage == delivery.Live {
		return max(r.After, circuit.Jitter(50*time.Millisecond, time.Second, e.attempt-1, seed))
	}
	return max(r.After, circuit.Backoff(e.attempt-1, seed))
}

// giveBack gives a chain back after its batch.
func (ln *lane) giveBack(c *keyed.Chain[*entry], j *job, now time.Time) {
	waits := j.queue.Return(c, func(first *entry) time.Time {
		i := slices.Index(j.entries, first)
		switch {
		case i < 0:
			return time.Time{}
		case ln.circuit.Open():
			return ln.circuit.ProbeAt() // whichever it is, one of them probes
		}
		return now.Add(ln.wait(first, j.results[i]))
	}, now)
	if waits && j.queue == &ln.parked {
		ln.backlog.Wake() // it may be evicted from a full window
	}
	ln.staff()
}
