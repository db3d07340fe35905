package rewrite

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/filter"
	"weir/dataplane/journal/record"
	"weir/dataplane/ledger"
	"weir/dataplane/live"
	"weir/shared/id"
)

// handOver settles what ended of a frame's shares for one destination and offers
// what goes on.
func (w *Rewriter) handOver(ctx context.Context, of []*share) error {
	var h handover
	for _, s := range of {
		h.add(s)
		w.show(s)
	}
	return w.finish(ctx, &h)
}

// end settles outputs that their connections do not take.
func (w *Rewriter) end(ctx context.Context, all []ended) error {
	var h handover
	for i := range all {
		e := &all[i]
		t := newTask(e.Frame, e.Revision, nil)
		s := &share{task: t, entry: ledger.Key{Workspace: e.Event.Workspace, Source: e.Event.Source, Destination: e.Destination}}
		h.end(s, open{e.Index, e.Output, e.code}, e.Event)
		w.showEnd(&e.Event, e.Destination, e.code)
	}
	return w.finish(ctx, &h)
}

// finish keeps what is quarantined, settles what ended and offers what goes on.
func (w *Rewriter) finish(ctx context.Context, h *handover) error {
	for source, refused := range h.refused {
		if err := w.cfg.Quarantine(ctx, source, refused); err != nil {
			return fmt.Errorf("quarantine what was refused on the way to a destination: %w", err)
		}
	}
	if len(h.settled) > 0 {
		w.cfg.Settle(h.settled)
	}
	if len(h.fans) > 0 {
		select {
		case <-w.cfg.Fan(h.fans):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if len(h.deliveries) == 0 {
		return nil
	}
	slices.SortStableFunc(h.deliveries, func(a, b delivery.Delivery) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Output, b.Output))
	})
	return w.cfg.Offer(ctx, h.deliveries)
}

// show shows what code made of a share's events.
func (w *Rewriter) show(s *share) {
	to := s.entry.Destination
	if s.chain == nil {
		for _, o := range s.open {
			if o.code != "" {
				w.showEnd(&s.events[s.at[o.index]], to, o.code)
			}
		}
		return
	}
	for _, o := range s.open {
		at := s.at[o.index]
		if end, ended := s.ends[at]; ended {
			outcome := live.Dropped
			if end.Quarantined {
				outcome = live.Quarantined
			}
			w.cfg.See(&s.events[at], to, live.Transform, outcome, end.Code)
		}
		for i := range s.outs[at] {
			w.cfg.See(&s.outs[at][i], to, live.Transform, live.Transformed, "")
		}
	}
}

// showEnd shows an event that its connection to d does not take.
func (w *Rewriter) showEnd(e *event.Event, d id.Destination, code string) {
	outcome := live.Dropped
	if code == filter.CodeFailed {
		outcome = live.Quarantined
	}
	w.cfg.See(e, d, live.Pipeline, outcome, code)
}

// handover is what one frame gives one destination after its code ran.
type handover struct {
	deliveries []delivery.Delivery
	settled    []delivery.Settled
	fans       []record.Fan
	refused    map[id.Source][]event.Event // as they were before the code, with its reason
}

// add works out the outputs of a share.
func (h *handover) add(s *share) {
	fan := record.Fan{Frame: s.frame, Entry: s.entry}
	for _, o := range s.open {
		at := s.at[o.index]
		if o.code != "" {
			h.end(s, o, s.events[at])
			continue
		}
		if s.chain == nil {
			h.deliver(s, o, s.events[at], nil)
			continue
		}
		outs := s.outs[at]
		switch end, ended := s.ends[at]; {
		case o.output > 0 && len(outs) > 1 && int(o.output) <= len(outs):
			h.deliver(s, o, outs[o.output-1], s.events[at].JSON)
		case o.output > 0:
			h.settle(s, o, delivery.EndDropped, CodeChanged)
		case ended && end.Quarantined:
			h.refuse(s.events[at], s.entry.Destination, end.Code, end.Text)
			h.settle(s, o, delivery.EndQuarantined, end.Code)
		case ended:
			h.settle(s, o, delivery.EndDropped, end.Code)
		case len(outs) == 1:
			h.deliver(s, o, outs[0], s.events[at].JSON)
		default:
			fan.Split(o.index, len(outs))
			for i, e := range outs {
				h.deliver(s, open{index: o.index, output: uint32(i) + 1}, e, s.events[at].JSON)
			}
		}
	}
	if len(fan.Outs) > 0 {
		h.fans = append(h.fans, fan)
	}
}

// end settles an output that its connection does not take. One of which an expression
// has no answer is kept, to be replayed when the expression is mended.
func (h *handover) end(s *share, o open, e event.Event) {
	if o.code == filter.CodeFailed {
		h.refuse(e, s.entry.Destination, o.code, "The filter of the connection has no answer for this event: something that it asks for is of another type, or it costs too much.")
		h.settle(s, o, delivery.EndQuarantined, o.code)
		return
	}
	h.settle(s, o, delivery.EndDropped, o.code)
}

// refuse adds an event that code refused on the way to d.
func (h *handover) refuse(e event.Event, d id.Destination, code, text string) {
	e.Quarantine, e.Detail, e.Destination = code, text, d
	if h.refused == nil {
		h.refused = map[id.Source][]event.Event{}
	}
	h.refused[e.Source] = append(h.refused[e.Source], e)
}

// deliver adds e, which code made of original; nil: there was no code.
func (h *handover) deliver(s *share, o open, e event.Event, original []byte) {
	if o.output == 0 && bytes.Equal(original, e.JSON) {
		original = nil
	}
	h.deliveries = append(h.deliveries, delivery.Delivery{
		Ref:         delivery.Ref{Frame: s.frame, Index: o.index, Output: o.output},
		Destination: s.entry.Destination, Revision: s.revision, Read: time.Now(), Event: e, Original: original,
	})
}

// settle adds the settlement of an output that no lane has seen.
func (h *handover) settle(s *share, o open, end delivery.End, code string) {
	h.settled = append(h.settled, delivery.Settled{
		Ref:       delivery.Ref{Frame: s.frame, Index: o.index, Output: o.output},
		Workspace: s.entry.Workspace, Source: s.entry.Source, Destination: s.entry.Destination,
		Stage: delivery.Live, End: end, Code: code,
	})
}
