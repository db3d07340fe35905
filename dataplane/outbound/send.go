package outbound

import (
	"context"
	"slices"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/outbound/rate"
)

// Send sends a batch to the target of this moment and sets results, by item. A request
// that its answer splits is sent again in halves, in order. Where the target is
// ordered, requests behind one that has to be repeated are not tried; and none is
// behind very many halves, or once Held says no. Events that the target does not take by
// name are dropped, and take no part in a request.
func (l *Link) Send(ctx context.Context, t *destination.Target, b destination.Batch, results []Result) Outcome {
	if t.Names == nil {
		return l.send(ctx, t, b, results)
	}
	taken := make([]int, 0, len(b.Items))
	for i := range b.Items {
		if code := t.Refuses(&b.Items[i].Event); code != "" {
			results[i] = Result{Outcome: destination.Dropped, Code: code}
		} else {
			taken = append(taken, i)
		}
	}
	if len(taken) == 0 {
		return Outcome{}
	}
	some := part(b, taken, b.Stage)
	some.Found, some.Name = b.Found, b.Name
	of := make([]Result, len(taken))
	for i, item := range taken {
		of[i] = results[item]
	}
	outcome := l.send(ctx, t, some, of)
	for i, item := range taken {
		results[item] = of[i]
	}
	return outcome
}

// send is Send of events that the target takes.
func (l *Link) send(ctx context.Context, t *destination.Target, b destination.Batch, results []Result) Outcome {
	if t.HTTP == nil {
		return l.sendSink(ctx, t, b, results)
	}
	s := sending{link: l, target: t, limits: t.Limits.WithDefaults(), results: results, left: maxHalves}
	s.batch(ctx, b, nil)
	return s.outcome
}

// maxHalves is how many requests with halves one Send makes. What is left of the batch
// goes with the next: several lanes wait for their turn, and a lease may end.
const maxHalves = 64

// sending is one call of Send.
type sending struct {
	link    *Link
	target  *destination.Target
	limits  destination.Limits
	results []Result
	outcome Outcome
	left    int // requests with halves
	kept    []keptKey
}

// batch sends b, whose items are those at the indices at of the whole batch; nil: all.
// It reports whether what comes after may go.
func (s *sending) batch(ctx context.Context, b destination.Batch, at []int) bool {
	all := true
	if kind, chained := s.target.HTTP.(destination.Chained); chained {
		if b, at, all = s.lookUp(ctx, kind, b, at); len(b.Items) == 0 {
			return all
		}
	}
	reqs, verdicts := destination.Build(s.target.HTTP, b)
	if s.limits.Ordered {
		if end := firstRetry(verdicts, len(b.Items)); end < len(b.Items) { // what is behind it must not overtake
			b.Items, all = b.Items[:end], false
			reqs, verdicts = destination.Build(s.target.HTTP, b)
		}
	}
	s.record(verdicts, at, 0)
	for i, r := range reqs {
		if (i > 0 || at != nil) && s.link.Held != nil && !s.link.Held() {
			return false
		}
		if !s.request(ctx, b, at, r) {
			return false
		}
	}
	return all
}

// firstRetry is how many items of a batch end with the first that has to be repeated; most
// when there is none.
func firstRetry(verdicts []destination.Verdict, most int) int {
	for _, v := range verdicts {
		if v.Outcome == destination.Retry {
			most = min(most, v.Item+1)
		}
	}
	return most
}

// request sends one request of b, and its halves where that is needed.
func (s *sending) request(ctx context.Context, b destination.Batch, at []int, r destination.Request) bool {
	now := s.link.Deps.Now()
	if most := s.limits.BatchBytes; most > 0 && int64(len(r.Body)) > most && len(r.Items) > 1 {
		s.link.tooLarge(b, r.Items, now)
		return s.halves(ctx, b, at, r.Items)
	}
	turn, ok := s.mayGo(ctx, b, at, r)
	if !ok {
		return false
	}
	res, refused, err := s.link.do(ctx, s.target, r, s.limits, turn)
	now = s.link.Deps.Now()
	verdicts := destination.Judge(s.target.HTTP, r, res, err, now)
	if refused {
		renew(b, verdicts)
	}
	again, split := false, []int(nil)
	for _, v := range verdicts {
		s.outcome.Answered = s.outcome.Answered || v.Outcome != destination.Retry
		again = again || v.Outcome == destination.Retry
		if v.Outcome == destination.Split {
			split = append(split, v.Item)
		}
	}
	s.outcome.Failed = s.outcome.Failed || again
	s.outcome.Unreachable = s.outcome.Unreachable || again && (res.Status < 500 || res.Status > 501)
	stale := s.stale(verdicts, at)
	verdicts, next := followed(r, b, verdicts)
	s.record(verdicts, at, res.Status)
	if len(split) > 0 && res.Status == 413 {
		s.link.tooLarge(b, r.Items, now)
	}
	if len(next) > 0 && !s.batch(ctx, part(b, next, r.Next), places(at, next)) {
		return false
	}
	if (again || stale) && s.limits.Ordered {
		return false // what comes after must not overtake
	}
	return s.halves(ctx, b, at, split)
}

// followed takes from verdicts the items that another request follows: they have no
// result before that has one.
func followed(r destination.Request, b destination.Batch, verdicts []destination.Verdict) (left []destination.Verdict, next []int) {
	if r.Next <= b.Stage || r.Next >= r.MaxStages() {
		return verdicts, nil
	}
	for _, v := range verdicts {
		if v.Outcome == destination.Delivered {
			next = append(next, v.Item)
		} else {
			left = append(left, v)
		}
	}
	slices.Sort(next)
	return left, next
}

// part is some of the items of b.
func part(b destination.Batch, items []int, stage int) destination.Batch {
	out := destination.Batch{Items: make([]destination.Item, len(items)), Now: b.Now, Stage: stage}
	for i, item := range items {
		out.Items[i] = b.Items[item]
	}
	return out
}

// maxWait is how long a half waits for its turn.
const maxWait = time.Minute

// mayGo returns the turn of a request, where the rate lets it go now. A half, and what
// follows a look-up, waits for its turn, so that what came before it is not done again
// and again; one that would wait for long makes the next batches smaller.
func (s *sending) mayGo(ctx context.Context, b destination.Batch, at []int, r destination.Request) (turn rate.Turn, ok bool) {
	for {
		now := s.link.Deps.Now()
		turn, wait := s.link.Plane.take(s.target.ID, s.limits, now)
		if s.outcome.Pause = wait; wait == 0 || at == nil {
			return turn, wait == 0
		}
		if wait > maxWait {
			s.link.tooLarge(b, r.Items, now)
			return turn, false
		}
		select {
		case <-ctx.Done():
			return turn, false
		case <-time.After(wait):
		}
	}
}

// halves sends the items of b that split holds again, in two batches.
func (s *sending) halves(ctx context.Context, b destination.Batch, at, split []int) bool {
	split = slices.Sorted(slices.Values(split))
	for half := range slices.Chunk(split, max((len(split)+1)/2, 1)) {
		if s.left--; s.left < 0 {
			return false
		}
		if !s.batch(ctx, part(b, half, b.Stage), places(at, half)) {
			return false
		}
	}
	return true
}

// place is where the item of a part stands in the whole batch.
func place(at []int, item int) int {
	if at == nil {
		return item
	}
	return at[item]
}

// record sets the results of items. Those that are split are not tried yet.
func (s *sending) record(verdicts []destination.Verdict, at []int, status int) {
	for _, v := range verdicts {
		if v.Outcome != destination.Split {
			s.results[place(at, v.Item)] = Result{Outcome: v.Outcome, Code: v.Code, Detail: v.Detail, Status: status, After: v.After}
		}
	}
}

// smaller is what was learned from a batch that was too large.
type smaller struct {
	bytes int64
	until time.Time
}

// keepSmaller is for how long batches stay smaller after one was too large.
const keepSmaller = 10 * time.Minute

// tooLarge learns that the events at items of b are too many for one request.
func (l *Link) tooLarge(b destination.Batch, items []int, now time.Time) {
	bytes := int64(0)
	for _, i := range items {
		bytes += int64(len(b.Items[i].Event.JSON))
	}
	l.smaller.Store(&smaller{bytes: min(bytes/2, l.BatchBytes(now, bytes)), until: now.Add(keepSmaller)})
}

// BatchBytes is how many bytes of events a batch should have now, most at most: less
// for a while after the destination found one too large.
func (l *Link) BatchBytes(now time.Time, most int64) int64 {
	if s := l.smaller.Load(); s != nil && now.Before(s.until) {
		return min(s.bytes, most)
	}
	return most
}
