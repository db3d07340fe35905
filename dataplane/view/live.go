package view

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"weir/dataplane/live"
	"weir/dataplane/view/endpoint"
	"weir/shared/fault"
	"weir/shared/id"
)

// heartbeat is how often a stream without sightings shows that it lives.
const heartbeat = 10 * time.Second

// missedEvery is after how many lines a reader who is behind learns how far.
const missedEvery = 512

// maxChoices is how many values of one parameter a call may give.
const maxChoices = 100

// sighting is a live.Sighting as it is shown.
type sighting struct {
	At          time.Time       `json:"at"`
	Stage       live.Stage      `json:"stage"`
	Source      string          `json:"source"`
	Destination string          `json:"destination"`
	MessageID   id.Event        `json:"messageId"`
	Outcome     live.Outcome    `json:"outcome"`
	Code        string          `json:"code"`
	Event       json.RawMessage `json:"event"`
}

// live streams sightings until the capability ends or the reader goes away.
func (v *View) live(c *endpoint.Call, l *endpoint.Lines) error {
	if err := endpoint.Offers(v.cfg.Live != nil, "live events"); err != nil {
		return err
	}
	filter, err := v.filter(c)
	if err != nil {
		return err
	}
	left := c.Grant.Expires.Sub(v.cfg.Now())
	ctx, cancel := context.WithTimeout(c.Context(), left)
	defer cancel()
	l.EndAt(time.Now().Add(left + time.Second)) // what was under way may arrive
	watch, err := v.cfg.Live.Watch(filter)
	if err != nil {
		return err
	}
	defer watch.Close()
	for ctx.Err() == nil {
		if err := l.Empty(); err != nil {
			return err
		}
		if err := v.pass(ctx, watch, l); err != nil {
			return err
		}
	}
	return nil
}

// pass writes sightings until none came for a heartbeat. Lines are sent when no
// further one waits.
func (v *View) pass(ctx context.Context, watch *live.Watch, l *endpoint.Lines) error {
	for n := 1; ; n++ {
		s, ok := watch.Take()
		if !ok || n%missedEvery == 0 {
			if err := v.missed(watch, l); err != nil {
				return err
			}
		}
		if !ok {
			if err := l.Flush(); err != nil {
				return err
			}
			beat, cancel := context.WithTimeout(ctx, heartbeat)
			var err error
			s, err = watch.Next(beat)
			cancel()
			if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
				return nil // the beat, or the end: the caller's loop knows which
			}
			if err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		if err := l.Line(v.sighting(s)); err != nil {
			return err
		}
	}
}

func (v *View) missed(watch *live.Watch, l *endpoint.Lines) error {
	if n := watch.Missed(); n > 0 {
		return l.Line(map[string]uint64{"missed": n})
	}
	return nil
}

func (v *View) sighting(s live.Sighting) sighting {
	out := sighting{
		At: s.At.UTC(), Stage: s.Stage, Source: v.sourceName(s.Workspace, s.Source), MessageID: s.MessageID,
		Outcome: s.Outcome, Code: s.Code, Event: shown(s.Event),
	}
	if s.Destination != "" {
		out.Destination = v.destinationName(s.Workspace, s.Destination)
	}
	return out
}

// shown is an event as JSON: what is none becomes a string, nothing null.
func shown(event []byte) json.RawMessage {
	switch {
	case len(event) == 0:
		return json.RawMessage("null")
	case json.Valid(event):
		return event
	}
	text, _ := json.Marshal(string(event)) // a string always can
	return text
}

// filter is what a call asks for, within what its grant covers.
func (v *View) filter(c *endpoint.Call) (live.Filter, error) {
	q := c.URL.Query()
	f := live.Filter{Workspace: c.Grant.Workspace}
	for name := range q {
		if len(q[name]) > maxChoices {
			return f, fault.New(fault.Invalid, "There are over %d values of %s.", maxChoices, name)
		}
	}
	for _, named := range q["source"] {
		s, err := v.source(c, named)
		if err != nil {
			return f, err
		}
		f.Sources = append(f.Sources, s)
	}
	for _, named := range q["destination"] {
		d, err := v.destination(c, named)
		if err != nil {
			return f, err
		}
		f.Destinations = append(f.Destinations, d)
	}
	if len(f.Sources) == 0 {
		f.Sources = c.Grant.Sources
	}
	if len(f.Destinations) == 0 {
		f.Destinations = c.Grant.Destinations
	}
	if len(q["search"]) > 1 {
		return f, fault.New(fault.Invalid, "There is one search at a time.")
	}
	f.Search = q.Get("search")
	var err error
	if f.Stages, err = choices(q["stage"], live.Stages(), "stage"); err != nil {
		return f, err
	}
	f.Outcomes, err = choices(q["outcome"], live.Outcomes(), "outcome")
	return f, err
}

func choices[T ~string](given []string, known []T, what string) ([]T, error) {
	var out []T
	for _, g := range given {
		if !slices.Contains(known, T(g)) {
			return nil, fault.New(fault.Invalid, "There is no such %s; there are %v.", what, known)
		}
		out = append(out, T(g))
	}
	return out, nil
}

// source finds a source that a call may see.
//
// fault.Denied: the grant does not cover it, whether it exists or not.
// fault.Missing: there is none of this name.
func (v *View) source(c *endpoint.Call, named string) (id.Source, error) {
	s, ok := id.Source(""), false
	if p := v.cfg.Plans.Plan(c.Grant.Workspace); p != nil {
		s, ok = p.Source(named)
	}
	if len(c.Grant.Sources) > 0 && !(ok && slices.Contains(c.Grant.Sources, s)) {
		return "", fault.New(fault.Denied, "This capability does not cover this source.")
	}
	if !ok {
		return "", fault.New(fault.Missing, "This plane runs no source of this name in the workspace.")
	}
	return s, nil
}

// destination is source for destinations.
func (v *View) destination(c *endpoint.Call, named string) (id.Destination, error) {
	d, ok := id.Destination(""), false
	if p := v.cfg.Plans.Plan(c.Grant.Workspace); p != nil {
		d, ok = p.Destination(named)
	}
	if len(c.Grant.Destinations) > 0 && !(ok && slices.Contains(c.Grant.Destinations, d)) {
		return "", fault.New(fault.Denied, "This capability does not cover this destination.")
	}
	if !ok {
		return "", fault.New(fault.Missing, "This plane runs no destination of this name in the workspace.")
	}
	return d, nil
}
