package outbound

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"weir/dataplane/destination"
	"weir/shared/fault"
)

// Link sends batches to one destination: as requests by Do, or through the
// destination's own protocol, on a connection that is opened at the first batch and
// again when the target changed. All methods are safe for concurrent use.
type Link struct {
	// Do sends one request and takes timeout at most; see Client.Do.
	Do    func(ctx context.Context, r destination.Request, timeout time.Duration) (destination.Response, error)
	Deps  destination.Deps // of sinks; its Now also of requests
	Plane *Plane           // nil: requests go as they are built, at any rate
	Held  func() bool      // reports whether requests may still go; nil: they may

	smaller atomic.Pointer[smaller]

	mu     sync.RWMutex // read: a write is under way
	target *destination.Target
	sink   destination.Sink
}

// Result is what became of one item of a batch.
type Result struct {
	Outcome destination.Outcome // 0: not tried
	Code    string
	Detail  string
	Status  int           // of the answer, 0 when there was none
	After   time.Duration // with Retry: not before this much time
}

// Final reports whether nothing is to be tried again.
func (r Result) Final() bool { return r.Outcome != 0 && r.Outcome != destination.Retry }

// Outcome is what a batch says of the destination's health.
type Outcome struct {
	Answered    bool          // it took or refused something
	Failed      bool          // it did not answer, or asked to come again
	Unreachable bool          // it failed as one that is down does, not as one that stumbles over an event (500)
	Pause       time.Duration // no request may go for so long; 0: they may
}

func (l *Link) sendSink(ctx context.Context, t *destination.Target, b destination.Batch, results []Result) Outcome {
	verdicts, err := l.write(ctx, t, b)
	o := Outcome{Failed: err != nil, Unreachable: err != nil}
	verdicts = destination.Wrote(len(b.Items), verdicts, err)
	record(results, verdicts, 0)
	for _, v := range verdicts {
		o.Answered = o.Answered || err == nil && v.Outcome != destination.Retry
		o.Failed = o.Failed || v.Outcome == destination.Retry
	}
	return o
}

func record(results []Result, verdicts []destination.Verdict, status int) {
	for _, v := range verdicts {
		results[v.Item] = Result{Outcome: v.Outcome, Code: v.Code, Detail: v.Detail, Status: status, After: v.After}
	}
}

// write takes the target's timeout at most. When ctx or the timeout has ended, the
// error is theirs, except for fault.Denied.
func (l *Link) write(ctx context.Context, t *destination.Target, b destination.Batch) ([]destination.Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, t.Limits.WithDefaults().Timeout)
	defer cancel()
	var verdicts []destination.Verdict
	err := l.with(ctx, t, func(s destination.Sink) (err error) {
		verdicts, err = s.Write(ctx, b)
		return err
	})
	if err != nil && ctx.Err() != nil && fault.KindOf(err) != fault.Denied {
		err = ctx.Err()
	}
	return verdicts, err
}

// with opens the target's sink where it is not open, and uses it.
func (l *Link) with(ctx context.Context, t *destination.Target, do func(destination.Sink) error) error {
	l.mu.RLock()
	if l.target != t {
		l.mu.RUnlock()
		if err := l.open(ctx, t); err != nil {
			return err
		}
		l.mu.RLock()
	}
	defer l.mu.RUnlock()
	if l.sink == nil {
		return context.Canceled // closed in between
	}
	return do(l.sink)
}

// completeTime is how long Complete may take: what it replaces is removed, too.
const completeTime = 3 * time.Minute

// whole is a Sink that takes all rows of a model as one set.
type whole interface {
	// Complete puts a set, of which Write delivered each part, in the place of the former one,
	// which is whole until then. It may be repeated. The verdict has no item.
	Complete(ctx context.Context, set string, parts map[string]int64) (destination.Verdict, error)
}

// Complete puts a set of all rows of a model in the place of the former one. The name of a set
// is of what it is one, a slash and its own name, which is greater than those before; parts are
// the batches that the target took, by Name, which begins with the set's and a slash, with how
// many rows of them. The result is that of one item.
func (l *Link) Complete(ctx context.Context, t *destination.Target, set string, parts map[string]int64) Result {
	ctx, cancel := context.WithTimeout(ctx, completeTime)
	defer cancel()
	var v destination.Verdict
	err := fault.New(fault.Internal, "The destination has no sets.")
	if t.Sink != nil {
		err = l.with(ctx, t, func(sink destination.Sink) (err error) {
			to, ok := sink.(whole)
			if !ok {
				v = destination.Verdict{Outcome: destination.Dead, Code: "kind_fault"}
				return nil
			}
			v, err = to.Complete(ctx, set, parts)
			return err
		})
	}
	if err != nil && ctx.Err() != nil && fault.KindOf(err) != fault.Denied {
		err = ctx.Err()
	}
	results := make([]Result, 1)
	record(results, destination.Wrote(1, []destination.Verdict{v}, err), 0)
	return results[0]
}

func (l *Link) open(ctx context.Context, t *destination.Target) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.target == t {
		return nil
	}
	sink, err := t.Sink(ctx, l.Deps)
	if err != nil {
		return err
	}
	if l.sink != nil {
		_ = l.sink.Close() // it had no write under way; what it did not confirm was retried
	}
	l.target, l.sink = t, sink
	return nil
}

// Close closes the connection, once nothing is written any more.
func (l *Link) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sink != nil {
		_ = l.sink.Close() // nothing waits for it
	}
	l.target, l.sink = nil, nil
}
