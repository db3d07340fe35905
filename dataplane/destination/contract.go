package destination

import (
	"context"
	"errors"
	"net"
	"time"

	"weir/dataplane/destination/answer"
	"weir/shared/fault"
)

// Build calls d.Build and holds it to its contract: each item is in exactly one
// request or verdict. When it panics or breaks the contract there are no requests
// and every item is dead with kind_fault.
func Build(d Destination, b Batch) ([]Request, []Verdict) {
	reqs, verdicts, ok := build(d, b)
	if !ok {
		items := make([]int, len(b.Items))
		for i := range items {
			items[i] = i
		}
		return nil, same(items, Verdict{Outcome: Dead, Code: codeFault, Detail: "The kind could not build a request for this event."})
	}
	return reqs, bound(verdicts)
}

func build(d Destination, b Batch) (reqs []Request, verdicts []Verdict, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	reqs, verdicts = d.Build(b)
	if len(b.Items) == 1 && len(reqs) == 1 && len(verdicts) == 0 && len(reqs[0].Items) == 1 && reqs[0].Items[0] == 0 {
		return reqs, verdicts, true // the usual case, without a set
	}
	seen := make([]bool, len(b.Items))
	once := func(i int) bool {
		if i < 0 || i >= len(seen) || seen[i] {
			return false
		}
		seen[i] = true
		return true
	}
	for _, r := range reqs {
		for _, i := range r.Items {
			if !once(i) {
				return nil, nil, false
			}
		}
	}
	for _, v := range verdicts {
		if !once(v.Item) || v.Outcome < Delivered || v.Outcome > Dead {
			return nil, nil, false
		}
	}
	for _, s := range seen {
		if !s {
			return nil, nil, false
		}
	}
	return reqs, verdicts, true
}

// Judge gives one verdict for each item of a request: those of d.Judge on the
// answer res, or the engine's own when err says why there is no whole answer;
// fault.Invalid means that HTTP cannot carry the request. A retry waits as long as
// the answer's Retry-After asks for, counted from now, unless its verdict says how
// long. An item that is alone in its request is never Split. When d.Judge panics or breaks its contract every item is dead with kind_fault.
func Judge(d Destination, req Request, res Response, err error, now time.Time) []Verdict {
	if err != nil {
		v := unanswered(err)
		if fault.KindOf(err) == fault.Invalid {
			v = Verdict{Outcome: Dead, Code: codeFault, Detail: "The kind built a request that HTTP cannot carry."}
		}
		return same(req.Items, v)
	}
	verdicts, ok := judge(d, req, res)
	if !ok {
		return same(req.Items, unjudged)
	}
	if len(verdicts) == 1 && verdicts[0].Outcome == Split {
		verdicts[0].Outcome = Dead
	}
	if after := answer.RetryAfter(res.Header, now); after > 0 {
		for i := range verdicts {
			if verdicts[i].Outcome == Retry && verdicts[i].After == 0 {
				verdicts[i].After = after
			}
		}
	}
	return bound(verdicts)
}

func judge(d Destination, req Request, res Response) (verdicts []Verdict, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return checked(req.Items, d.Judge(req, res), Split)
}

// Wrote gives one verdict for each of the first items of a batch that was given
// to Sink.Write, which returned verdicts and err.
func Wrote(items int, verdicts []Verdict, err error) []Verdict {
	all := make([]int, items)
	for i := range all {
		all[i] = i
	}
	if err != nil {
		return same(all, unanswered(err))
	}
	verdicts, ok := checked(all, verdicts, Dead)
	if !ok {
		return same(all, unjudged)
	}
	return bound(verdicts)
}

// unjudged is the verdict on what a kind gave no good verdict for.
var unjudged = Verdict{Outcome: Dead, Code: codeFault, Detail: "The kind could not judge the answer."}

// unanswered is the verdict on a request that err left without an answer.
func unanswered(err error) Verdict {
	var timeout interface{ Timeout() bool }
	problems := fault.ProblemsOf(err)
	var dns *net.DNSError
	switch {
	case fault.KindOf(err) == fault.Denied:
		return Verdict{Outcome: Dead, Code: codeEgress, Detail: err.Error()}
	case len(problems) > 0 && (problems[0].Code == codeEgress || problems[0].Code == codeToken):
		return Verdict{Outcome: Retry, Code: problems[0].Code, Detail: problems[0].Text} // what DNS said may be wrong for a moment
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.As(err, &timeout) && timeout.Timeout() && !errors.As(err, &dns):
		return Verdict{Outcome: Retry, Code: codeTimeout}
	}
	code, text := unreached(err)
	return Verdict{Outcome: Retry, Code: code, Detail: text}
}

// checked reports whether there is exactly one good verdict for each of items, with
// an outcome up to last.
func checked(items []int, verdicts []Verdict, last Outcome) ([]Verdict, bool) {
	if len(verdicts) != len(items) {
		return nil, false
	}
	if len(items) == 1 {
		v := verdicts[0]
		return verdicts, v.Item == items[0] && v.Outcome >= Delivered && v.Outcome <= last
	}
	left := make(map[int]struct{}, len(items))
	for _, i := range items {
		left[i] = struct{}{}
	}
	for _, v := range verdicts {
		if _, there := left[v.Item]; !there || v.Outcome < Delivered || v.Outcome > last {
			return nil, false
		}
		delete(left, v.Item)
	}
	return verdicts, true
}

// same gives every item the verdict v.
func same(items []int, v Verdict) []Verdict {
	all := make([]Verdict, len(items))
	for i, item := range items {
		all[i] = v
		all[i].Item = item
	}
	return all
}

// bound keeps what a kind says of an item within maxDetail and answer.MaxRetryAfter.
func bound(verdicts []Verdict) []Verdict {
	for i := range verdicts {
		v := &verdicts[i]
		if len(v.Detail) > maxDetail {
			v.Detail = v.Detail[:maxDetail]
		}
		if v.After > answer.MaxRetryAfter {
			v.After = answer.MaxRetryAfter
		}
	}
	return verdicts
}
