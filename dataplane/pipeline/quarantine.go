package pipeline

import (
	"context"
	"fmt"

	"weir/dataplane/deliver"
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
	Places      []deliver.Place
}

// chooses reports whether c selects e, which lies at p.
func (c *Choice) chooses(e *event.Event, p deliver.Place) bool {
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
	deliver.Place
	Event event.Event // Quarantine is the code, Detail what the customer's code said
}

// Quarantined lists events that broke a rule, oldest first, those behind after.
// It reads the log alone, so it may run beside the owner.
func (p *Pipeline) Quarantined(ctx context.Context, c Choice, after deliver.Place, limit int) ([]Quarantined, error) {
	var all []Quarantined
	err := p.broken(ctx, c, max(after.Seq, 1), func(_ uint64, events []event.Event, chosen []deliver.Place) (bool, error) {
		for _, at := range chosen {
			if len(all) < limit && (at.Seq > after.Seq || at.Item > after.Item) {
				all = append(all, Quarantined{at, events[at.Item]})
			}
		}
		return len(all) < limit, nil
	})
	return all, err
}

// Replay sends quarantined events through the partition again, by append, and
// takes them out of QUARANTINE when that is durable; a death in between repeats
// them. What broke a rule at the door and still breaks it stays. One that broke
// a rule on the way to a destination goes only there. It returns how many went.
func (p *Pipeline) Replay(ctx context.Context, c Choice, send func(context.Context, []event.Event) error) (sent int, err error) {
	err = p.broken(ctx, c, 1, func(seq uint64, events []event.Event, chosen []deliver.Place) (bool, error) {
		going := map[uint32]bool{}
		var again []event.Event
		for _, at := range chosen {
			if e, ok := replayed(events[at.Item]); ok {
				again = append(again, e)
				going[at.Item] = true
			}
		}
		if len(again) == 0 {
			return true, nil
		}
		if err := send(ctx, again); err != nil {
			return false, err
		}
		sent += len(again)
		return true, p.keepRest(ctx, c.Source, seq, events, going)
	})
	return sent, err
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
// the same rule.
func replayed(e event.Event) (event.Event, bool) {
	if e.Destination == "" {
		m, err := event.Single(e.JSON)
		if err != nil {
			return e, false
		}
		var parser event.Parser
		parser.Begin(event.Stamp{ReceivedAt: e.ReceivedAt}, nil, len(e.JSON), 1)
		parsed, code := parser.Event(m)
		if code != "" {
			return e, false
		}
		parsed.Workspace, parsed.Source = e.Workspace, e.Source
		e = parsed
	}
	e.Quarantine, e.Detail, e.Replayed = "", "", true
	return e, true
}

// broken calls fn for each record of QUARANTINE from number from on that has
// events which c selects.
func (p *Pipeline) broken(ctx context.Context, c Choice, from uint64, fn func(seq uint64, events []event.Event, chosen []deliver.Place) (more bool, err error)) error {
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
		var chosen []deliver.Place
		for i := range f.Events {
			if at := (deliver.Place{Seq: rec.Seq, Item: uint32(i)}); c.chooses(&f.Events[i], at) {
				chosen = append(chosen, at)
			}
		}
		if len(chosen) == 0 {
			continue
		}
		if more, err := fn(rec.Seq, f.Events, chosen); err != nil || !more {
			return err
		}
	}
	return ctx.Err()
}
