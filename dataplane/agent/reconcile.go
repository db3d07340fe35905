package agent

import (
	"context"
	"errors"
	"time"

	"weir/dataplane/plan"
	"weir/shared/fault"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/wire/edge"
)

// reconcile decides on wants until ctx ends.
func (a *Agent) reconcile(ctx context.Context, edge *edge.Edge) {
	for ctx.Err() == nil {
		w, wait := a.due(time.Now())
		if w == nil {
			timer := time.NewTimer(wait)
			select {
			case <-ctx.Done():
			case <-a.wake:
			case <-timer.C:
			}
			timer.Stop()
			continue
		}
		a.attempt(ctx, edge, w)
	}
}

// due returns the want whose time came first, else how long to wait for one: however
// often a workspace wants something new, others have their turn.
func (a *Agent) due(now time.Time) (*want, time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var first *want
	for _, w := range a.wants {
		if first == nil || w.after.Before(first.after) {
			first = w
		}
	}
	switch {
	case first == nil:
		return nil, time.Minute
	case first.after.After(now):
		return nil, min(time.Minute, first.after.Sub(now))
	}
	return first, 0
}

// done removes a want unless a newer one took its place.
func (a *Agent) done(w *want) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.wants[w.pointer.Workspace] == w {
		delete(a.wants, w.pointer.Workspace)
	}
}

// later puts a want off, longer each time.
func (a *Agent) later(w *want) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.after = time.Now().Add(min(100*time.Millisecond<<min(w.tries, 10), 10*time.Second))
	w.tries++
}

// attempt decides on one pointer, or puts it off.
func (a *Agent) attempt(ctx context.Context, edge *edge.Edge, w *want) {
	ws, p := w.pointer.Workspace, w.pointer
	k := a.kept[ws]
	switch {
	case p.Number < k.Seen.Number || p.Number == k.Seen.Number && (p.Digest != k.Seen.Digest || p.Tombstone != k.Seen.Tombstone):
		a.log.WarnContext(ctx, "pointer is older than one seen before", "workspace", ws, "number", p.Number)
		a.Alarm(wire.PointerStale)
		a.done(w)
		return
	case p.Number == k.Seen.Number && k.Ack.State == wire.Applied && k.Ack.Number == p.Number:
		a.say(k.Ack) // once more: the hub may have lost it
		a.done(w)
		return
	}
	if w.since.IsZero() {
		w.since = time.Now()
	}
	if p.Tombstone {
		a.remove(ctx, w)
		return
	}
	got, err := a.fetch(ctx, edge, p, k)
	if err != nil {
		a.missing(ctx, w, k, err)
		return
	}
	p2, problems, err := got.revision.compile(ctx, a.cfg, got.opened)
	if err != nil {
		a.log.WarnContext(ctx, "revision not compiled yet", "workspace", ws, "number", p.Number, "error", err)
		a.later(w)
		return
	}
	if p2 != nil {
		problems = a.cfg.Plans.Taken(p2)
	}
	if len(problems) > 0 {
		a.reject(ctx, w, k, problems)
		return
	}
	p2.Removed = got.revision.removed(k)
	next := kept{Seen: p, Running: p, Body: got.revision.body, Secrets: got.sealed, Unbound: got.unbound, Removed: p2.Removed,
		Ack: wire.Ack{Workspace: ws, Number: p.Number, Running: p.Number, Digest: p.Digest, State: wire.Applied, At: time.Now().UTC()}}
	if !a.keep(ctx, w, next) {
		return
	}
	if err := a.cfg.Plans.Put(p2); err != nil { // only this goroutine puts, so it was asked before
		a.log.ErrorContext(ctx, "plan refused", "workspace", ws, "error", err)
	}
	delete(a.unloaded, ws)
	a.log.InfoContext(ctx, "revision applied", "workspace", ws, "number", p.Number, "took", time.Since(w.since))
	a.say(next.Ack)
	a.done(w)
}

// remove carries out a tombstone.
func (a *Agent) remove(ctx context.Context, w *want) {
	p := w.pointer
	next := kept{Seen: p, Unbound: a.kept[p.Workspace].Unbound, Ack: wire.Ack{Workspace: p.Workspace, Number: p.Number, State: wire.Applied, At: time.Now().UTC()}}
	if !a.keep(ctx, w, next) {
		return
	}
	a.cfg.Plans.Remove(p.Workspace)
	delete(a.unloaded, p.Workspace)
	a.log.InfoContext(ctx, "workspace removed", "workspace", p.Workspace, "number", p.Number)
	a.say(next.Ack)
	a.done(w)
}

// keep writes what was decided before anything is done about it, so that no
// restart forgets a number. false: the disk refused, and the want is put off.
func (a *Agent) keep(ctx context.Context, w *want, next kept) bool {
	ws := w.pointer.Workspace
	if err := save(a.cfg.Dir, ws, next); err != nil {
		a.log.ErrorContext(ctx, "workspace not kept", "workspace", ws, "error", err)
		a.Alarm("disk_full")
		a.later(w)
		return false
	}
	a.kept[ws] = next
	return true
}

// reject keeps the plan that runs and says why the newer one does not.
func (a *Agent) reject(ctx context.Context, w *want, k kept, problems []fault.Problem) {
	if a.refuse(ctx, w, k, problems) {
		a.done(w)
	}
}

// refuse records and tells the reasons.
func (a *Agent) refuse(ctx context.Context, w *want, k kept, problems []fault.Problem) bool {
	p, running := w.pointer, k.Running.Number
	if a.unloaded[p.Workspace] {
		running = 0
	}
	k.Seen = p
	k.Ack = wire.Ack{Workspace: p.Workspace, Number: p.Number, Running: running, Digest: p.Digest, State: wire.Rejected, At: time.Now().UTC()}
	for _, problem := range problems {
		k.Ack.Problems = append(k.Ack.Problems, wire.Problem{Path: problem.Path, Code: wire.Code(problem.Code)})
	}
	if !a.keep(ctx, w, k) {
		return false
	}
	a.log.WarnContext(ctx, "revision rejected", "workspace", p.Workspace, "number", p.Number, "running", running,
		"count", len(problems), "code", problems[0].Code, "path", problems[0].Path)
	a.say(k.Ack)
	return true
}

// absent is an error of fetch: something that should lie on the hub does not,
// or is not what it should be.
type absent struct {
	problem fault.Problem
	err     error
}

func (e *absent) Error() string { return e.err.Error() }
func (e *absent) Unwrap() error { return e.err }

// missing puts a want off because something did not come. The hub being away is
// no fault of the revision; anything else is told after a while, and looked for
// nevertheless.
func (a *Agent) missing(ctx context.Context, w *want, k kept, err error) {
	var e *absent
	if ctx.Err() == nil && errors.As(err, &e) && fault.KindOf(e.err) != fault.Unavailable && !w.nacked && time.Since(w.since) >= a.cfg.Patience {
		w.nacked = a.refuse(ctx, w, k, []fault.Problem{e.problem})
	}
	a.later(w)
}

// say makes an ack go up at once.
func (a *Agent) say(ack wire.Ack) {
	a.mu.Lock()
	a.acks[ack.Workspace] = ackState{ack: ack}
	a.mu.Unlock()
	ring(a.nudge)
}

// fetched is everything that a revision needs.
type fetched struct {
	revision revision
	sealed   []envelope
	opened   plan.Secrets
	unbound  []remembered
}

// fetch gets body and secrets; what is kept already is not asked for again.
func (a *Agent) fetch(ctx context.Context, edge *edge.Edge, p wire.Pointer, k kept) (fetched, error) {
	body := k.Body
	if k.Running.Digest != p.Digest || len(body) == 0 {
		var err error
		if body, err = edge.Body(ctx, p.Workspace, p.Digest); err != nil {
			code := "body_missing"
			if fault.KindOf(err) == fault.Invalid {
				code = string(wire.BodyDamaged)
			}
			return fetched{}, &absent{fault.Problem{Code: code}, err}
		}
	}
	got := fetched{revision: revisionOf(a.cfg, p, body), opened: plan.Secrets{}}
	if len(got.revision.problems) > 0 {
		return got, nil
	}
	opener := openerOf(a.cfg, got.revision.config, k.Unbound)
	for ref := range got.revision.config.Secrets() {
		if _, known := opener.bindings[ref.Name]; !known {
			continue // of a kind that is not there, which is a problem of the revision
		}
		if opener.elsewhere(ref.Name) {
			got.revision.problems = append(got.revision.problems, fault.Problem{Path: ref.Path, Code: "secret_elsewhere",
				Text: "The settings send this secret to another place than it is sealed for; give its value again."})
			continue
		}
		sealed, clear, err := a.secret(ctx, edge, opener, ref.Name, k)
		if err != nil {
			code := "secret_missing"
			if fault.KindOf(err) == fault.Invalid {
				code = "secret_unopened"
			}
			return fetched{}, &absent{fault.Problem{Path: ref.Path, Code: code}, err}
		}
		got.sealed = append(got.sealed, envelope{Name: ref.Name, Sealed: sealed})
		got.opened[ref.Name] = clear
	}
	got.unbound = opener.unbound
	return got, nil
}

// secret returns one secret, sealed and open.
func (a *Agent) secret(ctx context.Context, edge *edge.Edge, o *opener, n secret.Name, k kept) (secret.Sealed, secret.String, error) {
	if sealed := k.find(n); sealed != nil {
		if clear, err := o.open(n, sealed); err == nil {
			return sealed, clear, nil
		}
	}
	sealed, err := edge.Secret(ctx, n)
	if err != nil {
		return nil, secret.String{}, err
	}
	clear, err := o.open(n, sealed)
	return sealed, clear, err
}
