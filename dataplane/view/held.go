package view

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/dataplane/view/endpoint"
	"weir/shared/id"
)

// maxLists is how often one page asks a shelf: of a log that holds much else, a
// page shows little or nothing and says where to go on.
const maxLists = 32

// Held is an event that waits in a log of this plane: parked before its
// destination, or quarantined. Event is as it would be sent, or as it broke the
// rule; Destination is empty when it concerns none.
type Held struct {
	delivery.Place
	Destination id.Destination
	Code        string
	At          time.Time   // when it began to wait, else when it was received
	Event       event.Event // its Detail is shown too
}

// HeldFilter chooses held events of a workspace. Parked ones are asked for by
// Destination, quarantined ones by Source; the other is empty.
type HeldFilter struct {
	Workspace   id.Workspace
	Source      id.Source
	Destination id.Destination
}

// Shelf is the parked or the quarantined events of one partition.
type Shelf interface {
	// List returns the events of f after a place, oldest first, up to so many of
	// them and about so many bytes of their JSON, and where to go on, the zero
	// Place when there is no more. It reads a bounded part of its log, so it may
	// return fewer, or none, before the end. fault.Unavailable: not now.
	List(ctx context.Context, f HeldFilter, after delivery.Place, events, bytes int) (held []Held, next delivery.Place, err error)
}

// heldItem is a Held as it is shown.
type heldItem struct {
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
	if err := offers(len(v.cfg.Parked) > 0, "parked events"); err != nil {
		return nil, err
	}
	only, err := v.destinationOf(c)
	if err != nil {
		return nil, err
	}
	var filters []HeldFilter
	for _, d := range v.destinations(c, only, func(b ledger.Row) bool { return b.Parked > 0 }) {
		filters = append(filters, HeldFilter{Workspace: c.Grant.Workspace, Destination: d})
	}
	return v.held(c, v.cfg.Parked, filters)
}

func (v *View) quarantine(c *endpoint.Call) (any, error) {
	if err := offers(len(v.cfg.Quarantine) > 0, "quarantined events"); err != nil {
		return nil, err
	}
	only := id.Source("")
	if named := c.URL.Query().Get("source"); named != "" {
		var err error
		if only, err = v.source(c, named); err != nil {
			return nil, err
		}
	}
	var filters []HeldFilter
	for _, s := range v.quarantined(c, only) {
		filters = append(filters, HeldFilter{Workspace: c.Grant.Workspace, Source: s})
	}
	return v.held(c, v.cfg.Quarantine, filters)
}

// held makes a page of what the shelves hold for the filters, in their order.
func (v *View) held(c *endpoint.Call, shelves []Shelf, filters []HeldFilter) (any, error) {
	limit, from, err := pageOf(c)
	if err != nil {
		return nil, err
	}
	items, size, lists := []heldItem{}, 0, 0
	for _, f := range filters {
		key := string(f.Source) + string(f.Destination) // one of the two is empty
		for p := range shelves {
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
				found, next, err := shelves[p].List(c.Context(), f, delivery.Place{Seq: from.Seq, Item: from.Item}, limit-len(items), maxBytes-size)
				if err != nil {
					return nil, fmt.Errorf("list events of partition %d: %w", p, err)
				}
				for _, h := range found {
					if size += len(h.Event.JSON); covers(c, h) {
						items = append(items, v.heldItem(p, h))
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

// covers reports whether a call may see h. What concerns no destination is not
// one of some.
func covers(c *endpoint.Call, h Held) bool {
	return h.Event.Workspace == c.Grant.Workspace && c.CoversSource(h.Event.Source) && c.CoversDestination(h.Destination)
}

func (v *View) heldItem(p int, h Held) heldItem {
	ws := h.Event.Workspace
	i := heldItem{
		Place: fmt.Sprintf("%d/%d/%d", p, h.Seq, h.Item), Source: v.sourceName(ws, h.Event.Source), MessageID: h.Event.MessageID,
		Code: h.Code, Detail: h.Event.Detail, At: h.At.UTC(), Event: shown(h.Event.JSON),
	}
	if h.Destination != "" {
		i.Destination = v.destinationName(ws, h.Destination)
	}
	return i
}
