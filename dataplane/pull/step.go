package pull

import (
	"context"
	"errors"
	"slices"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/jobs"
	"weir/shared/catalog/streams"
	"weir/shared/delay"
	"weir/shared/fault"
)

// Times of failures, and how long rows wait for the log.
const (
	firstPause  = 30 * time.Second // doubles with each failure in a row
	lastPause   = time.Hour
	noStream    = 24 * time.Hour
	appendTime  = 30 * time.Second
	appendAgain = 500 * time.Millisecond
	appendBytes = 1 << 20 // of rows that are appended at once, about
	appendMost  = 1000
)

// codeLimited is of a stream whose account's limit is reached.
const codeLimited = "source_limited"

// errMoved ends a step whose state somebody else has replaced.
var errMoved = errors.New("the state was changed")

// step pulls a bounded part of a stream.
func (b *Board) step(ctx context.Context, w *work, stream string) (jobs.Next, error) {
	k := Key{w.target.Workspace, w.target.ID, stream}
	if !b.cfg.Owns(b.partition(k.Source)) {
		return jobs.Next{Wait: lookEvery, Idle: true}, nil
	}
	now := b.cfg.Deps.Now()
	s := b.state(k)
	renewed := s.Failures > 0 && s.Revision != w.target.Revision
	switch {
	case s.Paused:
		return jobs.Next{Idle: true}, nil // kicked when it is resumed
	case now.Before(s.Due) && !renewed:
		return jobs.Next{Wait: s.Due.Sub(now), Idle: true, Code: s.Code}, nil
	}
	f, ok := w.puller.(follower)
	follows := ok && f.Follows(stream)
	if !follows {
		release, err := b.slots.Acquire(ctx, k.Workspace)
		if err != nil {
			return jobs.Next{Wait: lookEvery, Idle: true}, nil
		}
		defer release()
	}
	t := &turn{b: b, w: w, key: k, state: s, ctx: ctx, follows: follows}
	next, err := t.do()
	if x, ok := w.puller.(waker); ok {
		for _, other := range x.Wakes() {
			if !slices.ContainsFunc(w.target.Streams, func(s streams.Outline) bool { return s.Name == other }) {
				continue
			}
			if err := b.Do(ctx, Key{k.Workspace, k.Source, other}, Now, time.Time{}); err != nil { // it is due later
				b.cfg.Log.WarnContext(ctx, "a stream was not woken", "source", k.Source, "stream", other, "error", err)
			}
		}
	}
	next.Rows = max(0, t.state.Rows-s.Rows)
	return next, err
}

// turn is one step of one stream.
type turn struct {
	b     *Board
	w     *work
	key   Key
	ctx   context.Context
	state kept

	follows bool // see follower
}

// do pulls and notes what came of it.
func (t *turn) do() (jobs.Next, error) {
	now := t.b.cfg.Deps.Now()
	if !t.state.Running {
		if err := t.keep(func(s *State) { s.Running, s.Began = true, now }); err != nil {
			return moved(err)
		}
	}
	most := stepMost
	if t.follows {
		most = followMost
	}
	ctx, cancel := context.WithTimeout(t.ctx, most)
	defer cancel()
	budget := Budget{Until: now.Add(stepTime), From: t.state.From}
	if budget.From == "" && t.w.target.Pull.From != "" {
		budget.From = t.w.target.Pull.From + "T00:00:00Z"
	}
	next, err := t.w.puller.Pull(ctx, t.key.Stream, t.state.Cursor, budget, func(records []Record, c Cursor) error {
		return t.emit(ctx, records, c)
	})
	var failure *Failure
	switch {
	case t.ctx.Err() != nil:
		return jobs.Next{More: true}, nil // the plane stops, or the source has changed
	case errors.Is(err, errMoved):
		return jobs.Next{More: true}, nil
	case errors.As(err, &failure):
		return t.fail(failure)
	case err != nil && ctx.Err() != nil:
		return t.fail(&Failure{CodeUnreachable, "A step did not end in time."})
	case err != nil:
		return jobs.Next{}, err
	case next.Wait > 0:
		until := t.b.cfg.Deps.Now().Add(next.Wait)
		if err := t.keep(func(s *State) { s.Limited, s.Due = until, until }); err != nil {
			return moved(err)
		}
		return jobs.Next{Wait: next.Wait, Code: codeLimited}, nil
	case next.More:
		return jobs.Next{More: true}, nil
	}
	return t.end(next)
}

// moved is a step whose state is another's.
func moved(err error) (jobs.Next, error) {
	if errors.Is(err, errMoved) {
		return jobs.Next{More: true}, nil
	}
	return jobs.Next{}, err
}

// end ends a run; n says when the next one begins.
func (t *turn) end(n Next) (jobs.Next, error) {
	now := t.b.cfg.Deps.Now()
	due := t.w.target.Pull.Next(t.state.Began, whole(t.w.target.Streams, t.key.Stream))
	if !due.After(now) { // the run took longer than the time between two
		due = t.w.target.Pull.Next(now, false)
	}
	if n.Follow || n.Later > 0 {
		due = now.Add(n.Later)
	}
	if err := t.keep(func(s *State) {
		s.Running, s.Ended, s.Due = false, now, due
		s.Code, s.Detail, s.Failed, s.Failures, s.Limited = "", "", time.Time{}, 0, time.Time{}
	}); err != nil {
		return moved(err)
	}
	return jobs.Next{More: n.Follow, Wait: n.Later}, nil
}

// whole reports whether a stream is read whole each time.
func whole(all []streams.Outline, name string) bool {
	i := slices.IndexFunc(all, func(s streams.Outline) bool { return s.Name == name })
	return i >= 0 && all[i].Cursor == "" && (all[i].Parent == "" || whole(all, all[i].Parent))
}

// fail notes a failure and when the stream is tried again.
func (t *turn) fail(f *Failure) (jobs.Next, error) {
	now := t.b.cfg.Deps.Now()
	pause := lastPause
	if n := t.state.Failures; n < 8 {
		pause = min(firstPause<<n, lastPause)
	}
	switch f.Code {
	case CodeNoStream:
		pause = noStream
	case CodeReauthorize:
		pause = lastPause // new credentials are a new revision, which is tried at once
	}
	t.b.cfg.Log.WarnContext(t.ctx, "a pull is held up", "source", t.key.Source, "stream", t.key.Stream, "code", f.Code)
	if err := t.keep(func(s *State) {
		s.Code, s.Detail, s.Failed, s.Due, s.Revision = f.Code, f.Text, now, now.Add(pause), t.w.target.Revision
		s.Failures++
	}); err != nil {
		return moved(err)
	}
	return jobs.Next{Wait: pause, Code: f.Code}, nil
}

// keep replaces the state. errMoved: a person changed it, or another process.
func (t *turn) keep(f func(*State)) error {
	next := t.state.State
	f(&next)
	now, err := t.b.put(t.ctx, t.key, t.state, next)
	if fault.KindOf(err) == fault.Conflict {
		return errMoved
	}
	if err == nil {
		t.state = now
	}
	return err
}

// emit makes records durable, then keeps the cursor.
func (t *turn) emit(ctx context.Context, records []Record, c Cursor) error {
	if len(c) > maxCursor {
		return &Failure{CodeAnswer, "The vendor's position is larger than a state may be."}
	}
	if t.follows && len(records) > 0 {
		release, err := t.b.slots.Acquire(ctx, t.key.Workspace)
		if err != nil {
			return &Failure{CodePlane, "Other sources of the plane are being read."}
		}
		defer release()
	}
	now := t.b.cfg.Deps.Now()
	events, size := make([]event.Event, 0, min(len(records), appendMost)), 0
	deleted := int64(0)
	for i := range records {
		e := eventOf(t.w.target, t.key.Stream, records[i], now)
		events, size = append(events, e), size+len(e.JSON)
		if records[i].Deleted {
			deleted++
		}
		if size < appendBytes && len(events) < appendMost && i < len(records)-1 {
			continue
		}
		if err := t.append(ctx, events); err != nil {
			return err
		}
		events, size = make([]event.Event, 0, min(len(records)-i, appendMost)), 0
	}
	return t.keep(func(s *State) {
		s.Cursor, s.Rows, s.Deleted = c, s.Rows+int64(len(records)), s.Deleted+deleted
		s.Limited = time.Time{}
		s.see(records)
	})
}

// maxCursor is how large a cursor may be.
const maxCursor = 64 << 10

// append appends to EVENTS, and waits while that takes nothing.
func (t *turn) append(ctx context.Context, events []event.Event) error {
	ctx, cancel := context.WithTimeout(ctx, appendTime)
	defer cancel()
	for {
		err := t.b.cfg.Append(ctx, slices.Clone(events))
		switch kind := fault.KindOf(err); {
		case err == nil:
			return nil
		case kind != fault.Limited && kind != fault.Unavailable || !delay.For(ctx, appendAgain):
			return &Failure{CodePlane, "The plane does not take rows now."}
		}
	}
}

// seen is how many rows of those that are emitted at once are looked at for new fields.
const seen = 50

// see notes the names of fields at the top of rows.
func (s *State) see(records []Record) {
	fresh := false
	for i := range records[:min(len(records), seen)] {
		if records[i].Stream != "" { // another's
			continue
		}
		for key := range event.Fields(records[i].Row) {
			at, there := slices.BinarySearch(s.Fields, string(key))
			switch {
			case there:
			case len(s.Fields) >= maxFields || len(key) > 100:
				s.More = true
			default:
				if !fresh { // the former state has the list
					s.Fields, fresh = slices.Clone(s.Fields), true
				}
				s.Fields = slices.Insert(s.Fields, at, string(key))
			}
		}
	}
}
