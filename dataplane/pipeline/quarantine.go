package pipeline

import (
	"context"
	"fmt"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/queue"
	"weir/shared/fault"
	"weir/shared/id"
)

// Choice selects quarantined events. Empty fields select all; Source is
// required.
type Choice struct {
	Workspace   id.Workspace
	Source      id.Source
	Destination id.Destination // on the way there; what broke a rule at the door has none
	Code        string
	Places      []delivery.Place
}

// chooses reports whether c selects e, which lies at p.
func (c *Choice) chooses(e *event.Event, p delivery.Place) bool {
	if c.Workspace != "" && e.Workspace != c.Workspace || c.Destination != "" && e.Destination != c.Destination || c.Code != "" && e.Quarantine != c.Code {
		return false
	}
	for _, want := range c.Places {
		if want == p {
			return true
		}
	}
	return len(c.Places) == 0
}

// Quarantined is one event that broke a rule, and where it lies.
type Quarantined struct {
	delivery.Place
	Event event.Event // Quarantine is the code, Detail what the customer's code said
}

// Quarantined lists events that broke a rule, oldest first, those behind after.
// It reads the log alone, so it may run beside the owner.
func (p *Pipeline) Quarantined(ctx context.Context, c Choice, after delivery.Place, limit int) ([]Quarantined, error) {
	var all []Quarantined
	err := p.broken(ctx, c, max(after.Seq, 1), func(_ uint64, events []event.Event, chosen []delivery.Place) (bool, error) {
		for _, at := range chosen {
			if len(all) < limit && (at.Seq > after.Seq || at.Item > after.Item) {
				all = append(all, Quarantined{at, events[at.Item]})
			}
		}
		return len(all) < limit, nil
	})
	return all, err
}

// Span is records of QUARANTINE by their numbers: those behind After up to
// Until. The zero Span is all that are there now.
type Span struct{ After, Until uint64 }

// How much one call of Replay or Remove does at most, about.
const (
	moveEvents  = 1000  // that leave
	moveRecords = 10000 // that are read
)

// moveLast is how long it may take to remove what was sent again, also when
// whoever asked went away meanwhile: else it would be sent twice.
const moveLast = 10 * time.Second

// Replay sends quarantined events through the partition again, by send, and
// takes them out of QUARANTINE when that is durable; a death in between repeats
// them. What broke a rule at the door and still breaks it stays, and so does
// what has no way to go any more, because its source or its connection was
// removed. One that broke a rule on the way to a destination goes only there.
//
// It returns how many went, and where to go on, the zero Span when everything in
// span was looked at. What is quarantined meanwhile is not in it. Replay and
// Remove must not run twice at a time. fault.Unavailable: the partition does
// not run here, or a log is away.
func (p *Pipeline) Replay(ctx context.Context, c Choice, span Span, send func(context.Context, []event.Event) error) (sent int, rest Span, err error) {
	return p.move(ctx, c, span, func(events []event.Event, chosen []delivery.Place) (map[uint32]bool, error) {
		going := map[uint32]bool{}
		var again []event.Event
		for _, at := range chosen {
			if e, ok := p.replayed(events[at.Item]); ok {
				again = append(again, e)
				going[at.Item] = true
			}
		}
		if len(again) == 0 {
			return nil, nil
		}
		return going, send(ctx, again)
	})
}

// Remove takes quarantined events out for good; see Replay. In the books they
// stay quarantined, which is how they ended.
func (p *Pipeline) Remove(ctx context.Context, c Choice, span Span) (removed int, rest Span, err error) {
	return p.move(ctx, c, span, func(_ []event.Event, chosen []delivery.Place) (map[uint32]bool, error) {
		going := map[uint32]bool{}
		for _, at := range chosen {
			going[at.Item] = true
		}
		return going, nil
	})
}

// move removes from the records of span what take took of them.
func (p *Pipeline) move(ctx context.Context, c Choice, span Span, take func([]event.Event, []delivery.Place) (gone map[uint32]bool, err error)) (moved int, rest Span, err error) {
	if _, err := p.owner(); err != nil {
		return 0, Span{}, err
	}
	if span.Until == 0 {
		st, err := p.cfg.Quarantine.State(ctx)
		if err != nil {
			return 0, Span{}, fmt.Errorf("look at quarantined events of %s: %w", c.Source, err)
		}
		span.Until = st.Last
	}
	looked := 0
	err = p.broken(ctx, c, span.After+1, func(seq uint64, events []event.Event, chosen []delivery.Place) (bool, error) {
		if seq > span.Until {
			return false, nil
		}
		gone, err := take(events, chosen)
		if err != nil {
			return false, err
		}
		if len(gone) > 0 {
			moved += len(gone)
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), moveLast)
			defer cancel()
			if err := p.keepRest(last, c.Source, seq, events, gone); err != nil {
				return false, err
			}
		}
		if looked++; (moved >= moveEvents || looked >= moveRecords) && seq < span.Until {
			rest = Span{seq, span.Until}
			return false, nil
		}
		return true, nil
	})
	return moved, rest, err
}

// keepRest replaces a record of QUARANTINE by what did not leave it.
func (p *Pipeline) keepRest(ctx context.Context, source id.Source, seq uint64, events []event.Event, gone map[uint32]bool) error {
	var rest []event.Event
	for i := range events {
		if !gone[uint32(i)] {
			rest = append(rest, events[i])
		}
	}
	if len(rest) > 0 {
		if _, err := p.cfg.Quarantine.Append(ctx, string(source), queue.EncodeFrame(rest)); err != nil {
			return fmt.Errorf("keep the rest of quarantine record %d: %w", seq, err)
		}
	}
	if err := p.cfg.Quarantine.Delete(ctx, seq); err != nil {
		return fmt.Errorf("remove quarantine record %d: %w", seq, err)
	}
	return nil
}

// replayed is a quarantined event as it is sent again; false: it would break
// the same rule, or go nowhere and be lost.
func (p *Pipeline) replayed(e event.Event) (event.Event, bool) {
	if !p.connected(e) {
		return e, false
	}
	if e.Destination == "" {
		var parser event.Parser
		parser.Begin(event.Stamp{ReceivedAt: e.ReceivedAt}, nil, len(e.JSON), 1)
		parsed, code := parser.Event(e.JSON)
		if code != "" {
			return e, false
		}
		parsed.Workspace, parsed.Source = e.Workspace, e.Source
		e = parsed
	}
	e.Quarantine, e.Detail, e.Replayed = "", "", true
	return e, true
}

// broken calls fn for each readable record of QUARANTINE of c's source from
// number from on, with the places of what c selects.
func (p *Pipeline) broken(ctx context.Context, c Choice, from uint64, fn func(seq uint64, events []event.Event, chosen []delivery.Place) (more bool, err error)) error {
	if c.Source == "" {
		return fault.New(fault.Invalid, "Name the source whose quarantined events are meant.")
	}
	for rec, err := range p.cfg.Quarantine.ReadTo(ctx, from, string(c.Source)) {
		if err != nil {
			return fmt.Errorf("read quarantined events of %s: %w", c.Source, err)
		}
		f, err := queue.DecodeFrame(rec.Data)
		if err != nil {
			continue // it is kept; there is nothing to show
		}
		var chosen []delivery.Place
		for i := range f.Events {
			if at := (delivery.Place{Seq: rec.Seq, Item: uint32(i)}); c.chooses(&f.Events[i], at) {
				chosen = append(chosen, at)
			}
		}
		if more, err := fn(rec.Seq, f.Events, chosen); err != nil || !more {
			return err
		}
	}
	return ctx.Err()
}

// connected reports whether e has a way to go: its source is there, and a
// connection to the destination that it concerns, if it does concern one.
func (p *Pipeline) connected(e event.Event) bool {
	r, _ := p.cfg.Route(e.Workspace, e.Source)
	if r == nil || e.Destination == "" {
		return r != nil
	}
	_, ok := r.Destination(e.Destination)
	return ok
}
