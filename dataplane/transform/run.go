package transform

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"weir/dataplane/event"
	"weir/shared/script"
)

// run is one request in a worker.
type run struct {
	*worker
	request
	steps []script.Step
	resp  response
	bytes int // of outputs so far
}

// all runs events in their order until they are done or the slice is over: as
// one list at first, and after a limit was met one by one, so that only the
// guilty one suffers.
func (r *run) all() *response {
	until := time.Now().Add(slice)
	r.resp.single = r.single
	for r.resp.done < len(r.events) && (r.resp.done == 0 || time.Now().Before(until) && r.bytes < maxAnswer) {
		from, to := r.resp.done, len(r.events)
		if r.resp.single {
			to = from + 1
		}
		part := part{run: r, first: from, results: make([]result, to-from)}
		if done, err := part.through(time.Until(until)); err == nil {
			r.keep(&part, done)
		} else {
			r.resp.single = true
		}
	}
	r.resp.retire = !r.lighten()
	return &r.resp
}

// keep adds the results of the first done inputs of p.
func (r *run) keep(p *part, done int) {
	for i := range done {
		res := &p.results[i]
		from := p.first + i
		switch {
		case res.ended != nil:
			res.ended.from = from
			r.resp.ends = append(r.resp.ends, *res.ended)
			r.bytes += len(res.ended.Text) + len(res.ended.Stack)
		case len(res.outs) == 0:
			r.resp.ends = append(r.resp.ends, ending{from: from, problem: problem{Code: CodeDropped}})
		}
		if res.ended != nil {
			continue
		}
		for _, o := range res.outs {
			o.from = from
			r.resp.outs = append(r.resp.outs, o)
			r.bytes += len(o.json)
		}
	}
	for _, l := range p.remarks {
		if l.from < p.first+done {
			r.resp.remarks = append(r.resp.remarks, l)
			r.bytes += len(l.text)
		}
	}
	r.resp.read = r.resp.read || p.read
	r.resp.done += done
}

// result is what became of one input.
type result struct {
	ended *ending
	outs  []output
	bytes int
}

// part is a range of a request's events on its way through the chain.
type part struct {
	*run
	first   int
	results []result
	remarks []remark
	read    bool
	used    time.Duration // CPU, of an event alone
}

// errApart asks for running the events one by one.
var errApart = errors.New("one by one")

// through sends the events through all steps. It returns how many of them have
// a result; an error asks for running them one by one, and of one alone never
// comes.
func (p *part) through(left time.Duration) (int, error) {
	items := make([]item, len(p.results))
	for i := range items {
		items[i] = item{from: i, json: string(p.events[p.first+i]), id: p.ids[p.first+i], kept: true}
	}
	done := len(items)
	for s := range p.steps {
		var next []item
		for len(items) > 0 {
			n, more, err := p.call(s, items, left)
			if err != nil {
				return 0, err
			}
			next = append(next, more...)
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

// call runs step s on as many of items as the slice allows and returns how many
// and what came out.
func (p *part) call(s int, items []item, left time.Duration) (int, []item, error) {
	alone := len(p.results) == 1
	if alone || p.steps[s].Batch && repeat(items) {
		items = items[:1]
	}
	key := machineKey{p.chain, s, p.about.Workspace, p.about.Source, p.about.Destination}
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
	before := cpu()
	m, err := p.machine(key, p.steps[s])
	var a answer
	if err == nil && m.broken == nil {
		a, err = m.run(items, p.about, max(left, 0), max(timeout, time.Millisecond))
	}
	p.used += cpu() - before
	if err != nil {
		p.drop(key)
		if !alone {
			return 0, nil, errApart
		}
		p.end(items[0].from, s, limited(err))
		return 1, nil, nil
	}
	if m.broken != nil {
		for _, it := range items {
			p.end(it.from, s, *m.broken)
		}
		return len(items), nil, nil
	}
	fresh := m.uses == len(items)
	if i := firstFailure(a, fresh); i >= 0 && p.doubt(key) {
		p.drop(key)
		if i == 0 {
			return p.call(s, items, left)
		}
		a.done, a.unknown = i, nil // the rest runs in a new machine
		a.lines = slices.DeleteFunc(a.lines, func(l line) bool { return l.at >= i })
	}
	if a.threw && len(items) > 1 {
		return 0, nil, errApart
	}
	m.read = m.read || a.read // what it read it may have kept
	p.read = p.read || m.read
	return p.collect(s, items, a)
}

// firstFailure is the first event of an answer that failed, but for the first in
// a fresh machine; -1 for none. Which of a batch it was is not known.
func firstFailure(a answer, fresh bool) int {
	for _, l := range a.lines {
		switch {
		case l.kind != 'e':
		case a.threw && fresh:
			return -1
		case a.threw:
			return 0
		case l.at > 0 || !fresh:
			return l.at
		}
	}
	return -1
}

// limited is the problem of an event that met a limit alone.
func limited(err error) problem {
	switch {
	case errors.Is(err, errTimeout):
		return problem{Code: CodeTimeout, Text: "the code ran too long"}
	case errors.Is(err, errMemory):
		return problem{Code: CodeMemory, Text: "the code used too much memory"}
	}
	return problem{Code: CodeFailed, Text: "the code broke the engine: " + text(err)}
}

// repeat reports whether two items have the same id.
func repeat(items []item) bool {
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
func (p *part) end(from, step int, why problem) {
	if p.results[from].ended == nil {
		p.results[from].ended = &ending{step: step, problem: why}
	}
}

// collect reads an answer: what items became, in their order.
func (p *part) collect(s int, items []item, a answer) (int, []item, error) {
	made := make([][]string, len(items))
	for _, l := range a.lines {
		it := items[max(l.at, 0)]
		switch l.kind {
		case 'o':
			made[l.at] = append(made[l.at], l.text)
		case 'e':
			var why problem
			if !readProblem(l.text, &why) {
				why = problem{Code: CodeFailed, Text: "the code failed"}
			}
			p.end(it.from, s, why)
		case 'l':
			level, text, _ := strings.Cut(l.text, " ")
			from := p.first + it.from
			if l.at < 0 && len(p.results) > 1 {
				from = -1
			}
			p.remarks = append(p.remarks, remark{from, level, event.Text([]byte(text))})
		}
	}
	if len(a.unknown) > 0 {
		for i, it := range items[:a.done] {
			if len(made[i]) == 0 {
				p.end(it.from, s, problem{Code: CodeFailed, Text: "transformBatch returned an event with a messageId that is not of this batch: " + a.unknown[0]})
			}
		}
	}
	var next []item
	for i, it := range items[:a.done] {
		for n, text := range made[i] {
			out, ok := p.named(it, text, n+1)
			res := &p.results[it.from]
			res.bytes += len(out.json)
			if !ok {
				p.end(it.from, s, problem{Code: CodeFailed, Text: "an output is not valid JSON"})
			}
			if len(out.json) > p.limits.MaxBytes || res.bytes > maxFan*(s+1) {
				p.end(it.from, s, problem{Code: CodeOutput, Text: "an output is too large"})
			}
			next = append(next, out)
		}
	}
	p.count(s, next)
	return a.done, next, nil
}

// count ends inputs that became too many.
func (p *part) count(s int, items []item) {
	n := make(map[int]int)
	for _, it := range items {
		if n[it.from]++; n[it.from] > p.limits.MaxOutputs {
			p.end(it.from, s, problem{Code: CodeOutput, Text: "the event became more than " + strconv.Itoa(p.limits.MaxOutputs) + " events"})
		}
	}
}

// named gives the nth output of it, from 1, its id: one that lost it or still
// has the input's gets it back, a later one with its number.
func (p *part) named(it item, text string, n int) (item, bool) {
	out := item{from: it.from, json: text, id: messageID([]byte(text)), kept: it.kept}
	if blank := out.id == ""; blank || out.id == it.id {
		out.id = it.id
		if n > 1 {
			out.id += ":" + strconv.Itoa(n)
		}
		if blank || n > 1 {
			out.json = withID(text, out.id)
		}
		return out, out.json != ""
	}
	out.kept = false
	return out, true
}

// finish writes an item as an output of its input.
func (p *part) finish(it item) {
	res := &p.results[it.from]
	if res.ended != nil {
		return
	}
	sent := p.events[p.first+it.from]
	if n := len(res.outs) + 1; it.kept {
		want := p.ids[p.first+it.from]
		if n > 1 {
			want += ":" + strconv.Itoa(n)
		}
		if it.id != want {
			it.json = withID(it.json, want)
		}
	}
	restored, ok := p.restorer.restore(nil, sent, []byte(it.json))
	switch {
	case !ok:
		p.end(it.from, len(p.steps)-1, problem{Code: CodeFailed, Text: "an output is not valid JSON"})
	case len(restored) > p.limits.MaxBytes:
		p.end(it.from, len(p.steps)-1, problem{Code: CodeOutput, Text: "an output is too large"})
	case string(restored) == string(sent):
		res.outs = append(res.outs, output{same: true})
	default:
		res.outs = append(res.outs, output{json: restored})
	}
}

// withID returns an object with the messageId id: in the place of the one that
// it has, else at its end. "" when it is no object.
func withID(text, id string) string {
	b := []byte(text)
	quoted := quote(id)
	for key, value := range event.Fields(b) {
		if string(key) == "messageId" {
			at := cap(b) - cap(value)
			return text[:at] + quoted + text[at+len(value):]
		}
	}
	text = strings.TrimRight(text, " \n\r\t")
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return ""
	}
	comma := ","
	if strings.TrimSpace(text[1:len(text)-1]) == "" {
		comma = ""
	}
	return text[:len(text)-1] + comma + `"messageId":` + quoted + "}"
}

// trimmed is the text of a value without space around it.
func trimmed(value []byte) string { return strings.TrimSpace(event.Text(value)) }

// readProblem reads what the driver says of an error.
func readProblem(line string, into *problem) bool { return json.Unmarshal([]byte(line), into) == nil }

// quote is s as JSON.
func quote(s string) string {
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil {
		return `""` // s is valid UTF-8 wherever it comes from
	}
	return string(b)
}
