package view

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/dataplane/view/endpoint"
	"weir/shared/id"
)

// maxLists is how often one page asks a Lister: of a log that holds much else, a
// page shows little or nothing and says where to go on.
const maxLists = 32

// Listed is an event that waits in a log of this plane: parked before its
// destination, or quarantined. Event is as it would be sent, or as it broke the
// rule; Destination is empty when it concerns none.
type Listed struct {
	delivery.Place
	Destination id.Destination
	Code        string
	At          time.Time   // when it began to wait, else when it was received
	Event       event.Event // its Detail is shown too
}

// ListFilter chooses events of a workspace: parked ones by Destination, quarantined
// ones by Source; the other is empty.
type ListFilter struct {
	Workspace   id.Workspace
	Source      id.Source
	Destination id.Destination
}

// Lister is the parked or the quarantined events of one partition.
type Lister interface {
	// List returns the events of f after a place, oldest first, up to so many of
	// them and about so many bytes of their JSON, and where to go on, the zero
	// Place when there is no more. It reads a bounded part of its log, so it may
	// return fewer, or none, before the end. fault.Unavailable: not now.
	List(ctx context.Context, f ListFilter, after delivery.Place, events, bytes int) (listed []Listed, next delivery.Place, err error)
}

// listItem is a Listed as it is shown.
type listItem struct {
	Place       string          `json:"place"` // partition/record/item
	Source      string          `json:"source"`
	Destination string          `json:"destination"`
	MessageID   id.Event        `json:"messageId"`
	Code        string          `json:"code"`
	Detail      string          `json:"detail"`
	At          time.Time       `json:"at"`
	Event       json.RawMessage `json:"event"`
}

func (v *View) parked(c *endpoint.Call) (any, error) {
	if err := endpoint.Offers(len(v.cfg.Parked) > 0, "parked events"); err != nil {
		return nil, err
	}
	only, err := v.destinationOf(c)
	if err != nil {
		return nil, err
	}
	from := id.Source("") // "" is whichever
	if named := c.URL.Query().Get("source"); named != "" {
		if from, err = v.sourceNamed(c, named); err != nil {
			return nil, err
		}
	}
	var filters []ListFilter
	for _, d := range v.destinations(c, only, func(b ledger.Row) bool { return b.Parked > 0 }) {
		filters = append(filters, ListFilter{Workspace: c.Grant.Workspace, Destination: d})
	}
	return v.listAll(c, v.cfg.Parked, filters, func(e Listed) bool { return from == "" || e.Event.Source == from })
}

func (v *View) quarantine(c *endpoint.Call) (any, error) {
	if err := endpoint.Offers(len(v.cfg.Quarantine) > 0, "quarantined events"); err != nil {
		return nil, err
	}
	only := id.Source("")
	if named := c.URL.Query().Get("source"); named != "" {
		var err error
		if only, err = v.source(c, named); err != nil {
			return nil, err
		}
	}
	to, err := v.destinationOf(c)
	if err != nil {
		return nil, err
	}
	var filters []ListFilter
	for _, s := range v.quarantined(c, only) {
		filters = append(filters, ListFilter{Workspace: c.Grant.Workspace, Source: s})
	}
	return v.listAll(c, v.cfg.Quarantine, filters, func(e Listed) bool { return to == "" || e.Destination == to })
}

// listAll makes a page of what logs have for the filters and is wanted, in their order.
func (v *View) listAll(c *endpoint.Call, logs []Lister, filters []ListFilter, wanted func(Listed) bool) (any, error) {
	limit, from, err := pageOf(c)
	if err != nil {
		return nil, err
	}
	items, size, lists := []listItem{}, 0, 0
	for _, f := range filters {
		key := string(f.Source) + string(f.Destination) // one of the two is empty
		for p := range logs {
			if key < from.Key || key == from.Key && p < from.Partition {
				continue
			}
			if key != from.Key || p != from.Partition {
				from = cursor{Key: key, Partition: p}
			}
			for {
				if len(items) == limit || size >= maxBytes || lists == maxLists {
					return map[string]any{"items": items, "next": from.String()}, nil
				}
				lists++
				found, next, err := logs[p].List(c.Context(), f, delivery.Place{Seq: from.Seq, Item: from.Item}, limit-len(items), maxBytes-size)
				if err != nil {
					return nil, fmt.Errorf("list events of partition %d: %w", p, err)
				}
				for _, e := range found {
					if size += len(e.Event.JSON); covers(c, e) && wanted(e) {
						items = append(items, v.listItem(p, e))
					}
				}
				if next == (delivery.Place{}) {
					break
				}
				from.Seq, from.Item = next.Seq, next.Item
			}
		}
	}
	return map[string]any{"items": items, "next": ""}, nil
}

// covers reports whether a call may see e. What concerns no destination is not
// one of some.
func covers(c *endpoint.Call, e Listed) bool {
	return e.Event.Workspace == c.Grant.Workspace && c.CoversSource(e.Event.Source) && c.CoversDestination(e.Destination)
}

func (v *View) listItem(p int, e Listed) listItem {
	ws := e.Event.Workspace
	i := listItem{
		Place: fmt.Sprintf("%d/%d/%d", p, e.Seq, e.Item), Source: v.sourceName(ws, e.Event.Source), MessageID: e.Event.MessageID,
		Code: e.Code, Detail: e.Event.Detail, At: e.At.UTC(), Event: shown(e.Event.JSON),
	}
	if e.Destination != "" {
		i.Destination = v.destinationName(ws, e.Destination)
	}
	return i
}

// quarantined returns the sources that a call may see and that had quarantined
// events, sorted; only one when only is not "".
func (v *View) quarantined(c *endpoint.Call, only id.Source) []id.Source {
	var sources []id.Source
	for _, b := range v.entries(c) {
		if b.Quarantined > 0 && (only == "" || b.Source == only) {
			sources = append(sources, b.Source)
		}
	}
	slices.Sort(sources)
	return slices.Compact(sources)
}
