package rewrite

import (
	"slices"
	"strings"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/filter"
	"weir/dataplane/ledger"
	"weir/dataplane/plan"
	"weir/dataplane/route"
	"weir/dataplane/transform"
	"weir/shared/id"
)

// Outputs is what one frame has for destinations.
type Outputs struct {
	Frame  uint64
	Read   time.Time           // when the loop read the frame
	Direct []delivery.Delivery // those that need no code, in the order in which they were added
	tasks  map[taskKey]*task
	ended  []ended
	view   filter.View
}

// ended is an output that its connection does not take.
type ended struct {
	delivery.Delivery
	code string
}

// Add adds an output of the event at index to a destination of r: output 0 for the
// event as it was routed, the others as a record.Fan numbers them. What needs code
// is copied from e; the rest shares e's memory. The rules of the connection are asked
// about the event as it was routed: code sees none that they refuse.
func (o *Outputs) Add(e *event.Event, index, output uint32, r *plan.Routing, d route.Destination) {
	if r.Filters != nil {
		if code := r.Refuses(d.ID, o.view.Of(e)); code != "" {
			o.ended = append(o.ended, ended{o.direct(e, index, output, r, d), code})
			return
		}
	}
	if r.Chains[d.ChainIndex] != nil {
		o.share(e.Workspace, e.Source, r, d).add(open{index: index, output: output}, e)
		return
	}
	o.Direct = append(o.Direct, o.direct(e, index, output, r, d))
}

// direct is the delivery of an output without code.
func (o *Outputs) direct(e *event.Event, index, output uint32, r *plan.Routing, d route.Destination) delivery.Delivery {
	return delivery.Delivery{
		Ref:         delivery.Ref{Frame: o.Frame, Index: index, Output: output},
		Destination: d.ID, Revision: r.Revision, Read: o.Read, Event: *e,
	}
}

// open is one output that is not settled. code is why its connection does not take it.
type open struct {
	index  uint32
	output uint32
	code   string
}

// task is one run of a chain: the events of one frame and source that go
// through it to one or more destinations. Its events are copies, so that a few
// of them do not keep a frame in memory.
type task struct {
	frame    uint64
	revision uint64
	chain    *transform.Chain // nil: nothing is done
	events   []event.Event
	at       map[uint32]int // by index in the frame: position in events
	shares   []*share
	bytes    int64
	done     chan struct{} // closed when every share has its outcome
}

// share is what one destination gets of a task.
type share struct {
	*task
	entry ledger.Key
	meta  transform.Meta
	open  []open
	outs  [][]event.Event // by position
	ends  map[int]transform.End
}

// taskKey is what a frame's tasks are told apart by.
type taskKey struct {
	ws     id.Workspace
	source id.Source
	chain  int
}

// share returns the share of a destination in the frame's task for its chain.
func (o *Outputs) share(ws id.Workspace, source id.Source, r *plan.Routing, d route.Destination) *share {
	key := taskKey{ws, source, d.ChainIndex}
	t := o.tasks[key]
	if t == nil {
		t = newTask(o.Frame, r.Revision, r.Chains[d.ChainIndex])
		if o.tasks == nil {
			o.tasks = map[taskKey]*task{}
		}
		o.tasks[key] = t
	}
	for _, s := range t.shares {
		if s.entry.Destination == d.ID {
			return s
		}
	}
	s := &share{task: t, entry: ledger.Key{Workspace: ws, Source: source, Destination: d.ID}, meta: r.Meta(ws, source, d)}
	t.shares = append(t.shares, s)
	return s
}

func newTask(frame, revision uint64, chain *transform.Chain) *task {
	return &task{frame: frame, revision: revision, chain: chain, at: map[uint32]int{}, done: make(chan struct{})}
}

// add adds an output of e.
func (s *share) add(o open, e *event.Event) {
	if _, ok := s.at[o.index]; !ok {
		s.at[o.index] = len(s.events)
		s.events = append(s.events, clone(e))
		s.bytes += int64(len(e.JSON)) + 512 // and what describes it
	}
	s.open = append(s.open, o)
}

// clone returns a copy of e that shares no memory with its frame.
func clone(e *event.Event) event.Event {
	c := *e
	c.MessageID, c.User, c.Type = id.Event(strings.Clone(string(e.MessageID))), strings.Clone(e.User), strings.Clone(e.Type)
	c.Workspace, c.Source = id.Workspace(strings.Clone(string(e.Workspace))), id.Source(strings.Clone(string(e.Source)))
	c.Destination = id.Destination(strings.Clone(string(e.Destination)))
	c.JSON = slices.Clone(e.JSON)
	return c
}

// addUnchanged adds to shares a delivery that needs no code but has to wait in a
// queue, or with a code one that ends.
func addUnchanged(shares []*share, d *delivery.Delivery, code string) []*share {
	var s *share
	for _, x := range shares {
		if x.chain == nil && x.entry.Source == d.Event.Source && x.entry.Workspace == d.Event.Workspace {
			s = x
		}
	}
	if s == nil {
		t := newTask(d.Frame, d.Revision, nil)
		s = &share{task: t, entry: ledger.Key{Workspace: d.Event.Workspace, Source: d.Event.Source, Destination: d.Destination}}
		t.shares = []*share{s}
		shares = append(shares, s)
	}
	s.add(open{d.Index, d.Output, code}, &d.Event)
	return shares
}

// keep orders a result by the positions of the events.
func (s *share) keep(r transform.Result) {
	s.outs = make([][]event.Event, len(s.events))
	for _, o := range r.Outs {
		s.outs[o.From] = append(s.outs[o.From], o.Event)
	}
	s.ends = map[int]transform.End{}
	for _, e := range r.Ends {
		s.ends[e.From] = e
	}
}
