package agent

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"weir/dataplane/plan"
	"weir/shared/fault"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/wire/edge"
)

// Bounds of the decisions that are kept together, so that the disk is waited for once.
const (
	atOnce = 64
	soon   = 100 * time.Millisecond // after which no further one joins those that were made
)

// reconcile decides on wants until ctx ends.
func (a *Agent) reconcile(ctx context.Context, edge *edge.Edge) {
	for ctx.Err() == nil {
		list, wait := a.due(time.Now(), atOnce)
		if len(list) == 0 {
			timer := time.NewTimer(wait)
			select {
			case <-ctx.Done():
			case <-a.wake:
			case <-timer.C:
			}
			timer.Stop()
			continue
		}
		a.attempt(ctx, edge, list)
	}
}

// due returns the wants whose time came first, at most n, else how long to wait for one:
// however often a workspace wants something new, others have their turn.
func (a *Agent) due(now time.Time, n int) ([]*want, time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var due []*want
	wait := time.Minute
	for _, w := range a.wants {
		if w.after.After(now) {
			wait = min(wait, w.after.Sub(now))
			continue
		}
		due = append(due, w)
	}
	slices.SortFunc(due, func(x, y *want) int { return x.after.Compare(y.after) })
	return due[:min(n, len(due))], wait
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

// decision is what follows from a pointer: what is kept of it before anything is done, and
// what is done then.
type decision struct {
	w    *want
	next kept
	keys []string // write keys that the plan has
	then func()
}

// attempt decides on pointers of several workspaces, or puts them off.
func (a *Agent) attempt(ctx context.Context, edge *edge.Edge, list []*want) {
	var made []decision
	keys := map[string]bool{} // write keys of what was decided
	began := time.Now()
	for _, w := range list {
		if len(made) > 0 && time.Since(began) > soon {
			break
		}
		if d := a.decide(ctx, edge, w, len(made), keys); d != nil {
			made = append(made, *d)
			for _, key := range d.keys {
				keys[key] = true
			}
		}
	}
	errs := make([]error, len(made))
	var all sync.WaitGroup
	for i, d := range made {
		all.Go(func() { errs[i] = save(a.cfg.Dir, d.w.pointer.Workspace, d.next) })
	}
	all.Wait()
	for i, d := range made {
		if a.saved(ctx, d.w, d.next, errs[i]) {
			d.then()
			a.say(d.next.Ack)
			a.done(d.w)
			a.unblock(time.Now())
		}
	}
}

// blocked is a revision that was refused because another workspace had one of its write keys.
type blocked struct {
	pointer wire.Pointer
	keys    []string
}

// unblock wants blocked revisions again whose write keys nobody else has any more. Pointers of
// two workspaces come in any order, also where a key moved from one to the other.
func (a *Agent) unblock(now time.Time) {
	for ws, b := range a.blocked {
		held := slices.ContainsFunc(b.keys, func(key string) bool {
			e, ok := a.cfg.Plans.Source(key)
			return ok && e.Workspace != ws
		})
		if !held {
			delete(a.blocked, ws)
			a.heard(b.pointer, now)
		}
	}
}

// decide decides on one pointer, after a number of others whose decisions, about some write
// keys, were not carried out yet. It returns nil when nothing has to be carried out: the want
// is done, put off, or, where it depends on those others, stays for the next time.
func (a *Agent) decide(ctx context.Context, edge *edge.Edge, w *want, before int, keys map[string]bool) *decision {
	ws, p := w.pointer.Workspace, w.pointer
	k := a.kept[ws]
	delete(a.blocked, ws)
	switch {
	case p.Number < k.Seen.Number || p.Number == k.Seen.Number && (p.Digest != k.Seen.Digest || p.Tombstone != k.Seen.Tombstone):
		a.log.WarnContext(ctx, "pointer is older than one seen before", "workspace", ws, "number", p.Number)
		a.Alarm(wire.PointerStale)
		a.done(w)
		return nil
	case p.Number == k.Seen.Number && k.Ack.State == wire.Applied && k.Ack.Number == p.Number:
		a.say(k.Ack) // once more: the hub may have lost it
		a.done(w)
		return nil
	}
	if w.since.IsZero() {
		w.since = time.Now()
	}
	if p.Tombstone {
		return a.remove(ctx, w)
	}
	got, err := a.fetch(ctx, edge, p, k)
	if err != nil {
		a.missing(ctx, w, k, err)
		return nil
	}
	p2, problems, err := got.revision.compile(ctx, a.cfg, got.opened)
	if err != nil {
		a.log.WarnContext(ctx, "revision not compiled yet", "workspace", ws, "number", p.Number, "error", err)
		a.later(w)
		return nil
	}
	if p2 != nil {
		problems = a.cfg.Plans.Taken(p2)
		if before > 0 && (len(problems) > 0 || slices.ContainsFunc(got.revision.writeKeys(), func(key string) bool { return keys[key] })) {
			return nil // a write key may come from one of them, or go there first
		}
	}
	if len(problems) > 0 {
		if a.reject(ctx, w, k, problems) && p2 != nil {
			a.blocked[ws] = blocked{p, got.revision.writeKeys()}
		}
		return nil
	}
	p2.Removed = got.revision.removed(k)
	next := kept{Seen: p, Running: p, Body: got.revision.body, Secrets: got.sealed, Unbound: got.unbound, Removed: p2.Removed,
		Ack: wire.Ack{Workspace: ws, Number: p.Number, Running: p.Number, Digest: p.Digest, State: wire.Applied, At: time.Now().UTC()}}
	return &decision{w: w, next: next, keys: got.revision.writeKeys(), then: func() {
		if err := a.cfg.Plans.Put(p2); err != nil { // only this goroutine puts, so it was asked before
			a.log.ErrorContext(ctx, "plan refused", "workspace", ws, "error", err)
		}
		delete(a.unloaded, ws)
		a.log.InfoContext(ctx, "revision applied", "workspace", ws, "number", p.Number, "took", time.Since(w.since))
	}}
}

// remove decides on a tombstone.
func (a *Agent) remove(ctx context.Context, w *want) *decision {
	p := w.pointer
	next := kept{Seen: p, Unbound: a.kept[p.Workspace].Unbound, Ack: wire.Ack{Workspace: p.Workspace, Number: p.Number, State: wire.Applied, At: time.Now().UTC()}}
	return &decision{w: w, next: next, then: func() {
		a.cfg.Plans.Remove(p.Workspace)
		delete(a.unloaded, p.Workspace)
		a.log.InfoContext(ctx, "workspace removed", "workspace", p.Workspace, "number", p.Number)
	}}
}

// keep writes what was decided before anything is done about it, so that no
// restart forgets a number. false: the disk refused, and the want is put off.
func (a *Agent) keep(ctx context.Context, w *want, next kept) bool {
	return a.saved(ctx, w, next, save(a.cfg.Dir, w.pointer.Workspace, next))
}

// saved notes what was written, unless err says that it could not be.
func (a *Agent) saved(ctx context.Context, w *want, next kept, err error) bool {
	ws := w.pointer.Workspace
	if err != nil {
		a.log.ErrorContext(ctx, "workspace not kept", "workspace", ws, "error", err)
		a.Alarm("disk_full")
		a.later(w)
		return false
	}
	a.kept[ws] = next
	return true
}

// reject keeps the plan that runs and says why the newer one does not.
func (a *Agent) reject(ctx context.Context, w *want, k kept, problems []fault.Problem) bool {
	if !a.refuse(ctx, w, k, problems) {
		return false
	}
	a.done(w)
	return true
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
