package worker

import (
	"time"

	"weir/dataplane/transform/engine"
	"weir/shared/id"
	"weir/shared/script"
	child "weir/shared/worker"
)

// Chain is transformations one after the other. It is immutable.
type Chain struct {
	Key   string // chains of equal keys do the same
	Steps []script.Step
	Size  int // bytes of code
}

// Request is events that a chain should run, and the messageId of each. Their
// number is not 0.
type Request struct {
	Single bool // each event by itself
	Meta   engine.Meta
	Events [][]byte
	IDs    []string
}

func (q *Request) frame(chain string) *writer {
	w := newFrame(frameRun)
	w.text(chain)
	w.flag(q.Single)
	for _, s := range []string{string(q.Meta.Workspace), string(q.Meta.Source), q.Meta.SourceName, q.Meta.SourceType,
		string(q.Meta.Destination), q.Meta.DestinationName, q.Meta.DestinationType} {
		w.text(s)
	}
	w.int(len(q.Events))
	for i, e := range q.Events {
		w.text(q.IDs[i])
		w.bytes(e)
	}
	return w
}

func readRequest(body []byte) (chain string, q Request, err error) {
	r := reader{b: body}
	chain = r.text()
	q.Single = r.flag()
	q.Meta = engine.Meta{Workspace: id.Workspace(r.text()), Source: id.Source(r.text()), SourceName: r.text(), SourceType: r.text(),
		Destination: id.Destination(r.text()), DestinationName: r.text(), DestinationType: r.text()}
	for n := r.count(); n > 0; n-- {
		q.IDs = append(q.IDs, r.text())
		q.Events = append(q.Events, r.bytes())
	}
	return chain, q, r.end()
}

// Output is one event that came of the event at From of a request. Same: it is
// that event, to the byte, and JSON is empty.
type Output struct {
	From int
	Same bool
	JSON []byte
}

// Ending is an event that has no output, and the step of the chain that ended it.
type Ending struct {
	From int
	Step int
	engine.Problem
}

// Log is a line that the code logged. From is -1 for a batch.
type Log struct {
	From        int
	Level, Text string
}

// Response is what became of the first Done events of a request: each has outputs
// or one Ending.
type Response struct {
	Done   int
	Single bool // the rest has to be run one by one
	Read   bool // the code asked for the destination in metadata(event), now or earlier
	Retire bool // the worker has grown too large and should be stopped
	Outs   []Output
	Ends   []Ending
	Logs   []Log
}

func (p *Response) frame() *writer {
	w := newFrame(frameDone)
	w.int(p.Done)
	w.flag(p.Single)
	w.flag(p.Read)
	w.flag(p.Retire)
	w.int(len(p.Outs))
	for _, o := range p.Outs {
		w.int(o.From)
		w.flag(o.Same)
		w.bytes(o.JSON)
	}
	w.int(len(p.Ends))
	for _, e := range p.Ends {
		w.int(e.From)
		w.int(e.Step)
		w.text(e.Code)
		w.text(e.Text)
		w.text(e.Stack)
	}
	w.int(len(p.Logs))
	for _, l := range p.Logs {
		w.int(l.From)
		w.text(l.Level)
		w.text(l.Text)
	}
	return w
}

// readResponse reads an answer to a request of n events. A worker has run a
// stranger's code, so nothing is believed: each of the first done events has
// outputs or one ending, in order, and nothing else is there.
func readResponse(body []byte, n, steps, maxOutputs int) (Response, error) {
	r := reader{b: body}
	p := Response{Done: r.int(), Single: r.flag(), Read: r.flag(), Retire: r.flag()}
	if p.Done < 1 || p.Done > n {
		return Response{}, child.ErrFrame
	}
	has := make([]int, p.Done)
	last := 0
	for k := r.count(); k > 0 && !r.bad; k-- {
		o := Output{From: r.int(), Same: r.flag(), JSON: r.bytes()}
		if o.From < last || o.From >= p.Done || has[o.From] >= maxOutputs {
			return Response{}, child.ErrFrame
		}
		last = o.From
		has[o.From]++
		p.Outs = append(p.Outs, o)
	}
	last = -1
	for k := r.count(); k > 0 && !r.bad; k-- {
		e := Ending{From: r.int(), Step: r.int(), Problem: engine.Problem{Code: r.text(), Text: r.text(), Stack: r.text()}}
		if e.From <= last || e.From >= p.Done || has[e.From] > 0 || e.Step < 0 || e.Step >= steps {
			return Response{}, child.ErrFrame
		}
		last = e.From
		has[e.From] = 1
		p.Ends = append(p.Ends, e)
	}
	for _, k := range has {
		if k == 0 {
			return Response{}, child.ErrFrame
		}
	}
	for k := r.count(); k > 0 && !r.bad; k-- {
		l := Log{From: r.int(), Level: r.text(), Text: r.text()}
		if l.From < -1 || l.From >= p.Done {
			return Response{}, child.ErrFrame
		}
		p.Logs = append(p.Logs, l)
	}
	return p, r.end()
}

// helloFrame tells a worker its limits.
func helloFrame(l engine.Limits) *writer {
	w := newFrame(frameHello)
	w.int(int(l.Memory))
	w.int(int(l.Timeout))
	w.int(l.MaxOutputs)
	w.int(l.MaxBytes)
	return w
}

func readLimits(body []byte) (engine.Limits, error) {
	r := reader{b: body}
	l := engine.Limits{Memory: int64(r.int()), Timeout: time.Duration(r.int()), MaxOutputs: r.int(), MaxBytes: r.int()}
	return l, r.end()
}

// defineFrame carries the code of a chain.
func defineFrame(key string, steps []script.Step) *writer {
	w := newFrame(frameDefine)
	w.text(key)
	w.int(len(steps))
	for _, s := range steps {
		w.flag(s.Batch)
		w.int(s.MaxOutputs)
		w.text(s.Code)
	}
	return w
}

func readDefine(body []byte) (key string, steps []script.Step, err error) {
	r := reader{b: body}
	key = r.text()
	for n := r.count(); n > 0; n-- {
		steps = append(steps, script.Step{Batch: r.flag(), MaxOutputs: r.int(), Code: r.text()})
	}
	return key, steps, r.end()
}
