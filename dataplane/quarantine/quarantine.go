// Package quarantine keeps the events of one partition that broke a rule, under
// their source, until somebody replays or removes them. A rule is broken at the
// gateway, or on the way to one destination, where the customer's code refused
// the event or the load of a warehouse makes no row of it.
//
// It guarantees that an event leaves only after it is durable where it was sent
// to: a death in between repeats it and loses nothing. It refuses to send what
// would break the same rule again or has no way to go.
package quarantine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/queue"
	"weir/shared/fault"
	"weir/shared/id"
)

// Store is one partition's QUARANTINE. It is safe for concurrent use. Both fields
// are required.
type Store struct {
	Log queue.Log // a record is a frame of events of one source, which is its key
	// Connected reports whether an event has a way to go: its source is there,
	// and so is a connection to its Destination, if it names one.
	Connected func(event.Event) bool

	taking sync.Mutex // held by who takes events out: an event that two take is counted twice
	stuck  uint64     // of who holds taking: up to here Expire removed what can be removed
}

// Add keeps events of one source; the Quarantine of each is the code of its rule.
func (s *Store) Add(ctx context.Context, source id.Source, events []event.Event) error {
	_, err := s.Log.Append(ctx, string(source), queue.EncodeFrame(events))
	return err
}

// Filter selects quarantined events. Empty fields select all; Source is
// required.
type Filter struct {
	Workspace   id.Workspace
	Source      id.Source
	Destination id.Destination // on the way there; what broke a rule at the gateway has none
	Code        string
	Places      []delivery.Place
	Before      time.Time               // they came into QUARANTINE before it; zero: whenever
	Most        int                     // about how many leave in one call; 0: 1000
	Is          func(*event.Event) bool // nil: any
}

// selects reports whether f selects e, which lies at p.
func (f *Filter) selects(e *event.Event, p delivery.Place) bool {
	if f.Workspace != "" && e.Workspace != f.Workspace || f.Destination != "" && e.Destination != f.Destination || f.Code != "" && e.Quarantine != f.Code || f.Is != nil && !f.Is(e) {
		return false
	}
	for _, want := range f.Places {
		if want == p {
			return true
		}
	}
	return len(f.Places) == 0
}

// Item is one event that broke a rule, and where it lies.
type Item struct {
	delivery.Place
	Event event.Event // Quarantine is the code, Detail what the customer's code said
}

// List returns events that broke a rule, oldest first, those behind after, at most
// limit of them. It only reads, so any process may call it.
func (s *Store) List(ctx context.Context, f Filter, after delivery.Place, limit int) ([]Item, error) {
	var all []Item
	err := s.records(ctx, f, max(after.Seq, 1), func(_ uint64, events []event.Event, selected []delivery.Place) (bool, error) {
		for _, at := range selected {
			if len(all) < limit && (at.Seq > after.Seq || at.Item > after.Item) {
				all = append(all, Item{at, events[at.Item]})
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
	moveEvents  = 1000    // that leave
	moveBytes   = 4 << 20 // of these
	moveRecords = 10000   // that are read
)

// How long it may take to remove what was sent again, and longer for each record. The
// end of the caller's context does not stop it, because what stays would be sent twice.
const (
	removeTimeout = 30 * time.Second
	removeEach    = 20 * time.Millisecond
)

// Replay sends quarantined events through the partition again, by send, which
// returns when they are durable, and then takes them out of QUARANTINE. What broke
// a rule at the gateway and still breaks it stays, and so does what is not
// Connected any more. One that broke a rule on the way to a destination goes only
// there.
//
// It returns how many went, and where to go on, the zero Span when everything in
// span was looked at. What comes into QUARANTINE during the call is not in span.
// fault.Unavailable: a log is unreachable.
func (s *Store) Replay(ctx context.Context, f Filter, span Span, send func(context.Context, []event.Event) error) (sent int, rest Span, err error) {
	return s.move(ctx, f, span, func(p *part, selected []delivery.Place) []event.Event {
		var again []event.Event
		for _, at := range selected {
			if e, ok := s.replayed(p.events[at.Item]); ok {
				again = append(again, e)
				p.gone[at.Item] = true
			}
		}
		return again
	}, send)
}

// Remove takes quarantined events out for good; see Replay. In the ledger they
// stay quarantined, which is how they ended.
func (s *Store) Remove(ctx context.Context, f Filter, span Span) (removed int, rest Span, err error) {
	return s.move(ctx, f, span, func(p *part, selected []delivery.Place) []event.Event {
		for _, at := range selected {
			p.gone[at.Item] = true
		}
		return nil
	}, nil)
}

// Count returns how many events f selects. It only reads.
func (s *Store) Count(ctx context.Context, f Filter) (n int, err error) {
	err = s.records(ctx, f, 1, func(_ uint64, _ []event.Event, selected []delivery.Place) (bool, error) {
		n += len(selected)
		return true, nil
	})
	return n, err
}

// part is a record of which events leave.
type part struct {
	seq    uint64
	events []event.Event
	gone   map[uint32]bool
}

// move removes from the records of span what take chooses, which send took before;
// take returns what that is.
func (s *Store) move(ctx context.Context, f Filter, span Span, take func(p *part, selected []delivery.Place) []event.Event, send func(context.Context, []event.Event) error) (moved int, rest Span, err error) {
	if span.Until == 0 {
		st, err := s.Log.State(ctx)
		if err != nil {
			return 0, Span{}, fmt.Errorf("look at quarantined events of %s: %w", f.Source, err)
		}
		span.Until = st.Last
	}
	most := moveEvents
	if f.Most > 0 {
		most = min(most, f.Most)
	}
	s.taking.Lock()
	defer s.taking.Unlock()
	var parts []part
	var again []event.Event
	read, chosen, bytes := 0, 0, 0
	err = s.records(ctx, f, span.After+1, func(seq uint64, events []event.Event, selected []delivery.Place) (bool, error) {
		if seq > span.Until {
			return false, nil
		}
		p := part{seq, events, map[uint32]bool{}}
		again = append(again, take(&p, selected)...)
		if len(p.gone) > 0 {
			parts, chosen = append(parts, p), chosen+len(p.gone)
			for i := range events {
				bytes += len(events[i].JSON)
			}
		}
		if read++; (chosen >= most || bytes >= moveBytes || read >= moveRecords) && seq < span.Until {
			rest = Span{seq, span.Until}
			return false, nil
		}
		return true, nil
	})
	if err != nil {
		return 0, Span{}, err
	}
	if len(again) > 0 {
		if err := send(ctx, again); err != nil {
			return 0, Span{}, err
		}
	}
	moved, err = s.leave(ctx, f.Source, parts)
	return moved, rest, err
}

// leave takes out of QUARANTINE what is gone from its records, and returns how many
// events that is.
func (s *Store) leave(ctx context.Context, source id.Source, parts []part) (left int, err error) {
	seqs := make([]uint64, 0, len(parts))
	for i := range parts {
		if err = s.keepRest(ctx, source, parts[i]); err != nil {
			break
		}
		seqs, left = append(seqs, parts[i].seq), left+len(parts[i].gone)
	}
	return left, errors.Join(err, s.delete(ctx, seqs))
}

// keepRest adds once more what does not leave with a record of QUARANTINE.
func (s *Store) keepRest(ctx context.Context, source id.Source, p part) error {
	var rest []event.Event
	for i := range p.events {
		if !p.gone[uint32(i)] {
			rest = append(rest, p.events[i])
		}
	}
	if len(rest) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	if err := s.Add(ctx, source, rest); err != nil {
		return fmt.Errorf("keep the rest of quarantine record %d: %w", p.seq, err)
	}
	return nil
}

// delete removes records.
func (s *Store) delete(ctx context.Context, seqs []uint64) error {
	if len(seqs) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout+time.Duration(len(seqs))*removeEach)
	defer cancel()
	if err := s.Log.Delete(ctx, seqs...); err != nil {
		return fmt.Errorf("remove %d quarantine records: %w", len(seqs), err)
	}
	return nil
}

// replayed is a quarantined event as it is sent again; false: it would break
// the same rule, or go nowhere and be lost.
func (s *Store) replayed(e event.Event) (event.Event, bool) {
	if !s.Connected(e) {
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

// records calls fn for each readable record of QUARANTINE of f's source from
// number from on, with the places of what f selects.
func (s *Store) records(ctx context.Context, f Filter, from uint64, fn func(seq uint64, events []event.Event, selected []delivery.Place) (more bool, err error)) error {
	if f.Source == "" {
		return fault.New(fault.Invalid, "Name the source whose quarantined events are meant.")
	}
	for rec, err := range s.Log.ReadTo(ctx, from, string(f.Source)) {
		if err != nil {
			return fmt.Errorf("read quarantined events of %s: %w", f.Source, err)
		}
		if !f.Before.IsZero() && !rec.At.Before(f.Before) {
			continue
		}
		frame, err := queue.DecodeFrame(rec.Data)
		if err != nil {
			continue // it is kept; there is nothing to show
		}
		var selected []delivery.Place
		for i := range frame.Events {
			if at := (delivery.Place{Seq: rec.Seq, Item: uint32(i)}); f.selects(&frame.Events[i], at) {
				selected = append(selected, at)
			}
		}
		if more, err := fn(rec.Seq, frame.Events, selected); err != nil || !more {
			return err
		}
	}
	return ctx.Err()
}
