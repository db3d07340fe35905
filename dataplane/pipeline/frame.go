package pipeline

import (
	"context"
	"fmt"
	"time"

	"weir/dataplane/dedupe"
	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/journal"
	"weir/dataplane/journal/record"
	"weir/dataplane/ledger"
	"weir/dataplane/pipeline/aside"
	"weir/dataplane/plan"
	"weir/dataplane/queue"
	"weir/dataplane/rewrite"
	"weir/dataplane/route"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/id"
)

// frameVersion is the version of frames that this program writes.
var frameVersion = queue.EncodeFrame(nil)[0]

// codeUnconnected is the code of outputs that are dropped because no connection
// leads to their destination any more.
const codeUnconnected = "connection_removed"

// frame is a frame on its way through the loop.
type frame struct {
	rec       queue.Record
	fresh     bool // it was never opened: everything is decided now
	bad       bool // it cannot be decoded and is in BAD
	events    []event.Event
	fates     []fate // of a fresh frame's events
	decisions record.Decisions
	routings  map[origin]routing
	early     map[journal.Output]bool // outputs that a former owner settled before it could journal the opening
	named     map[uint32]bool         // events that have one
	outputs   rewrite.Outputs
	aside     map[id.Workspace]*aside.Pile
}

// takenBack reports whether e is a delivery to a warehouse that a load took back:
// there is no row of it, and Quarantine is the reason.
func takenBack(e *event.Event) bool { return e.Delivery != "" && e.Quarantine != "" }

// fate is what became of an event at its source; without an account it goes on.
type fate struct {
	account ledger.Account
	code    string
}

func newFrame(rec queue.Record) *frame {
	return &frame{rec: rec, outputs: rewrite.Outputs{Frame: rec.Seq, Read: time.Now()}}
}

// decode reads a frame. What cannot be read is kept in BAD, so that what comes
// after it flows. A frame of a newer version waits for a newer program.
func (o *owner) decode(ctx context.Context, rec queue.Record) (*frame, error) {
	f := newFrame(rec)
	fresh, early := o.journal.Frame(rec.Seq)
	f.fresh = fresh
	if fresh {
		f.early, f.named = map[journal.Output]bool{}, map[uint32]bool{}
		for _, e := range early {
			f.early[e], f.named[e.Index] = true, true
		}
	}
	if o.next != 0 && rec.Seq != o.next {
		o.alarms.raise(alarmLost)
	}
	o.next = rec.Seq + 1
	if len(rec.Data) > 0 && rec.Data[0] > frameVersion {
		o.alarms.raise(alarmNewer)
		<-ctx.Done()
		return nil, fault.New(fault.Unavailable, "Frame %d is of a newer version.", rec.Seq)
	}
	decoded, err := queue.DecodeFrame(rec.Data)
	switch {
	case err == nil && len(decoded.Events) <= record.MaxIndex+1:
		f.events = decoded.Events
	case err == nil || reactionTo(err) == reject:
		f.bad = true
		o.alarms.raise(alarmFrame)
		if err := o.keepTrying(ctx, func() error {
			_, err := o.cfg.Bad.Append(ctx, "", rec.Data)
			return err
		}); err != nil {
			return nil, fmt.Errorf("keep the unreadable frame %d: %w", rec.Seq, err)
		}
	default:
		return nil, fmt.Errorf("frame %d: %w", rec.Seq, err)
	}
	var bytes int64
	for i := range f.events {
		bytes += int64(len(f.events[i].JSON)) + 256 // and what describes it
	}
	o.budget.Add(rec.Seq, bytes)
	f.fates = make([]fate, len(f.events))
	return f, nil
}

// dedupe finds the events that were accepted before. Those without an id of
// their sender's have no such protection. Neither have those that broke a rule
// at the gateway: a corrected one may come under the same id. What a load took back
// counts once, however often it says so.
func (o *owner) dedupe(f *frame) error {
	var owner dedupe.Owner
	var of id.Workspace
	for i := range f.events {
		e := &f.events[i]
		if e.Workspace != of {
			of, owner = e.Workspace, dedupe.OwnerOf(e.Workspace)
		}
		message := e.MessageID
		if takenBack(e) {
			message = id.Event("\x00" + string(e.Destination) + "\x00" + e.Delivery + "\x00" + string(e.MessageID))
		} else if e.Generated || e.Replayed || e.Quarantine != "" {
			continue
		}
		k := o.cfg.Key(e.Source, e.User, message)
		pos := dedupe.Pos{Frame: f.rec.Seq, Index: uint32(i)}
		first, err := o.cfg.Seen.First(owner, k, pos, f.rec.At)
		if err != nil {
			return fmt.Errorf("dedupe frame %d: %w", f.rec.Seq, err)
		}
		if first {
			f.decisions.Key(uint32(i), k)
		} else {
			f.fates[i] = fate{account: ledger.Duplicate}
		}
	}
	if o.cfg.Seen.Jumped() {
		o.alarms.raise(alarmJump)
	} else {
		o.alarms.clear(alarmJump)
	}
	return nil
}

// check ends the events that may not go on. Those that broke a rule at the gateway
// go to QUARANTINE before the opening that counts them, and so do those that a load
// took back, unless their warehouse was removed.
func (o *owner) check(ctx context.Context, f *frame) error {
	var sources record.Groups[id.Source]
	for i := range f.events {
		e := &f.events[i]
		switch {
		case e.Quarantine == "" || f.fates[i].account != 0:
		case takenBack(e) && e.Quarantine == delivery.CodeRemoved:
			f.fates[i] = fate{ledger.Dropped, delivery.CodeRemoved}
		default:
			f.fates[i] = fate{ledger.Quarantined, e.Quarantine[:min(len(e.Quarantine), record.MaxCode)]}
			sources.Add(e.Source, uint32(i))
		}
	}
	for source, which := range sources.Each {
		var refused []event.Event
		for i := range which.Each {
			e := f.events[i]
			e.Delivery = "" // it is settled, whatever becomes of the event
			refused = append(refused, e)
		}
		if err := o.keepQuarantined(ctx, source, refused); err != nil {
			return fmt.Errorf("quarantine events of frame %d: %w", f.rec.Seq, err)
		}
	}
	return nil
}

// route finds where every event that goes on has to go, under the revision that
// is current now, once for each source of the frame.
func (o *owner) route(ctx context.Context, f *frame) error {
	for i := range f.events {
		e := &f.events[i]
		named := f.named[uint32(i)]
		if f.fates[i].account != 0 && !named {
			continue
		}
		r, ok, err := o.routing(ctx, f, e)
		if err != nil {
			return err
		}
		if !ok {
			f.aside[e.Workspace].Note(*e, "")
			f.fates[i] = fate{ledger.Quarantined, aside.Code}
			continue
		}
		if drop := f.checked(uint32(i), r); drop != "" && !named {
			f.fates[i] = fate{ledger.Dropped, drop[:min(len(drop), record.MaxCode)]}
			continue
		}
		dests := destinations(r, e)
		if len(dests) == 0 && !named {
			f.fates[i] = fate{account: ledger.Unrouted}
			continue
		}
		f.fates[i] = fate{account: ledger.SourceRouted}
		for _, d := range dests {
			entry := ledger.Key{Workspace: e.Workspace, Source: e.Source, Destination: d.ID}
			if !f.early[journal.Output{Index: uint32(i), Entry: entry}] {
				f.decisions.Route(uint32(i), entry)
				f.outputs.Add(e, uint32(i), 0, r, d)
			}
		}
	}
	return o.keepAside(ctx, f)
}

// destinations is where an event goes: where its own integrations allow, or the
// one that it is sent to again.
func destinations(r *plan.Routing, e *event.Event) []route.Destination {
	if r == nil {
		return nil
	}
	if e.Destination == "" {
		return r.Table.Route(*e)
	}
	d, ok := r.Destination(e.Destination)
	if !ok {
		return nil
	}
	return []route.Destination{d}
}

// checked puts what the source's checks make of an event in its place and
// returns the code for which it is dropped, "" for none.
func (f *frame) checked(i uint32, r *plan.Routing) (drop string) {
	if r == nil || r.Checks == nil {
		return ""
	}
	f.events[i], drop = r.Checks.Apply(f.events[i])
	return drop
}

// origin is what a routing is looked up by.
type origin struct {
	ws     id.Workspace
	source id.Source
}

// routing is where events of a source go. passes: none of them is set aside.
type routing struct {
	*plan.Routing
	passes bool
}

// routing returns the routing of an event's source, the same for all of a frame.
// !ok: the event has to be set aside, because its workspace is not loaded or others
// of it have to come back first. What comes back does not wait for those.
func (o *owner) routing(ctx context.Context, f *frame, e *event.Event) (r *plan.Routing, ok bool, err error) {
	at, former := origin{e.Workspace, e.Source}, !f.fresh || e.Replayed
	to, found := f.routings[at]
	if found && to.passes && !former {
		return to.Routing, true, nil
	}
	if !found {
		known := false
		if to.Routing, known, err = o.awaitRouting(ctx, at); err != nil {
			return nil, false, err
		}
		if found = known; known {
			if f.routings == nil {
				f.routings = map[origin]routing{}
			}
			f.routings[at] = to
		}
	}
	if found && former && f.rec.Seq > o.found {
		return to.Routing, true, nil
	}
	if !o.aside.Enter(e, found, former) {
		to.passes = !former
		f.routings[at] = to
		return to.Routing, true, nil
	}
	if f.aside == nil {
		f.aside = map[id.Workspace]*aside.Pile{}
	}
	if f.aside[e.Workspace] == nil {
		f.aside[e.Workspace] = &aside.Pile{Workspace: e.Workspace, Routed: !f.fresh}
	}
	f.aside[e.Workspace].Entered++
	return nil, false, nil
}

// awaitRouting returns the routing of a source, and whether its workspace is known
// or becomes known soon enough.
func (o *owner) awaitRouting(ctx context.Context, at origin) (*plan.Routing, bool, error) {
	for {
		r, known := o.cfg.Route(at.ws, at.source)
		if known || time.Since(o.began) >= o.cfg.Grace {
			return r, known, nil
		}
		if !delay.For(ctx, shortestPause) {
			return nil, false, fault.New(fault.Unavailable, "Workspace %s is not loaded.", at.ws)
		}
	}
}

// keepAside sets aside what was noted, before the journal counts it.
func (o *owner) keepAside(ctx context.Context, f *frame) error {
	for _, p := range f.aside {
		if err := o.keepTrying(ctx, func() error { return o.aside.Add(ctx, p) }); err != nil {
			return fmt.Errorf("set events of frame %d aside: %w", f.rec.Seq, err)
		}
	}
	return nil
}

// booked says that the journal got what it counts of the events that were set aside.
func (o *owner) booked(f *frame) {
	for _, p := range f.aside {
		o.aside.Booked(p)
	}
}

// opening is what the journal keeps of the decisions.
func (f *frame) opening() record.Opening {
	for i, ft := range f.fates {
		e := &f.events[i]
		entry := ledger.Key{Workspace: e.Workspace, Source: e.Source}
		if takenBack(e) {
			entry.Destination = e.Destination
		}
		f.decisions.End(uint32(i), entry, ft.account, ft.code, e.Replayed)
	}
	return f.decisions.Opening(f.rec.Seq, f.rec.At, uint32(len(f.events)), f.bad)
}

// resume takes up what is left of a frame that was opened before: to where it
// was routed then, so that nothing is decided or counted twice.
func (o *owner) resume(ctx context.Context, f *frame) error {
	left := o.journal.Left(f.rec.Seq, "")
	if len(left) == 0 {
		o.budget.Release([]uint64{f.rec.Seq})
		return nil
	}
	return o.takeUp(ctx, f, left)
}

// takeUp puts what is left of a frame on its way again. What went through code
// goes through the code of now; where no connection leads there any more it is
// dropped, because sent as it came it would pass by the code. While the workspace is
// not loaded nothing is known of its code, so it is set aside for that destination.
func (o *owner) takeUp(ctx context.Context, f *frame, left []journal.Output) error {
	var ends []delivery.Settled
	end := func(l journal.Output, how delivery.End, code string) {
		ends = append(ends, delivery.Settled{
			Ref:       delivery.Ref{Frame: f.rec.Seq, Index: l.Index, Output: l.Number},
			Workspace: l.Entry.Workspace, Source: l.Entry.Source, Destination: l.Entry.Destination,
			Stage: delivery.Live, End: how, Code: code,
		})
	}
	type way struct {
		index uint32
		to    id.Destination
	}
	checked, waits := map[uint32]bool{}, map[way]bool{}
	for _, l := range left {
		if int(l.Index) >= len(f.events) { // the frame could be read once, and now it cannot
			end(l, delivery.EndDropped, record.BadFrame)
			continue
		}
		r, ok, err := o.routing(ctx, f, &f.events[l.Index])
		if err != nil {
			return err
		}
		if !ok {
			if to := (way{l.Index, l.Entry.Destination}); !waits[to] { // one event for all that code made of it
				waits[to] = true
				f.aside[l.Entry.Workspace].Note(f.events[l.Index], l.Entry.Destination)
			}
			end(l, delivery.EndQuarantined, aside.Code)
			continue
		}
		if !checked[l.Index] {
			checked[l.Index] = true
			f.checked(l.Index, r) // it passed before
		}
		d, ok := r.Destination(l.Entry.Destination)
		switch {
		case !ok:
			end(l, delivery.EndDropped, codeUnconnected)
		case l.Number > 0 && r.Chains[d.ChainIndex] == nil:
			end(l, delivery.EndDropped, rewrite.CodeChanged)
		default:
			f.outputs.Add(&f.events[l.Index], l.Index, l.Number, r, d)
		}
	}
	if err := o.keepAside(ctx, f); err != nil {
		return err
	}
	if len(ends) > 0 {
		o.journal.Settle(ends)
	}
	o.booked(f)
	return nil
}

// left takes up what one destination did not get so far of a frame that the loop
// has read before. It waits until the journal has the frame's opening, because
// only then is it known what is left.
func (o *owner) left(ctx context.Context, rec queue.Record, d id.Destination) (*rewrite.Outputs, error) {
	for fresh, _ := o.journal.Frame(rec.Seq); fresh; fresh, _ = o.journal.Frame(rec.Seq) {
		if !delay.For(ctx, shortestPause/2) {
			return nil, ctx.Err()
		}
	}
	f := newFrame(rec)
	if left := o.journal.Left(rec.Seq, d); len(left) > 0 {
		if decoded, err := queue.DecodeFrame(rec.Data); err == nil {
			f.events = decoded.Events
		}
		if err := o.takeUp(ctx, f, left); err != nil {
			return nil, err
		}
	}
	return &f.outputs, nil
}
