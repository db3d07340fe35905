package view

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/ledger"
	"weir/dataplane/parked"
	"weir/dataplane/view/endpoint"
	"weir/shared/fault"
	"weir/shared/id"
)

// Sizes of a page of dead letters.
const (
	pageItems  = 100
	maxItems   = 1000
	countItems = 200     // read at once to count them
	maxBytes   = 4 << 20 // of the events of a page, about
)

// item is a dead letter as it is shown. Detail and Event may hold content: they
// go from this plane to the holder of the capability and nowhere else.
type item struct {
	Place       string          `json:"place"` // partition/record/item
	Destination string          `json:"destination"`
	Source      string          `json:"source"`
	MessageID   id.Event        `json:"messageId"`
	Code        string          `json:"code"`
	Status      int             `json:"status"`
	Detail      string          `json:"detail"`
	At          time.Time       `json:"at"`
	Event       json.RawMessage `json:"event"`
}

// cursor is where a page begins: after that place.
type cursor struct {
	Key       string `json:"d"` // the destination or source whose events are listed
	Partition int    `json:"p"`
	Seq       uint64 `json:"s"`
	Item      uint32 `json:"i"`
}

func (c cursor) String() string {
	b, _ := json.Marshal(c) // of numbers and an identifier
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseCursor(text string) (c cursor, err error) {
	if text == "" {
		return cursor{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(b, &c) != nil || c.Partition < 0 {
		return cursor{}, fault.New(fault.Invalid, "The cursor is not one that this plane gave out.")
	}
	return c, nil
}

// destinations returns those with an entry of a kind that a call may see, sorted;
// only one when only is not "".
func (v *View) destinations(c *endpoint.Call, only id.Destination, kind func(ledger.Row) bool) []id.Destination {
	var all []id.Destination
	for _, b := range v.entries(c) {
		if b.Destination != "" && kind(b) && (only == "" || b.Destination == only) {
			all = append(all, b.Destination)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func dead(b ledger.Row) bool { return b.Dead > 0 }

// destinationOf is the destination that a call names, "" for none. It may be
// gone: then it is known by its identifier, and the ledger says what is left.
func (v *View) destinationOf(c *endpoint.Call) (id.Destination, error) {
	named := c.URL.Query().Get("destination")
	if named == "" {
		return "", nil
	}
	d, err := v.destination(c, named)
	if fault.KindOf(err) == fault.Missing {
		return id.Destination(named), nil
	}
	return d, err
}

// pageOf reads which page a call asks for.
func pageOf(c *endpoint.Call) (limit int, from cursor, err error) {
	q := c.URL.Query()
	limit = pageItems
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return 0, cursor{}, fault.New(fault.Invalid, "The limit is a number from 1.")
		}
		limit = min(n, maxItems)
	}
	from, err = parseCursor(q.Get("cursor"))
	return limit, from, err
}

func (v *View) list(c *endpoint.Call) (any, error) {
	limit, from, err := pageOf(c)
	if err != nil {
		return nil, err
	}
	only, err := v.destinationOf(c)
	if err != nil {
		return nil, err
	}
	f := parked.Filter{Workspace: c.Grant.Workspace, Code: c.URL.Query().Get("code")}
	if named := c.URL.Query().Get("source"); named != "" {
		if f.Source, err = v.sourceNamed(c, named); err != nil {
			return nil, err
		}
	}
	items, next, err := v.page(c, from, limit, only, f)
	if err != nil {
		return nil, err
	}
	return map[string]any{"items": items, "next": next}, nil
}

// page returns up to limit dead letters of f after from, of one destination or with "" of
// all, and the cursor of the next page, "" when this is the last.
func (v *View) page(c *endpoint.Call, from cursor, limit int, only id.Destination, f parked.Filter) ([]item, string, error) {
	items, size := []item{}, 0
	for _, d := range v.destinations(c, only, dead) {
		for p := range v.cfg.Dead {
			if string(d) < from.Key || string(d) == from.Key && p < from.Partition {
				continue
			}
			after := delivery.Place{}
			if string(d) == from.Key && p == from.Partition {
				after = delivery.Place{Seq: from.Seq, Item: from.Item}
			}
			store, err := v.cfg.Dead[p]()
			if err != nil {
				return nil, "", err
			}
			f.Destination = d
			letters, err := store.List(c.Context(), f, after, limit-len(items)+1)
			if err != nil {
				return nil, "", fmt.Errorf("list dead letters of partition %d: %w", p, err)
			}
			for _, l := range letters {
				if len(items) == limit || size >= maxBytes {
					return items, from.String(), nil
				}
				from = cursor{Key: string(d), Partition: p, Seq: l.Seq, Item: l.Item}
				if e := l.Delivery.Event; e.Workspace == c.Grant.Workspace && c.CoversSource(e.Source) {
					items, size = append(items, v.item(p, l)), size+len(e.JSON)
				}
			}
		}
	}
	return items, "", nil
}

func (v *View) item(p int, l parked.DeadLetter) item {
	e := l.Delivery.Event
	return item{
		Place: fmt.Sprintf("%d/%d/%d", p, l.Seq, l.Item), Destination: v.destinationName(e.Workspace, l.Delivery.Destination),
		Source: v.sourceName(e.Workspace, e.Source), MessageID: e.MessageID, Code: l.Code, Status: l.Status, Detail: l.Detail, At: l.At.UTC(), Event: shown(e.JSON),
	}
}
