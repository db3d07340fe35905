package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"weir/dataplane/dedupe"
	"weir/dataplane/deliver"
	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/dataplane/queue"
	"weir/dataplane/route"
	"weir/shared/fault"
	"weir/shared/id"
)

// frameVersion is the version of frames that this program writes.
var frameVersion = queue.EncodeFrame(nil)[0]

// frame is a frame on its way through the loop.
type frame struct {
	rec        queue.Record
	read       time.Time
	fresh      bool // it was never opened: everything is decided now
	bad        bool // it cannot be decoded and is in BAD
	events     []event.Event
	fates      []fate // of a fresh frame's events
	keyed      set
	keys       []dedupe.Key
	routed     groups[lane]
	early      map[output]bool // outputs that a former owner settled before it could journal the opening
	named      map[uint32]bool // events that have one
	deliveries []deliver.Delivery
}

// fate is what became of an event at its source; without an account it goes on.
type fate struct {
	account ledger.Account
	code    string
}

// decode reads a frame. What cannot be read is kept in BAD, so that what comes
// after it flows. A frame of a newer version waits for a newer program.
func (o *owner) decode(ctx context.Context, rec queue.Record) (*frame, error) {
	f := &frame{rec: rec, read: time.Now()}
	o.journal.look(func(st *state) {
		f.fresh = st.fresh(rec.Seq)
		if f.fresh {
			f.early, f.named = map[output]bool{}, map[uint32]bool{}
			for _, e := range st.early[rec.Seq] {
				f.early[e], f.named[e.index] = true, true
			}
		}
	})
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
	case err == nil && len(decoded.Events) <= maxIndex+1:
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
	o.budget.add(rec.Seq, bytes)
	f.fates = make([]fate, len(f.events))
	return f, nil
}

// dedupe finds the events that were accepted before. Those without an id of
// their sender's have no such protection. Neither have those that broke a rule
// at the door: a corrected one may come under the same id.
func (o *owner) dedupe(f *frame) error {
	for i := range f.events {
		e := &f.events[i]
		if e.Generated || e.Quarantine != "" {
			continue
		}
		k := o.cfg.Key(e.Source, e.User, e.MessageID)
		first, err := o.cfg.Seen.First(k, dedupe.Pos{Frame: f.rec.Seq, Index: uint32(i)}, f.rec.At)
		if err != nil {
			return fmt.Errorf("dedupe frame %d: %w", f.rec.Seq, err)
		}
		if first {
			f.keyed.push(uint32(i))
			f.keys = append(f.keys, k)
		} else {
			f.fates[i] = fate{account: ledger.Duplicate}
		}
	}
	return nil
}

// check ends the events that may not go on. Those that broke a rule at the door
// go to QUARANTINE before the opening that books them.
func (o *owner) check(ctx context.Context, f *frame) error {
	var sources groups[id.Source]
	for i := range f.events {
		if e := &f.events[i]; e.Quarantine != "" {
			f.fates[i] = fate{ledger.Quarantined, e.Quarantine[:min(len(e.Quarantine), maxCode)]}
			sources.add(e.Source, uint32(i))
		}
	}
	for source, which := range sources.each {
		var broken []event.Event
		for i := range which.each {
			broken = append(broken, f.events[i])
		}
		data := queue.EncodeFrame(broken)
		if err := o.keepTrying(ctx, func() error {
			_, err := o.cfg.Quarantine.Append(ctx, string(source), data)
			return err
		}); err != nil {
			return fmt.Errorf("quarantine events of frame %d: %w", f.rec.Seq, err)
		}
	}
	return nil
}

// route finds where every event that goes on has to go, under the revision that
// is current now, once for each source of the frame.
func (o *owner) route(ctx context.Context, f *frame) error {
	type origin struct {
		ws     id.Workspace
		source id.Source
	}
	type routing struct {
		table    *route.Table
		revision uint64
	}
	tables := map[origin]routing{}
	for i := range f.events {
		e := &f.events[i]
		named := f.named[uint32(i)]
		if f.fates[i].account != 0 && !named {
			continue
		}
		at := origin{e.Workspace, e.Source}
		r, ok := tables[at]
		if !ok {
			var err error
			if r.table, r.revision, err = o.routing(ctx, at.ws, at.source); err != nil {
				return err
			}
			tables[at] = r
		}
		dests := r.table.Route(*e)
		if len(dests) == 0 && !named {
			f.fates[i] = fate{account: ledger.Unrouted}
			continue
		}
		f.fates[i] = fate{account: ledger.SourceRouted}
		for _, d := range dests {
			book := ledger.Key{Workspace: e.Workspace, Source: e.Source, Destination: d.ID}
			if !f.early[output{uint32(i), 0, book}] {
				f.routed.add(lane{book, 0}, uint32(i))
				f.deliver(uint32(i), lane{book, 0}, r.revision)
			}
		}
	}
	return nil
}

// routing waits until the workspace is loaded: to guess would lose the event.
func (o *owner) routing(ctx context.Context, ws id.Workspace, source id.Source) (*route.Table, uint64, error) {
	waited := false
	for wait := appendEvery; ; wait = min(2*wait, slowest/2) {
		table, revision, known := o.cfg.Route(ws, source)
		if known {
			if waited {
				o.alarms.over(alarmWaiting)
			}
			return table, revision, nil
		}
		if wait == slowest/2 && !waited {
			waited = true
			o.alarms.raise(alarmWaiting)
		}
		if !sleep(ctx, wait) {
			return nil, 0, fault.New(fault.Unavailable, "Workspace %s is not loaded.", ws)
		}
	}
}

func (f *frame) deliver(index uint32, l lane, revision uint64) {
	f.deliveries = append(f.deliveries, deliver.Delivery{
		Ref:         deliver.Ref{Frame: f.rec.Seq, Index: index, Output: l.output},
		Destination: l.book.Destination,
		Revision:    revision,
		Read:        f.read,
		Event:       f.events[index],
	})
}

// opening is what the journal keeps of the decisions.
func (f *frame) opening() opening {
	o := opening{
		frame: f.rec.Seq, at: f.rec.At, count: uint32(len(f.events)), bad: f.bad, keyed: f.keyed, keys: f.keys,
	}
	type end struct {
		book ledger.Key
		fate
	}
	var ends groups[end]
	for i, ft := range f.fates {
		e := &f.events[i]
		ends.add(end{ledger.Key{Workspace: e.Workspace, Source: e.Source}, ft}, uint32(i))
	}
	for k, s := range ends.each {
		o.ends = append(o.ends, endSet{k.book, k.account, k.code, s})
	}
	for l, s := range f.routed.each {
		o.routed = append(o.routed, routedSet{l.book, l.output, s})
	}
	return o
}

// resume delivers what is left of a frame that was opened before: to where it
// was routed then, so that nothing is decided or booked twice.
func (o *owner) resume(f *frame) {
	var lost []deliver.Settled
	o.journal.look(func(st *state) {
		t := st.frames[f.rec.Seq]
		if t == nil {
			return
		}
		for l, left := range t.left {
			var revision uint64
			if _, r, known := o.cfg.Route(l.book.Workspace, l.book.Source); known {
				revision = r
			}
			for i := range left.set().each {
				if int(i) < len(f.events) {
					f.deliver(i, l, revision)
					continue
				}
				lost = append(lost, deliver.Settled{ // the frame could be read once, and now it cannot
					Ref:       deliver.Ref{Frame: f.rec.Seq, Index: i, Output: l.output},
					Workspace: l.book.Workspace, Source: l.book.Source, Destination: l.book.Destination,
					Stage: deliver.Live, End: deliver.EndDropped, Code: badFrame,
				})
			}
		}
		slices.SortStableFunc(f.deliveries, func(a, b deliver.Delivery) int {
			return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Output, b.Output))
		})
	})
	if len(lost) > 0 {
		o.journal.settle(lost)
	}
	if len(lost)+len(f.deliveries) == 0 {
		o.budget.release([]uint64{f.rec.Seq})
	}
}
