package view

import (
	"context"
	"fmt"
	"slices"

	"weir/dataplane/quarantine"
	"weir/dataplane/view/endpoint"
	"weir/shared/fault"
	"weir/shared/id"
)

// moveMost is how many quarantined events one call moves, about.
const moveMost = 1000

// Quarantine is the quarantined events of one partition. Replay and Discard do a
// bounded part of span and return how many events left and the rest of it, the
// zero Span when nothing of it is left. fault.Unavailable: not now.
// fault.Conflict: another such call is at work.
type Quarantine interface {
	Lister
	Replay(ctx context.Context, f quarantine.Filter, span quarantine.Span) (replayed int, rest quarantine.Span, err error)
	Discard(ctx context.Context, f quarantine.Filter, span quarantine.Span) (discarded int, rest quarantine.Span, err error)
}

// quarantineSelection is which quarantined events a call is about.
type quarantineSelection struct {
	Source      string   `json:"source"`
	Destination string   `json:"destination"`
	Places      []string `json:"places"`
	Code        string   `json:"code"`
	All         bool     `json:"all"`
	Cursor      string   `json:"cursor"`
}

func (v *View) replay(c *endpoint.Call) (any, error) {
	n, next, err := v.move(c, Quarantine.Replay)
	return map[string]any{"replayed": n, "next": next}, err
}

func (v *View) discardQuarantined(c *endpoint.Call) (any, error) {
	n, next, err := v.move(c, Quarantine.Discard)
	return map[string]any{"discarded": n, "next": next}, err
}

// moving is Replay or Discard of a Quarantine.
type moving func(q Quarantine, ctx context.Context, f quarantine.Filter, span quarantine.Span) (int, quarantine.Span, error)

// move does something with a part of the chosen quarantined events, and returns
// how many that was and the cursor of the next part, "" after the last.
func (v *View) move(c *endpoint.Call, do moving) (total int, next string, err error) {
	if err := offers(len(v.cfg.Quarantine) > 0, "quarantined events"); err != nil {
		return 0, "", err
	}
	var s quarantineSelection
	if err := c.Decode(&s, endpoint.MaxBody); err != nil {
		return 0, "", err
	}
	if !s.All && s.Code == "" && len(s.Places) == 0 && s.Source == "" && s.Destination == "" {
		return 0, "", fault.New(fault.Invalid, "Say which quarantined events: a source, a destination, places, a code, or all.")
	}
	from, err := parseCursor(s.Cursor)
	if err != nil {
		return 0, "", err
	}
	places, err := readPlaces(s.Places, len(v.cfg.Quarantine))
	if err != nil {
		return 0, "", err
	}
	choice, sources, err := v.chosen(c, s)
	if err != nil {
		return 0, "", err
	}
	for _, source := range sources {
		choice.Source = source
		for p := range v.cfg.Quarantine {
			if string(source) < from.Key || string(source) == from.Key && p < from.Partition || len(s.Places) > 0 && len(places[p]) == 0 {
				continue
			}
			if total >= moveMost {
				return total, cursor{Key: string(source), Partition: p}.String(), nil
			}
			span := quarantine.Span{}
			if string(source) == from.Key && p == from.Partition {
				span = quarantine.Span{After: from.Seq, Until: from.Until}
			}
			choice.Places = places[p]
			n, rest, err := do(v.cfg.Quarantine[p], c.Context(), choice, span)
			if total += n; err != nil {
				return total, "", fmt.Errorf("quarantined events of partition %d: %w", p, err)
			}
			if rest != (quarantine.Span{}) {
				return total, cursor{Key: string(source), Partition: p, Seq: rest.After, Until: rest.Until}.String(), nil
			}
		}
	}
	return total, "", nil
}

// chosen is what a call may move of a selection, and of which sources, sorted.
func (v *View) chosen(c *endpoint.Call, s quarantineSelection) (choice quarantine.Filter, sources []id.Source, err error) {
	choice = quarantine.Filter{Workspace: c.Grant.Workspace, Code: s.Code}
	switch {
	case s.Destination != "":
		choice.Destination, err = v.destination(c, s.Destination)
		if fault.KindOf(err) == fault.Missing { // it may be gone: then it is known by its identifier
			choice.Destination, err = id.Destination(s.Destination), nil
		}
	case len(c.Grant.Destinations) > 0:
		err = fault.New(fault.Denied, "This capability covers some destinations only; name one of them.")
	}
	if err != nil {
		return choice, nil, err
	}
	only := id.Source("")
	if s.Source != "" {
		only, err = v.source(c, s.Source)
		if fault.KindOf(err) == fault.Missing {
			only, err = id.Source(s.Source), nil
		}
		if err != nil {
			return choice, nil, err
		}
	}
	return choice, v.quarantined(c, only), nil
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
