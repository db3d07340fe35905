package view

import (
	"fmt"
	"time"

	"weir/dataplane/moves"
	"weir/dataplane/parked"
	"weir/dataplane/view/endpoint"
	"weir/shared/fault"
	"weir/shared/id"
)

// selection is which events a job moves, and how.
type selection struct {
	Source      string   `json:"source"`
	Destination string   `json:"destination"`
	Places      []string `json:"places"`
	Code        string   `json:"code"`
	All         bool     `json:"all"`
	Rate        int      `json:"rate"`
	Retransform bool     `json:"retransform"` // only of redrive
	Preview     bool     `json:"preview"`     // only count them; only of dead letters
}

// shownJob is a job as it is shown. It holds nothing of events.
type shownJob struct {
	ID          string      `json:"id"`
	Kind        moves.Kind  `json:"kind"`
	State       moves.State `json:"state"`
	Reason      string      `json:"reason"`
	Source      string      `json:"source"`
	Destination string      `json:"destination"`
	Code        string      `json:"code"`
	Rate        int         `json:"rate"`
	Moved       int         `json:"moved"`
	Total       *int        `json:"total"`
	Created     time.Time   `json:"created"`
	Ended       *time.Time  `json:"ended"`
}

func (v *View) shownJob(ws id.Workspace, j moves.Job) shownJob {
	s := shownJob{ID: j.ID, Kind: j.Kind, State: j.State, Reason: j.Reason, Code: j.Code, Rate: j.Rate, Moved: j.Moved, Created: j.Created}
	if j.Source != "" {
		s.Source = v.sourceName(ws, j.Source)
	}
	if j.Destination != "" {
		s.Destination = v.destinationName(ws, j.Destination)
	}
	if j.Total >= 0 {
		s.Total = &j.Total
	}
	s.Ended = moment(j.Ended)
	return s
}

func (v *View) redrive(c *endpoint.Call) (any, error) { return v.moveDead(c, moves.Redrive) }
func (v *View) discard(c *endpoint.Call) (any, error) { return v.moveDead(c, moves.Discard) }

// moveDead begins a job about dead letters, or counts them.
func (v *View) moveDead(c *endpoint.Call, kind moves.Kind) (any, error) {
	s, err := v.selection(c)
	switch {
	case err != nil:
		return nil, err
	case s.Retransform && kind != moves.Redrive:
		return nil, fault.New(fault.Invalid, "What is discarded is not retransformed.")
	}
	if s.Retransform {
		kind = moves.Retransform
	}
	choice := moves.Choice{Kind: kind, Code: s.Code, Places: s.Places, Rate: s.Rate}
	if s.Source == "" {
		err = c.Whole()
	} else {
		choice.Source, err = v.sourceNamed(c, s.Source)
	}
	if err != nil {
		return nil, err
	}
	if choice.Destination, err = v.destinationNamed(c, s.Destination); err != nil {
		return nil, err
	}
	if s.Preview {
		return v.count(c, choice)
	}
	return v.begin(c, choice)
}

func (v *View) replay(c *endpoint.Call) (any, error) { return v.moveQuarantined(c, moves.Replay) }

func (v *View) discardQuarantined(c *endpoint.Call) (any, error) {
	return v.moveQuarantined(c, moves.DiscardQuarantined)
}

// moveQuarantined begins a job about quarantined events.
func (v *View) moveQuarantined(c *endpoint.Call, kind moves.Kind) (any, error) {
	s, err := v.selection(c)
	if err != nil {
		return nil, err
	}
	if s.Retransform || s.Preview {
		return nil, fault.New(fault.Invalid, "Only dead letters are retransformed or counted before.")
	}
	choice := moves.Choice{Kind: kind, Code: s.Code, Places: s.Places, Rate: s.Rate}
	if choice.Destination, err = v.destinationNamed(c, s.Destination); err != nil {
		return nil, err
	}
	switch {
	case s.Source != "":
		choice.Source, err = v.sourceNamed(c, s.Source)
	case len(c.Grant.Sources) == 1:
		choice.Source = c.Grant.Sources[0]
	case len(c.Grant.Sources) > 1:
		err = fault.New(fault.Denied, "This capability covers some sources only; name one of them.")
	}
	if err != nil {
		return nil, err
	}
	return v.begin(c, choice)
}

// selection reads which events a call is about.
func (v *View) selection(c *endpoint.Call) (s selection, err error) {
	if err := endpoint.Offers(v.cfg.Jobs != nil, "jobs"); err != nil {
		return s, err
	}
	if err := c.Decode(&s, endpoint.MaxBody); err != nil {
		return s, err
	}
	if !s.All && s.Code == "" && len(s.Places) == 0 && s.Source == "" && s.Destination == "" {
		return s, fault.New(fault.Invalid, "Say which events: a destination, a source, places, a code, or all.")
	}
	return s, nil
}

// destinationNamed is the destination that a call names, "" for all of them. It may be
// gone: then it is known by its identifier.
func (v *View) destinationNamed(c *endpoint.Call, named string) (id.Destination, error) {
	if named == "" {
		if len(c.Grant.Destinations) > 0 {
			return "", fault.New(fault.Denied, "This capability covers some destinations only; name one of them.")
		}
		return "", nil
	}
	d, err := v.destination(c, named)
	if err != nil && fault.KindOf(err) == fault.Missing {
		return id.Destination(named), nil
	}
	return d, err
}

// sourceNamed is the source that a call names. It may be gone: then it is known by its identifier.
func (v *View) sourceNamed(c *endpoint.Call, named string) (id.Source, error) {
	s, err := v.source(c, named)
	if err != nil && fault.KindOf(err) == fault.Missing {
		return id.Source(named), nil
	}
	return s, err
}

// count says how many dead letters are chosen.
func (v *View) count(c *endpoint.Call, choice moves.Choice) (any, error) {
	places, err := moves.Places(choice.Places, len(v.cfg.Dead))
	if err != nil {
		return nil, err
	}
	total := 0
	for _, d := range v.destinations(c, choice.Destination, dead) {
		for p := range v.cfg.Dead {
			if len(choice.Places) > 0 && len(places[p]) == 0 {
				continue
			}
			store, err := v.cfg.Dead[p]()
			if err != nil {
				return nil, err
			}
			n, err := store.Count(c.Context(), parked.Filter{Workspace: c.Grant.Workspace, Destination: d, Source: choice.Source, Code: choice.Code, Places: places[p]})
			if err != nil {
				return nil, fmt.Errorf("dead letters of partition %d: %w", p, err)
			}
			total += n
		}
	}
	return map[string]int{"chosen": total}, nil
}

// begin begins a job and answers it.
func (v *View) begin(c *endpoint.Call, choice moves.Choice) (any, error) {
	j, err := v.cfg.Jobs.Create(c.Context(), c.Grant.Workspace, choice)
	if err != nil {
		return nil, err
	}
	return v.shownJob(c.Grant.Workspace, j), nil
}

// sees reports whether a call may see a job: one about more than a grant of some
// objects covers it may not.
func sees(c *endpoint.Call, j moves.Job) bool {
	return (len(c.Grant.Sources) == 0 || j.Source != "" && c.CoversSource(j.Source)) &&
		(len(c.Grant.Destinations) == 0 || j.Destination != "" && c.CoversDestination(j.Destination))
}

func (v *View) jobs(c *endpoint.Call) (any, error) {
	if err := endpoint.Offers(v.cfg.Jobs != nil, "jobs"); err != nil {
		return nil, err
	}
	all, err := v.cfg.Jobs.Jobs(c.Grant.Workspace)
	if err != nil {
		return nil, err
	}
	shown := []shownJob{}
	for _, j := range all {
		if sees(c, j) {
			shown = append(shown, v.shownJob(c.Grant.Workspace, j))
		}
	}
	return map[string]any{"jobs": shown}, nil
}

// seen is the job that a call names.
func (v *View) seen(c *endpoint.Call) (moves.Job, error) {
	if err := endpoint.Offers(v.cfg.Jobs != nil, "jobs"); err != nil {
		return moves.Job{}, err
	}
	j, err := v.cfg.Jobs.Job(c.Grant.Workspace, c.PathValue("job"))
	if err == nil && !sees(c, j) {
		err = fault.New(fault.Denied, "This capability does not cover what the job is about.")
	}
	return j, err
}

func (v *View) job(c *endpoint.Call) (any, error) {
	j, err := v.seen(c)
	if err != nil {
		return nil, err
	}
	return v.shownJob(c.Grant.Workspace, j), nil
}

func (v *View) stop(c *endpoint.Call) (any, error) {
	j, err := v.seen(c)
	if err != nil {
		return nil, err
	}
	if j, err = v.cfg.Jobs.Stop(c.Context(), c.Grant.Workspace, j.ID); err != nil {
		return nil, err
	}
	return v.shownJob(c.Grant.Workspace, j), nil
}
