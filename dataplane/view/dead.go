package view

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/dataplane/parked"
	"weir/dataplane/plan"
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
	Until     uint64 `json:"u,omitempty"` // the last record that is meant, where that was fixed
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
	items, next, err := v.page(c, from, limit, only, c.URL.Query().Get("code"))
	if err != nil {
		return nil, err
	}
	return map[string]any{"items": items, "next": next}, nil
}

// page returns up to limit dead letters after from, and the cursor of the next
// page, "" when this is the last.
func (v *View) page(c *endpoint.Call, from cursor, limit int, only id.Destination, code string) ([]item, string, error) {
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
			letters, err := store.List(c.Context(), parked.Filter{Workspace: c.Grant.Workspace, Destination: d, Code: code}, after, limit-len(items)+1)
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

// selection is which dead letters a call is about.
type selection struct {
	Destination id.Destination `json:"destination"`
	Places      []string       `json:"places"`
	Code        string         `json:"code"`
	All         bool           `json:"all"`
	Retransform bool           `json:"retransform"` // only of redrive
	Preview     bool           `json:"preview"`     // only count them

	// Of the query, which older versions leave alone.
	parts  bool   // answer after partTime, with the cursor of the next part
	cursor string // of an answer; a later part concerns what was dead at the first
}

// partTime is about how long a part of a move takes.
const partTime = 10 * time.Second

// begin returns the bounds of a part; zero times are none.
func (s *selection) begin() (before, until time.Time, err error) {
	if !s.parts || s.Preview {
		return before, until, nil
	}
	before = time.Now()
	until = before.Add(partTime)
	if s.cursor != "" {
		if before, err = time.Parse(time.RFC3339Nano, s.cursor); err != nil {
			err = fault.New(fault.Invalid, "A cursor is what an answer said.")
		}
	}
	s.cursor = before.UTC().Format(time.RFC3339Nano)
	return before, until, err
}

// done is the answer after n dead letters were chosen and, unless that was a
// preview, something was done with them. Next is there when a further part may be.
func (s selection) done(what string, n int, more bool) map[string]any {
	if s.Preview {
		what = "chosen"
	}
	answer := map[string]any{what: n}
	if more {
		answer["next"] = s.cursor
	}
	return answer
}

// move does something with the dead letters of a partition, and says with how many.
type move = func(Dead, context.Context, parked.Filter) (int, error)

func (v *View) redrive(c *endpoint.Call) (any, error) {
	s, n, more, err := v.settle(c, Dead.Redrive, v.retransform)
	return s.done("moved", n, more), err
}

// retransform sends the originals of dead letters through the transformations again.
func (v *View) retransform(d Dead, ctx context.Context, f parked.Filter) (int, error) {
	if err := offers(v.cfg.Replay != nil, "replays"); err != nil {
		return 0, err
	}
	connected := func(e event.Event) bool { return plan.Connected(v.cfg.Plans.Route, &e) }
	return d.Retransform(ctx, f, connected, v.cfg.Replay)
}

func (v *View) discard(c *endpoint.Call) (any, error) {
	s, n, more, err := v.settle(c, Dead.Discard, nil)
	return s.done("discarded", n, more), err
}

// settle does something with the chosen dead letters of every partition, or only
// counts them; original is for those that start from there, nil when none may.
// When a partition fails, those before it are done; the same call again does the
// rest. more: the part's time is over, and a further part may find something.
func (v *View) settle(c *endpoint.Call, do, original move) (s selection, total int, more bool, err error) {
	if err := c.Decode(&s, endpoint.MaxBody); err != nil {
		return s, 0, false, err
	}
	s.parts, s.cursor = c.URL.Query().Get("parts") == "true", c.URL.Query().Get("cursor")
	if !s.All && s.Code == "" && len(s.Places) == 0 && s.Destination == "" {
		return s, 0, false, fault.New(fault.Invalid, "Say which dead letters: a destination, places, a code, or all.")
	}
	if s.Retransform && original == nil {
		return s, 0, false, fault.New(fault.Invalid, "What is discarded is not retransformed.")
	}
	if err := c.Whole(); err != nil {
		return s, 0, false, err
	}
	switch {
	case s.Preview:
		do = count
	case s.Retransform:
		do = original
	}
	if s.Destination != "" {
		if d, err := v.destination(c, string(s.Destination)); err == nil {
			s.Destination = d
		}
	}
	before, until, err := s.begin()
	if err != nil {
		return s, 0, false, err
	}
	places, err := readPlaces(s.Places, len(v.cfg.Dead))
	if err != nil {
		return s, 0, false, err
	}
	for _, d := range v.destinations(c, s.Destination, dead) {
		for p := range v.cfg.Dead {
			if len(s.Places) > 0 && len(places[p]) == 0 {
				continue
			}
			store, err := v.cfg.Dead[p]()
			if err != nil {
				return s, total, false, err
			}
			n, err := do(store, c.Context(), parked.Filter{Workspace: c.Grant.Workspace, Destination: d, Code: s.Code, Places: places[p], Before: before, Until: until})
			if total += n; err != nil {
				return s, total, false, fmt.Errorf("dead letters of partition %d: %w", p, err)
			}
			if !until.IsZero() && time.Now().After(until) {
				return s, total, true, nil
			}
		}
	}
	return s, total, false, nil
}

// count returns how many dead letters of a partition are chosen.
func count(d Dead, ctx context.Context, f parked.Filter) (n int, err error) {
	for after := (delivery.Place{}); ; {
		letters, err := d.List(ctx, f, after, countItems)
		if err != nil || len(letters) == 0 {
			return n, err
		}
		n, after = n+len(letters), letters[len(letters)-1].Place
	}
}

// readPlaces reads places by partition.
func readPlaces(texts []string, partitions int) (map[int][]delivery.Place, error) {
	places := map[int][]delivery.Place{}
	for _, text := range texts {
		parts := strings.Split(text, "/")
		if len(parts) != 3 {
			return nil, badPlace()
		}
		p, err1 := strconv.Atoi(parts[0])
		seq, err2 := strconv.ParseUint(parts[1], 10, 64)
		n, err3 := strconv.ParseUint(parts[2], 10, 32)
		if err1 != nil || err2 != nil || err3 != nil || p < 0 || p >= partitions {
			return nil, badPlace()
		}
		places[p] = append(places[p], delivery.Place{Seq: seq, Item: uint32(n)})
	}
	return places, nil
}

func badPlace() error {
	return fault.New(fault.Invalid, "A place is partition/record/item, as the list of these events names it.")
}
