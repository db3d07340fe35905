package outbound

import (
	"context"
	"time"

	"weir/dataplane/destination"
)

// lookUp does the look-ups of b, whose items are those at the indices at of the whole
// batch. It returns the items that may be written, with what was found, and their
// indices; all: what comes after them may go too.
func (s *sending) lookUp(ctx context.Context, kind destination.Chained, b destination.Batch, at []int) (_ destination.Batch, _ []int, all bool) {
	requests, ok := lookUps(kind, b)
	if !ok {
		s.record(destination.Judge(faulty{kind}, destination.Request{Items: every(b)}, destination.Response{}, nil, b.Now), at, 0)
		return destination.Batch{}, nil, true
	}
	b.Found = make(map[string]string, len(requests))
	out := make([]bool, len(b.Items)) // that have a result
	end := len(b.Items)               // the first that has to wait
	for _, r := range requests {
		r.Items = waiting(r.Items, out, end)
		if len(r.Items) == 0 {
			continue
		}
		found, verdicts, status, went := s.find(ctx, kind, b, at, r)
		if !went {
			end = min(end, r.Items[0])
			continue
		}
		if verdicts == nil {
			b.Found[r.Key] = found
			continue
		}
		s.record(verdicts, at, status)
		for _, v := range verdicts {
			out[v.Item] = true
			if v.Outcome == destination.Retry && s.limits.Ordered {
				end = min(end, v.Item)
			}
		}
	}
	part := destination.Batch{Now: b.Now, Found: b.Found, Stage: b.Stage}
	of := make([]int, 0, len(b.Items))
	for i := range b.Items[:end] {
		if !out[i] {
			part.Items, of = append(part.Items, b.Items[i]), append(of, place(at, i))
		}
	}
	return part, of, end == len(b.Items)
}

// find returns what one look-up found, or verdicts on its items. went: it was done.
func (s *sending) find(ctx context.Context, kind destination.Chained, b destination.Batch, at []int, r destination.Request) (found string, verdicts []destination.Verdict, status int, went bool) {
	now := s.link.Deps.Now()
	if s.link.Plane != nil {
		if kept, ok := s.link.Plane.found.Get(s.target.Workspace, s.target.ID, r.Key, now); ok {
			s.kept = append(s.kept, keptKey{r.Key, places(at, r.Items)})
			return kept, nil, 0, true
		}
	}
	if s.outcome.Pause > 0 || s.link.Held != nil && !s.link.Held() {
		return "", nil, 0, false
	}
	turn, ok := s.mayGo(ctx, b, at, r)
	if !ok {
		return "", nil, 0, false
	}
	res, refused, err := s.link.do(ctx, s.target, r, s.limits, turn)
	now = s.link.Deps.Now()
	f := &finder{Chained: kind}
	verdicts = destination.Judge(f, r, res, err, now)
	if refused {
		renew(b, verdicts)
	}
	answered := verdicts[0].Outcome != destination.Retry
	s.outcome.Answered = s.outcome.Answered || answered
	s.outcome.Failed = s.outcome.Failed || !answered
	s.outcome.Unreachable = s.outcome.Unreachable || !answered && (res.Status < 500 || res.Status > 501)
	if verdicts[0].Outcome != destination.Delivered {
		return "", verdicts, res.Status, true
	}
	if s.link.Plane != nil {
		s.link.Plane.found.Put(s.target.Workspace, s.target.ID, r.Key, f.found, now)
	}
	return f.found, nil, res.Status, true
}

// lookUps calls the kind. A kind that panics, or names no key or items that are not
// there, has none.
func lookUps(kind destination.Chained, b destination.Batch) (requests []destination.Request, ok bool) {
	defer func() {
		if recover() != nil {
			requests, ok = nil, false
		}
	}()
	requests = kind.LookUps(b)
	for _, r := range requests {
		if r.Key == "" || len(r.Items) == 0 {
			return nil, false
		}
		last := -1
		for _, i := range r.Items {
			if i <= last || i >= len(b.Items) {
				return nil, false
			}
			last = i
		}
	}
	return requests, true
}

// finder judges the answer to a look-up as that of any request: one verdict for all
// its items.
type finder struct {
	destination.Chained
	found string
}

// Judge implements destination.Destination.
func (f *finder) Judge(r destination.Request, res destination.Response) []destination.Verdict {
	found, v := f.Find(r, res)
	if v.Outcome == destination.Split {
		return nil // of one look-up there is no half
	}
	f.found = found
	all := make([]destination.Verdict, len(r.Items))
	for i, item := range r.Items {
		all[i] = v
		all[i].Item = item
	}
	return all
}

// faulty judges nothing, which is a fault of the kind.
type faulty struct{ destination.Destination }

// Judge implements destination.Destination.
func (faulty) Judge(destination.Request, destination.Response) []destination.Verdict { return nil }

// keptKey is a key whose answer was kept, and the items of the whole batch that need it.
type keptKey struct {
	key   string
	items []int
}

// stale makes those of verdicts on a request that are dead, and were built on what was
// found earlier, a retry with a new look-up. It reports whether there are any.
func (s *sending) stale(verdicts []destination.Verdict, at []int) (any bool) {
	for i := range verdicts {
		if len(s.kept) == 0 || verdicts[i].Outcome != destination.Dead {
			continue
		}
		for _, k := range s.kept {
			for _, item := range k.items {
				if item == place(at, verdicts[i].Item) {
					s.link.Plane.found.Forget(s.target.Workspace, s.target.ID, k.key)
					verdicts[i].Outcome, verdicts[i].After, any = destination.Retry, time.Millisecond, true
				}
			}
		}
	}
	return any
}

// every is the indices of all items of b.
func every(b destination.Batch) []int {
	all := make([]int, len(b.Items))
	for i := range all {
		all[i] = i
	}
	return all
}

// waiting returns those of items that have no result, and are before end.
func waiting(items []int, out []bool, end int) []int {
	var left []int
	for _, i := range items {
		if !out[i] && i < end {
			left = append(left, i)
		}
	}
	return left
}

// places is place of each of items.
func places(at, items []int) []int {
	all := make([]int, len(items))
	for i, item := range items {
		all[i] = place(at, item)
	}
	return all
}
