// Package detour keeps appends going while a log's leader is away: a NATS cluster
// takes 4 to 9 s to elect another one for what a dead server led. What the log does
// not take within a second goes to a second log, which another server leads, and is
// acknowledged from there. As soon as the log answers again, all of it is moved
// there, in order, and only then are appends direct again.
//
// It guarantees that what was acknowledged comes to the log, and that appends of one
// process come there in their order; some may come twice, as after every lost answer.
// Another process of the plane notices within a second what was left.
package detour

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/queue"
	"weir/shared/delay"
	"weir/shared/fault"
)

// Times of a detour.
const (
	patience  = time.Second            // for the log's answer, before an append goes to the other one
	lookEvery = time.Second            // between two looks for what another process left
	yield     = 500 * time.Millisecond // for which an append waits while frames are moved, so that they get less
	shortest  = 50 * time.Millisecond  // between two tries to move a frame
	slowest   = time.Second
)

// headSize is about what an event takes in a frame beside its JSON.
const headSize = 200

// Log is a log of frames whose appends have a detour. All other methods are the
// log's own.
type Log struct {
	queue.Log

	side queue.Log
	log  *slog.Logger
	turn chan struct{} // holds a token unless an append is under way
	wake chan struct{} // holds a token when there may be something to move

	mu     sync.Mutex
	back   chan struct{} // nil: appends are direct; else closed when they are again
	moving bool          // the log takes what is moved
}

// New returns a log with side as its detour. What is in side since before is moved
// first, by Run.
func New(ctx context.Context, main, side queue.Log, log *slog.Logger) *Log {
	l := &Log{Log: main, side: side, log: log, turn: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
	l.turn <- struct{}{}
	if st, err := side.State(ctx); err != nil || st.Records > 0 {
		l.back = make(chan struct{})
	}
	return l
}

// Append is queue.Log's. A number of 0 says that data will come to the log later,
// under a number that is not known yet.
func (l *Log) Append(ctx context.Context, key string, data []byte) (uint64, error) {
	l.waitForMoves(ctx)
	select {
	case <-l.turn:
	case <-ctx.Done():
		return 0, fault.New(fault.Unavailable, "The append ended before its turn.")
	}
	defer func() { l.turn <- struct{}{} }()
	for {
		if !l.diverted() {
			seq, err := try(ctx, l.Log, key, data)
			if err == nil || fault.KindOf(err) != fault.Unavailable {
				return seq, err
			}
		}
		_, err := try(ctx, l.side, key, data)
		if err == nil {
			l.divert(ctx)
			return 0, nil
		}
		// Its leader may have moved, with the answer lost.
		if fault.KindOf(err) != fault.Unavailable || !delay.For(ctx, shortest) {
			return 0, fmt.Errorf("append to the detour: %w", err)
		}
	}
}

// try gives log a moment to take data.
func try(ctx context.Context, log queue.Log, key string, data []byte) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return log.Append(ctx, key, data)
}

// waitForMoves gives what is moved an advantage over what comes, so that there is an
// end to it.
func (l *Log) waitForMoves(ctx context.Context) {
	l.mu.Lock()
	back, moving := l.back, l.moving
	l.mu.Unlock()
	if back == nil || !moving {
		return
	}
	timer := time.NewTimer(yield)
	defer timer.Stop()
	select {
	case <-back:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (l *Log) diverted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.back != nil
}

// divert lets appends take the detour from now on, because it has something.
func (l *Log) divert(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.back == nil {
		l.back, l.moving = make(chan struct{}), false
		l.log.WarnContext(ctx, "event log does not answer, so events take the detour")
	}
	l.signal()
}

func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run moves what took the detour until ctx ends. What is left then the next process
// moves.
func (l *Log) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if l.step(ctx) {
			continue
		}
		timer := time.NewTimer(lookEvery)
		select {
		case <-l.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// step moves what there is, and reports whether it should be called again at once.
func (l *Log) step(ctx context.Context) bool {
	st, err := l.side.State(ctx)
	if err != nil {
		return false
	}
	if st.Records == 0 {
		if l.diverted() {
			l.goBack(ctx)
		}
		return false
	}
	l.divert(ctx)
	if err := l.move(ctx); err != nil {
		if ctx.Err() == nil {
			l.log.WarnContext(ctx, "events of the detour are not moved yet", "error", err)
		}
		return false
	}
	return true
}

// goBack makes appends direct if nothing has taken the detour meanwhile.
func (l *Log) goBack(ctx context.Context) {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return
	}
	defer func() { l.turn <- struct{}{} }()
	if st, err := l.side.State(ctx); err != nil || st.Records > 0 {
		l.signal()
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.back)
	l.back, l.moving = nil, false
	l.log.InfoContext(ctx, "events go directly to the event log again")
}

// move appends the frames of the detour to the log, many in one, and removes them at
// once: what is in both logs counts twice.
func (l *Log) move(ctx context.Context) error {
	var events []event.Event // of the frame to come
	size, last := 0, uint64(0)
	flush := func() error {
		if len(events) == 0 {
			return nil
		}
		frame := queue.EncodeFrame(events)
		events, size = events[:0], 0
		return l.put(ctx, frame, last)
	}
	for rec, err := range l.side.ReadTo(ctx, 1, "") {
		if err != nil {
			return fmt.Errorf("read the detour: %w", err)
		}
		frame, err := queue.DecodeFrame(rec.Data)
		more := 0
		for i := range frame.Events {
			more += len(frame.Events[i].JSON) + headSize
		}
		if err != nil || size+more > queue.FrameBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		if err != nil { // it ends as every damaged frame does
			if err := l.put(ctx, rec.Data, rec.Seq); err != nil {
				return err
			}
		}
		events, size, last = append(events, frame.Events...), size+more, rec.Seq
	}
	if err := flush(); err != nil {
		return err
	}
	return l.remove(ctx, last) // of frames without events, too
}

// remove takes frames through last off the detour: otherwise they would come again.
func (l *Log) remove(ctx context.Context, last uint64) error {
	return l.insist(ctx, func() error { return l.side.Purge(ctx, last+1, "") })
}

// put appends a frame to the log until it has it, and removes what it was made of from
// the detour, through last.
func (l *Log) put(ctx context.Context, frame []byte, last uint64) error {
	if err := l.insist(ctx, func() error {
		_, err := try(ctx, l.Log, "", frame)
		l.mu.Lock()
		l.moving = err == nil
		l.mu.Unlock()
		return err
	}); err != nil {
		return err
	}
	return l.remove(ctx, last)
}

// insist repeats do while a log is away or full.
func (l *Log) insist(ctx context.Context, do func() error) error {
	for wait := shortest; ; wait = min(2*wait, slowest) {
		err := do()
		if err == nil {
			return nil
		}
		if kind := fault.KindOf(err); kind != fault.Unavailable && kind != fault.Limited || !delay.For(ctx, wait) {
			return fmt.Errorf("move frames: %w", err)
		}
	}
}
