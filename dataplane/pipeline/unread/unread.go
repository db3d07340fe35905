// Package unread counts the events of one partition that are durable in EVENTS, or in
// DETOUR on their way there, and that its loop has not read: the column waiting of the
// ledger.
//
// The count comes from the frames themselves, whoever appended them. Each frame is
// decoded for it at most once, and only when it is still unread while somebody
// asks for the ledger, so a loop that keeps up pays nothing. Memory is a number
// for each source.
package unread

import (
	"context"
	"maps"
	"strings"
	"sync"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/dataplane/queue"
	"weir/shared/id"
)

// patience is how long one call of Entries counts. What it did not come to is
// counted by later calls, and is neither accepted nor waiting in the ledger before.
const patience = time.Second

// Counter counts for one owner of a partition. It is safe for concurrent use.
type Counter struct {
	events queue.Log
	detour queue.Log // nil: there is none
	booked func() (entries []ledger.Row, through uint64)

	mu      sync.Mutex
	through uint64                  // the newest frame that was counted
	total   map[ledger.Key]accepted // of all frames up to through, by source
	aside   tally                   // of the detour
}

// tally is how many events are in the frames of the detour from first through last.
type tally struct {
	first, last uint64
	total       map[ledger.Key]accepted
}

// accepted is how many events were accepted, and accepted again.
type accepted struct{ accepted, replayed int64 }

// New returns a counter of the frames in events and, unless it is nil, detour, from
// where frames are moved to events. booked returns the ledger, and
// the newest frame whose events are in it: all frames up to that one are.
func New(events, detour queue.Log, booked func() (entries []ledger.Row, through uint64)) *Counter {
	return &Counter{events: events, detour: detour, booked: booked}
}

// Entries returns the ledger with the events that wait: they are accepted or
// replayed, and Waiting. An unreachable log ends the count early.
func (c *Counter) Entries() []ledger.Row {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range 3 { // a frame that is moved meanwhile was counted in both logs
		c.look()
		c.read()
		if !c.moved() {
			break
		}
	}
	return c.fill(c.catchUp())
}

// read counts what is in EVENTS.
func (c *Counter) read() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c.catchUp()
	if extent, err := c.events.State(ctx); err == nil && extent.Last > c.through {
		c.count(ctx)
	}
}

// look counts what is on the detour. Frames that were moved to EVENTS are removed there,
// from the first on.
func (c *Counter) look() {
	if c.detour == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	st, err := c.detour.State(ctx)
	if err != nil || st.First != c.aside.first || st.Last < c.aside.last {
		c.aside = tally{first: st.First}
	}
	if err != nil || st.Records == 0 || st.Last == c.aside.last {
		return
	}
	if c.aside.total == nil {
		c.aside.total = map[ledger.Key]accepted{}
	}
	for rec, err := range c.detour.ReadTo(ctx, max(st.First, c.aside.last+1), "") {
		if err != nil {
			return
		}
		add(c.aside.total, rec.Data)
		c.aside.last = rec.Seq
	}
}

// moved reports whether frames left the detour after look.
func (c *Counter) moved() bool {
	if len(c.aside.total) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	st, err := c.detour.State(ctx)
	return err == nil && st.First != c.aside.first
}

// catchUp begins anew where the loop is, when the loop is as far as the count.
func (c *Counter) catchUp() []ledger.Row {
	rows, through := c.booked()
	if c.total != nil && through < c.through {
		return rows
	}
	c.through, c.total = through, map[ledger.Key]accepted{}
	for _, r := range rows {
		if r.Destination == "" {
			c.total[keyOf(r)] = accepted{r.Accepted, r.Replayed}
		}
	}
	return rows
}

// count reads the frames behind through.
func (c *Counter) count(ctx context.Context) {
	for rec, err := range c.events.ReadTo(ctx, c.through+1, "") {
		if err != nil {
			return
		}
		if rec.Seq != c.through+1 { // purged in the meantime, because the loop has read it
			c.catchUp()
		}
		if rec.Seq <= c.through {
			continue
		}
		c.through = rec.Seq
		add(c.total, rec.Data)
	}
}

// add counts the events of a frame by source.
func add(total map[ledger.Key]accepted, data []byte) {
	frame, err := queue.DecodeFrame(data)
	if err != nil { // the journal counts it as one event without a source
		frame.Events = []event.Event{{}}
	}
	for i := range frame.Events {
		e := &frame.Events[i]
		if e.Delivery != "" && e.Quarantine != "" { // a load took it back: it was accepted before
			continue
		}
		key := ledger.Key{Workspace: e.Workspace, Source: e.Source}
		n, counted := total[key]
		if !counted { // it would keep the whole frame's texts in memory
			key = ledger.Key{Workspace: id.Workspace(strings.Clone(string(key.Workspace))), Source: id.Source(strings.Clone(string(key.Source)))}
		}
		if e.Replayed {
			n.replayed++
		} else {
			n.accepted++
		}
		total[key] = n
	}
}

// fill puts the totals into the rows of the sources.
func (c *Counter) fill(rows []ledger.Row) []ledger.Row {
	all := maps.Clone(c.total)
	for key, n := range c.aside.total {
		all[key] = accepted{all[key].accepted + n.accepted, all[key].replayed + n.replayed}
	}
	had := make(map[ledger.Key]bool, len(all))
	for i := range rows {
		r := &rows[i]
		n, counted := all[keyOf(*r)]
		if r.Destination != "" || !counted {
			continue
		}
		had[keyOf(*r)] = true
		r.Waiting = n.accepted - r.Accepted + n.replayed - r.Replayed
		r.Accepted, r.Replayed = n.accepted, n.replayed
		r.Balanced = r.Balanced && ledger.Check(*r)
	}
	var fresh []ledger.Row
	for key, n := range all {
		if had[key] {
			continue
		}
		r := ledger.Row{
			Workspace: key.Workspace, Source: key.Source, Dropped: map[string]int64{},
			Accepted: n.accepted, Replayed: n.replayed, Waiting: n.accepted + n.replayed,
		}
		r.Balanced = ledger.Check(r)
		fresh = append(fresh, r)
	}
	return ledger.Merge(rows, fresh)
}

// keyOf returns the key of a row.
func keyOf(r ledger.Row) ledger.Key {
	return ledger.Key{Workspace: r.Workspace, Source: r.Source, Destination: r.Destination}
}
