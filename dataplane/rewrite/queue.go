package rewrite

import (
	"context"
	"fmt"
	"time"

	"weir/dataplane/queue"
	"weir/shared/fault"
	"weir/shared/id"
)

// readPause is how long a queue that is behind waits before it reads an
// unreachable log again.
const readPause = 10 * time.Millisecond

// codeQueue is what waits on its way to one destination. The Rewriter's mu guards
// all but id and wake.
type codeQueue struct {
	id    id.Destination
	wake  chan struct{}
	queue [][]*share // of one frame each
	bytes int64
	busy  bool // a frame's shares were taken out and are not handed over so far
	// While behind, frames from next to latest are in EVENTS only.
	behind       bool
	next, latest uint64
}

// occupied reports whether what comes now has to wait for what came before.
func (q *codeQueue) occupied() bool { return q.busy || q.behind || len(q.queue) > 0 }

// admit puts the shares of one frame into the queue, all or none; mu is held.
func (q *codeQueue) admit(w *Rewriter, frame uint64, of []*share) bool {
	if q.behind {
		q.latest = frame
		return false
	}
	if len(q.queue) > 0 && (q.bytes >= w.cfg.Bytes/4 || w.full(of[0].entry.Workspace)) {
		q.behind, q.next, q.latest = true, frame, frame
		return false
	}
	q.push(w, of)
	return true
}

// push appends the shares of one frame; mu is held.
func (q *codeQueue) push(w *Rewriter, of []*share) {
	q.queue = append(q.queue, of)
	for _, s := range of {
		w.hold(q, s, s.bytes)
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// hold counts what a share takes in memory; mu is held.
func (w *Rewriter) hold(q *codeQueue, s *share, bytes int64) {
	q.bytes += bytes
	w.memory.Of(s.entry.Workspace).Add(bytes)
}

// full reports whether a workspace may hold no more.
func (w *Rewriter) full(ws id.Workspace) bool { return !w.memory.Of(ws).Fits(1) }

// runQueue hands over what comes into a queue, frame by frame, until ctx ends.
func (w *Rewriter) runQueue(ctx context.Context, q *codeQueue) {
	for {
		of, err := w.first(ctx, q)
		if err != nil {
			w.fail(err)
			return
		}
		for _, s := range of {
			select {
			case <-s.done:
			case <-ctx.Done():
				return
			}
		}
		if err := w.handOver(ctx, of); err != nil {
			w.fail(err)
			return
		}
		w.mu.Lock()
		for _, s := range of {
			w.hold(q, s, -s.bytes)
		}
		q.busy = false
		w.mu.Unlock()
	}
}

// first waits for the next frame's shares of a queue and takes them out.
func (w *Rewriter) first(ctx context.Context, q *codeQueue) ([]*share, error) {
	for {
		w.mu.Lock()
		if len(q.queue) > 0 {
			of := q.queue[0]
			q.queue = q.queue[1:]
			q.busy = true
			w.mu.Unlock()
			return of, nil
		}
		behind := q.behind
		w.mu.Unlock()
		if behind {
			if err := w.catchUp(ctx, q); err != nil {
				return nil, err
			}
			continue
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// catchUp reads frames of a queue that is behind again, until there is enough to
// do or nothing is left.
func (w *Rewriter) catchUp(ctx context.Context, q *codeQueue) error {
	next, _ := w.missing(q)
	for rec, err := range w.cfg.Events.ReadTo(ctx, next, "") {
		if err != nil {
			if kind := fault.KindOf(err); kind != fault.Unavailable && kind != fault.Limited {
				return fmt.Errorf("read events for %s again: %w", q.id, err)
			}
			break
		}
		if _, latest := w.missing(q); rec.Seq > latest {
			break
		}
		enough, err := w.readAgain(ctx, q, rec)
		if enough || err != nil {
			return err
		}
	}
	w.mu.Lock()
	q.behind = q.next <= q.latest
	unreachable := q.behind && len(q.queue) == 0
	w.mu.Unlock()
	if unreachable {
		select {
		case <-time.After(readPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// missing returns the first and the last frame that a queue has in EVENTS only.
func (w *Rewriter) missing(q *codeQueue) (next, latest uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return q.next, q.latest
}

// readAgain takes up what a queue's destination did not get so far of a frame,
// and reports whether that is enough for now.
func (w *Rewriter) readAgain(ctx context.Context, q *codeQueue, rec queue.Record) (enough bool, err error) {
	left, err := w.cfg.Left(ctx, rec, q.id)
	if err != nil {
		return true, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var of []*share
	for _, t := range left.tasks {
		of = append(of, t.shares...)
	}
	for i := range left.Direct {
		of = addUnchanged(of, &left.Direct[i], "")
	}
	for i := range left.ended {
		of = addUnchanged(of, &left.ended[i].Delivery, left.ended[i].code)
	}
	if len(of) > 0 {
		q.push(w, of)
	}
	for _, s := range of { // each is of a task of its own: all go to one destination
		w.submit(ctx, s.task)
	}
	q.next = rec.Seq + 1
	return q.bytes >= w.cfg.Bytes/8 || len(of) > 0 && w.full(of[0].entry.Workspace), nil
}
