package worker

import (
	"errors"
	"slices"
	"time"

	"weir/dataplane/transform/engine"
	"weir/shared/script"
)

// Bounds of a request.
const (
	slice     = 100 * time.Millisecond // after which it is answered in part, so that others get their turn
	maxFan    = 8 << 20                // bytes that one event may become
	maxAnswer = 16 << 20               // bytes of outputs after which it is answered in part
)

// run is one request in a worker.
type run struct {
	*server
	Request
	chain string // key
	steps []script.Step
	resp  Response
	bytes int // of outputs so far
}

// all runs events in their order until they are done or the slice is over: as
// one list at first, and after a limit was met one by one, so that only the
// guilty one suffers.
func (r *run) all() *Response {
	until := time.Now().Add(slice)
	r.resp.Single = r.Single
	for r.resp.Done < len(r.Events) && (r.resp.Done == 0 || time.Now().Before(until) && r.bytes < maxAnswer) {
		from, to := r.resp.Done, len(r.Events)
		if r.resp.Single {
			to = from + 1
		}
		part := part{run: r, first: from, results: make([]result, to-from)}
		if done, err := part.through(time.Until(until)); err == nil {
			r.keep(&part, done)
		} else {
			r.resp.Single = true
		}
	}
	r.resp.Retire = !r.machines.shrink()
	return &r.resp
}

// keep adds the results of the first done inputs of p.
func (r *run) keep(p *part, done int) {
	for i := range done {
		res := &p.results[i]
		from := p.first + i
		switch {
		case res.ended != nil:
			res.ended.From = from
			r.resp.Ends = append(r.resp.Ends, *res.ended)
			r.bytes += len(res.ended.Text) + len(res.ended.Stack)
			continue
		case len(res.outs) == 0:
			r.resp.Ends = append(r.resp.Ends, Ending{From: from, Problem: engine.Problem{Code: engine.CodeDropped}})
		}
		for _, o := range res.outs {
			o.From = from
			r.resp.Outs = append(r.resp.Outs, o)
			r.bytes += len(o.JSON)
		}
	}
	for _, l := range p.logs {
		if l.From < p.first+done {
			r.resp.Logs = append(r.resp.Logs, l)
			r.bytes += len(l.Text)
		}
	}
	r.resp.Read = r.resp.Read || p.read
	r.resp.Done += done
}

// result is what became of one input.
type result struct {
	ended *Ending
	outs  []Output
	bytes int
}

// part is a range of a request's events on its way through the chain.
type part struct {
	*run
	first   int
	results []result
	logs    []Log
	read    bool
	used    time.Duration // CPU, of an event alone
}

// item is one event on its way through a chain.
type item struct {
	from    int    // which input of the part it belongs to
	json    string // the event
	id      string // its messageId
	inputID bool   // the id is the input's, or made from it
}

// errOneByOne asks for running the events one by one.
var errOneByOne = errors.New("one by one")

// through sends the events through all steps. It returns how many of them have
// a result; an error asks for running them one by one, and of one alone never
// comes.
func (p *part) through(left time.Duration) (int, error) {
	items := make([]item, len(p.results))
	for i := range items {
		items[i] = item{from: i, json: string(p.Events[p.first+i]), id: p.IDs[p.first+i], inputID: true}
	}
	done := len(items)
	for s := range p.steps {
		var next []item
		for len(items) > 0 {
			n, more, err := p.step(s, items, left)
			if err != nil {
				return 0, err
			}
			next = append(next, more...)
			p.count(s, next)
			if s == 0 { // the slice's end cuts here and nowhere else
				done = n
				break
			}
			if items = items[n:]; len(p.results) == 1 && p.results[0].ended != nil {
				break
			}
		}
		items = slices.DeleteFunc(next, func(it item) bool { return p.results[it.from].ended != nil })
	}
	for _, it := range items {
		p.finish(it)
	}
	return done, nil
}

// step runs step s on as many of items as the slice allows and returns how many
// and what came out.
func (p *part) step(s int, items []item, left time.Duration) (int, []item, error) {
	alone := len(p.results) == 1
	if alone || p.steps[s].Batch && repeated(items) {
		items = items[:1]
	}
	key := machineKey{p.chain, s, p.Meta.Workspace, p.Meta.Source, p.Meta.Destination}
	timeout := p.limits.Timeout
	switch {
	case alone: // an event that fans out has no more time than one that does not
		timeout = min(timeout, p.limits.Timeout*time.Duration(s+1)-p.used)
	case len(items) > 1:
		timeout += slice
	}
	if s > 0 {
		left = slice
	}
	before := engine.CPU()
	m, err := p.machines.of(key, p.steps[s])
	var a engine.Answer
	if err == nil {
		a, err = m.Run(texts(items), p.Meta, max(left, 0), max(timeout, time.Millisecond))
	}
	p.used += engine.CPU() - before
	if err != nil {
		p.machines.drop(key)
		if !alone {
			return 0, nil, errOneByOne
		}
		p.end(items[0].from, s, engine.ProblemOf(err))
		return 1, nil, nil
	}
	if a.Broken != nil {
		for _, it := range items {
			p.end(it.from, s, *a.Broken)
		}
		return len(items), nil, nil
	}
	if a.Threw && len(items) > 1 {
		return 0, nil, errOneByOne
	}
	p.read = p.read || a.Read
	return a.Done, p.collect(s, items, a), nil
}

// texts are the events of items.
func texts(items []item) []string {
	list := make([]string, len(items))
	for i, it := range items {
		list[i] = it.json
	}
	return list
}

// repeated reports whether two items have the same id.
func repeated(items []item) bool {
	seen := make(map[string]bool, len(items))
	for _, it := range items {
		if seen[it.id] {
			return true
		}
		seen[it.id] = true
	}
	return false
}

// end ends an input; the first reason counts.
func (p *part) end(from, step int, why engine.Problem) {
	if p.results[from].ended == nil {
		p.results[from].ended = &Ending{Step: step, Problem: why}
	}
}
