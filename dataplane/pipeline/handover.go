package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/journal/record"
	"weir/dataplane/ledger"
	"weir/dataplane/live"
	"weir/shared/id"
)

// finish journals what ended and offers what goes on.
func (w *rewriter) finish(ctx context.Context, of []*share) error {
	var h handover
	for _, s := range of {
		h.add(s)
	}
	h.show(w.o, of)
	for source, broken := range h.broken {
		if w.o.cfg.planted == bookQuarantineOnly {
			break
		}
		if err := w.o.keepQuarantined(ctx, source, broken); err != nil {
			return fmt.Errorf("quarantine what code refused of frame %d: %w", of[0].frame, err)
		}
	}
	if len(h.settled) > 0 {
		w.o.journal.Settle(h.settled)
	}
	if len(h.fans) > 0 {
		journaled := w.o.journal.Fan(h.fans)
		if w.o.cfg.planted == offerBeforeFan {
			journaled = closed()
		}
		select {
		case <-journaled:
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
	return w.o.lanes.Offer(ctx, h.deliveries)
}

// handover is what one frame gives one destination after its transformations.
type handover struct {
	deliveries []delivery.Delivery
	settled    []delivery.Settled
	fans       []record.Fan
	broken     map[id.Source][]event.Event // as they were before, with why
}

// add works out the outputs of a share.
func (h *handover) add(s *share) {
	fan := record.Fan{Frame: s.frame, Entry: s.book}
	for _, want := range s.open {
		at := s.at[want.index]
		if s.chain == nil {
			h.deliver(s, want, s.events[at], nil)
			continue
		}
		made := s.outs[at]
		switch end, ended := s.ends[at]; {
		case want.output > 0 && len(made) > 1 && int(want.output) <= len(made):
			h.deliver(s, want, made[want.output-1], s.events[at].JSON)
		case want.output > 0:
			h.settle(s, want, delivery.EndDropped, codeOtherCode)
		case ended && end.Quarantined:
			e := s.events[at]
			e.Quarantine, e.Detail, e.Destination = end.Code, end.Text, s.book.Destination
			if h.broken == nil {
				h.broken = map[id.Source][]event.Event{}
			}
			h.broken[e.Source] = append(h.broken[e.Source], e)
			h.settle(s, want, delivery.EndQuarantined, end.Code)
		case ended:
			h.settle(s, want, delivery.EndDropped, end.Code)
		case len(made) == 1:
			h.deliver(s, want, made[0], s.events[at].JSON)
		default:
			fan.Split(want.index, len(made))
			for i, e := range made {
				h.deliver(s, wanted{want.index, uint32(i) + 1}, e, s.events[at].JSON)
			}
		}
	}
	if len(fan.Outs) > 0 {
		h.fans = append(h.fans, fan)
	}
}

// show shows what became of the events to who watches.
func (h *handover) show(o *owner, of []*share) {
	for _, s := range of {
		if s.chain == nil || !o.cfg.Live.Watching(s.book.Workspace) {
			continue
		}
		for _, want := range s.open {
			at := s.at[want.index]
			if end, ended := s.ends[at]; ended {
				outcome := live.Dropped
				if end.Quarantined {
					outcome = live.Quarantined
				}
				o.see(&s.events[at], s.book.Destination, live.Transform, outcome, end.Code)
			}
			for i := range s.outs[at] {
				o.see(&s.outs[at][i], s.book.Destination, live.Transform, live.Transformed, "")
			}
		}
	}
}

// deliver adds e, which code made of the JSON was; nil: no code.
func (h *handover) deliver(s *share, want wanted, e event.Event, was []byte) {
	if want.output == 0 && bytes.Equal(was, e.JSON) {
		was = nil
	}
	h.deliveries = append(h.deliveries, delivery.Delivery{
		Ref:         delivery.Ref{Frame: s.frame, Index: want.index, Output: want.output},
		Destination: s.book.Destination, Revision: s.revision, Read: time.Now(), Event: e, Original: was,
	})
}

func (h *handover) settle(s *share, want wanted, end delivery.End, code string) {
	h.settled = append(h.settled, ended(delivery.Ref{Frame: s.frame, Index: want.index, Output: want.output}, s.book, end, code))
}

// ended is the settlement of an output that no lane has seen.
func ended(ref delivery.Ref, book ledger.Key, end delivery.End, code string) delivery.Settled {
	return delivery.Settled{
		Ref: ref, Workspace: book.Workspace, Source: book.Source, Destination: book.Destination,
		Stage: delivery.Live, End: end, Code: code,
	}
}
