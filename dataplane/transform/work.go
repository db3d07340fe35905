package transform

import (
	"bytes"
	"context"
	"strings"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/transform/worker"
	"weir/shared/id"
	child "weir/shared/worker"
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

// work is one worker's loop: a process once there are jobs, jobs for it, and a new
// process when it died. A plane without customers' code has none.
func (p *Pool) work(ctx context.Context) {
	var w *worker.Process
	defer func() {
		if w != nil {
			w.Stop()
		}
	}()
	for {
		if w == nil {
			if !p.jobs.await() {
				return
			}
			if w = p.start(ctx); w == nil {
				return
			}
		}
		j := p.jobs.take()
		if j == nil {
			return
		}
		if j.call.abandoned() {
			p.jobs.putBack(j, nil)
			continue
		}
		if !p.once(ctx, w, j) {
			w = nil
		}
	}
}

// start returns a new process, nil when ctx ends before one could be started.
func (p *Pool) start(ctx context.Context) *worker.Process {
	down := false
	for wait, tries := firstWait, 1; ; wait, tries = min(2*wait, maxWait), tries+1 {
		if ctx.Err() != nil {
			return nil
		}
		w, err := worker.Start(ctx, p.config.Command, p.limits)
		if err == nil {
			if down {
				p.jobs.workerUp()
			}
			return w
		}
		p.config.Log.ErrorContext(ctx, "transformation worker did not start", "error", err)
		if tries == maxTries {
			down = true
			p.jobs.workerDown()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// once has one request run for a job. False: the process is gone.
func (p *Pool) once(ctx context.Context, w *worker.Process, j *job) bool {
	q := j.request()
	resp, err := w.Run(worker.Chain{Key: j.chain.Key, Steps: j.chain.steps, Size: j.chain.size}, q)
	if err == nil {
		codes := j.keep(resp)
		j.single = j.single || resp.Single
		p.jobs.putBack(j, codes)
		if resp.Retire {
			w.Stop()
		}
		return !resp.Retire
	}
	if ctx.Err() != nil {
		w.Stop()
		p.jobs.putBack(j, nil)
		return false
	}
	how := w.Died(err)
	p.config.Log.WarnContext(ctx, "transformation worker died", "workspace", j.meta.Workspace, "events", len(q.Events))
	p.jobs.putBack(j, j.died(how, len(q.Events)))
	return false
}

// request is what of a job goes to a worker next.
func (j *job) request() worker.Request {
	to := j.to
	if j.alone {
		to = j.from + 1
	}
	q := worker.Request{Single: j.single, Meta: j.meta}
	for _, in := range j.call.in[j.from:to] {
		q.Events = append(q.Events, in.JSON)
		q.IDs = append(q.IDs, string(in.MessageID))
	}
	return q
}

// died notes how a worker died over a request of n events, and returns the code
// of the event that is ended for it, if one is.
func (j *job) died(how child.Death, n int) []string {
	j.alone = true
	if how == child.DeathOutside {
		if j.outside++; j.outside < maxOutside {
			return nil
		}
		j.deaths = maxDeaths
	} else if n == 1 {
		j.deaths++
		if how == child.DeathLate {
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
	j.advance(1)
	return []string{code}
}

// advance goes on after n events.
func (j *job) advance(n int) {
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
func (j *job) keep(r worker.Response) []string {
	codes := make([]string, r.Done)
	got := make([]outcome, r.Done)
	for _, o := range r.Outs {
		in := j.call.in[j.from+o.From]
		out, why := in, ""
		if !o.Same {
			out, why = outputOf(in, o.JSON)
		}
		if why != "" {
			got[o.From] = outcome{end: &End{From: j.from + o.From, Quarantined: true, Code: CodeFailed, Text: why}}
			codes[o.From] = CodeFailed
		}
		if got[o.From].end == nil {
			got[o.From].outs = append(got[o.From].outs, out)
		}
	}
	for _, d := range r.Ends {
		end := &End{From: j.from + d.From, Quarantined: d.Code != CodeDropped, Code: known(d.Code)}
		if end.Quarantined {
			end.Text = j.chain.describe(d.Step, d.Problem)
		}
		got[d.From] = outcome{end: end}
		codes[d.From] = end.Code
	}
	j.call.mu.Lock()
	copy(j.call.got[j.from:], got)
	j.call.read = j.call.read || r.Read
	for _, l := range r.Logs {
		from := -1
		if l.From >= 0 {
			from = j.from + l.From
		}
		j.call.logs = append(j.call.logs, Log{From: from, Level: l.Level, Text: l.Text})
	}
	j.call.mu.Unlock()
	j.advance(r.Done)
	return codes
}

// outputOf makes the event of an output, or says why it is none. It keeps the
// user of its input, whatever the output says: that is what keeps events in
// order.
func outputOf(in event.Event, json []byte) (event.Event, string) {
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

// trimmed is the text of a value without space around it.
func trimmed(value []byte) string { return strings.TrimSpace(event.Text(value)) }
