package pipeline

import (
	"context"
	"fmt"
	"time"

	"weir/dataplane/queue"
)

// catchUp reads frames of a line that is behind again, until there is enough to
// do or nothing is left.
func (w *rewriter) catchUp(ctx context.Context, l *line) error {
	next, _ := w.place(l)
	for rec, err := range w.o.cfg.Events.ReadTo(ctx, next, "") {
		if err != nil {
			if reactionTo(err) != again {
				return fmt.Errorf("read events for %s again: %w", l.id, err)
			}
			break
		}
		if _, latest := w.place(l); rec.Seq > latest {
			break
		}
		enough, err := w.again(ctx, l, rec)
		if enough || err != nil {
			return err
		}
	}
	w.mu.Lock()
	l.behind = l.next <= l.latest
	wait := l.behind && len(l.queue) == 0 // the log is away
	w.mu.Unlock()
	if wait && !sleep(ctx, shortestPause) {
		return ctx.Err()
	}
	return nil
}

// place returns from where to where a line is behind.
func (w *rewriter) place(l *line) (next, latest uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return l.next, l.latest
}

// again takes up what a line has left of a frame and reports whether that is
// enough for now.
func (w *rewriter) again(ctx context.Context, l *line, rec queue.Record) (enough bool, err error) {
	if err := w.opened(ctx, rec.Seq); err != nil {
		return true, err
	}
	f := &frame{rec: rec, read: time.Now()}
	if left := w.o.journal.Left(rec.Seq, l.id); len(left) > 0 {
		if decoded, err := queue.DecodeFrame(rec.Data); err == nil {
			f.events = decoded.Events
		}
		if err := w.o.takeUp(ctx, f, left); err != nil {
			return true, err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var of []*share
	for _, t := range f.tasks {
		of = append(of, t.shares...)
	}
	for i := range f.deliveries {
		of = follow(of, f, &f.deliveries[i])
	}
	if len(of) > 0 {
		l.push(w, of)
	}
	for _, s := range of { // each is of a task of its own: all go to one destination
		w.submit(ctx, s.task)
	}
	l.next = rec.Seq + 1
	return l.bytes >= w.o.cfg.CodeBytes/8 || w.bytes >= w.o.cfg.CodeBytes, nil
}

// opened waits until the journal has the frame's opening: what is left of it is
// known only then.
func (w *rewriter) opened(ctx context.Context, seq uint64) error {
	for {
		if fresh, _ := w.o.journal.Frame(seq); !fresh {
			return nil
		}
		if !sleep(ctx, shortestPause/2) {
			return ctx.Err()
		}
	}
}
