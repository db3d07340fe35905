package transform

import (
	"bytes"
	"context"
	"time"

	"weir/dataplane/event"
	"weir/shared/id"
)

// Waits between tries to start a worker.
const (
	firstWait = 100 * time.Millisecond
	maxWait   = 5 * time.Second
	maxTries  = 5 // after which a worker counts as down
)

// Kills after which an event is not tried again.
const (
	maxDeaths  = 2
	maxOutside = 20 // by somebody else: no fault of the event, but not for ever
)

// work is one worker's loop: a process, jobs for it, and a new process when it
// died.
func (e *Engine) work(ctx context.Context) {
	var p *process
	defer func() {
		if p != nil {
			p.stop()
		}
	}()
	for {
		if p == nil {
			if p = e.started(ctx); p == nil {
				return
			}
		}
		j := e.queue.take()
		if j == nil {
			return
		}
		if j.call.dead() {
			e.queue.back(j, nil)
			continue
		}
		if !e.once(ctx, p, j) {
			p = nil
		}
	}
}

// started returns a new process, nil when ctx ends before one could be started.
func (e *Engine) started(ctx context.Context) *process {
	down := false
	for wait, tries := firstWait, 1; ; wait, tries = min(2*wait, maxWait), tries+1 {
		if ctx.Err() != nil {
			return nil
		}
		p, err := start(e.config.Command, e.limits)
		if err == nil {
			if down {
				e.queue.found()
			}
			p.unhook = context.AfterFunc(ctx, func() { _ = p.conn.Close() }) // nobody waits for an answer then
			return p
		}
		e.config.Log.ErrorContext(ctx, "transformation worker did not start", "error", err)
		if tries == maxTries {
			down = true
			e.queue.lost()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// once has one request run for a job. False: the process is gone.
func (e *Engine) once(ctx context.Context, p *process, j *job) bool {
	q := j.request()
	resp, err := p.run(j.chain, q, e.limits)
	if err == nil {
		codes := j.keep(resp)
		j.single = j.single || resp.single
		e.queue.back(j, codes)
		if resp.retire {
			p.stop()
		}
		return !resp.retire
	}
	if ctx.Err() != nil {
		p.stop()
		e.queue.back(j, nil)
		return false
	}
	died := p.fate(err)
	e.config.Log.WarnContext(ctx, "transformation worker died", "workspace", j.about.Workspace, "events", len(q.events))
	e.queue.back(j, j.died(died, len(q.events)))
	return false
}

// request is what of a job goes to a worker next.
func (j *job) request() *request {
	to := j.to
	if j.alone {
		to = j.from + 1
	}
	q := &request{chain: j.chain.Key, single: j.single, about: j.about}
	for _, in := range j.call.in[j.from:to] {
		q.events = append(q.events, in.JSON)
		q.ids = append(q.ids, string(in.MessageID))
	}
	return q
}

// died notes how a worker died over a request of n events, and returns the code
// of the event that is ended for it, if one is.
func (j *job) died(how death, n int) []string {
	j.alone = true
	if how == deathOutside {
		if j.outside++; j.outside < maxOutside {
			return nil
		}
		j.deaths = maxDeaths
	} else if n == 1 {
		j.deaths++
		if how == deathLate {
			j.late++
		}
	}
	if j.deaths < maxDeaths {
		return nil
	}
	code, text := CodeKilled, "the code killed its worker twice"
	if j.late == j.deaths {
		code, text = CodeTimeout, "the code ran too long, where it could not be interrupted"
	}
	j.end(j.from, code, text)
	j.next(1)
	return []string{code}
}

// next goes on after n events.
func (j *job) next(n int) {
	j.from += n
	j.deaths, j.late, j.outside = 0, 0, 0
}

// end records the End of the event at i of the call.
func (j *job) end(i int, code, text string) {
	j.call.mu.Lock()
	defer j.call.mu.Unlock()
	j.call.got[i] = outcome{end: &End{From: i, Quarantined: code != CodeDropped, Code: code, Text: text}}
}

// keep records a response and returns the codes of its events, "" for outputs.
func (j *job) keep(p response) []string {
	codes := make([]string, p.done)
	got := make([]outcome, p.done)
	for _, o := range p.outs {
		in := j.call.in[j.from+o.from]
		out, why := in, ""
		if !o.same {
			out, why = reread(in, o.json)
		}
		if why != "" {
			got[o.from] = outcome{end: &End{From: j.from + o.from, Quarantined: true, Code: CodeFailed, Text: why}}
			codes[o.from] = CodeFailed
		}
		if got[o.from].end == nil {
			got[o.from].outs = append(got[o.from].outs, out)
		}
	}
	for _, d := range p.ends {
		end := &End{From: j.from + d.from, Quarantined: d.Code != CodeDropped, Code: known(d.Code)}
		if end.Quarantined {
			end.Text = j.chain.words(d.step, d.problem)
		}
		got[d.from] = outcome{end: end}
		codes[d.from] = end.Code
	}
	j.call.mu.Lock()
	copy(j.call.got[j.from:], got)
	j.call.read = j.call.read || p.read
	for _, l := range p.remarks {
		from := -1
		if l.from >= 0 {
			from = j.from + l.from
		}
		j.call.logs = append(j.call.logs, Log{From: from, Level: l.level, Text: l.text})
	}
	j.call.mu.Unlock()
	j.next(p.done)
	return codes
}

// reread makes the event of an output, or says why it is none. It keeps the
// user of its input, whatever the output says: that is what keeps events in
// order.
func reread(in event.Event, json []byte) (event.Event, string) {
	switch code := event.Check(json, event.MaxDepth); {
	case code == event.TooDeep:
		return event.Event{}, "an output nests too deeply"
	case code != "":
		return event.Event{}, "an output is not valid JSON"
	case bytes.TrimLeft(json, " \t\r\n")[0] != '{':
		return event.Event{}, "an output is not an object"
	}
	out := in
	out.JSON, out.Type, out.MessageID = json, "", ""
	user := false
	for key, value := range event.Fields(json) {
		switch string(key) {
		case "messageId":
			out.MessageID = id.Event(trimmed(value))
		case "type":
			if value[0] == '"' {
				out.Type = event.Text(value)
			}
		case "userId", "anonymousId":
			user = user || trimmed(value) != ""
		}
	}
	switch {
	case out.MessageID == "":
		return event.Event{}, "an output has no messageId"
	case !user:
		return event.Event{}, "an output has neither userId nor anonymousId"
	}
	return out, ""
}
