package pull

import (
	"context"
	"slices"
	"time"

	"weir/dataplane/pull/lag"
	"weir/shared/fault"
	"weir/shared/id"
)

// Status is a stream with its state.
type Status struct {
	Target *Target
	Stream string
	State
}

// Statuses lists the streams of a workspace that are pulled, by source and then in the
// order of the kind. fault.Unavailable: the states are not known yet.
func (b *Board) Statuses(ws id.Workspace) ([]Status, error) {
	targets := b.cfg.Targets()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.known {
		return nil, fault.New(fault.Unavailable, "The plane has not read its states of pulls yet.")
	}
	var all []Status
	for _, t := range targets {
		for _, s := range t.Streams {
			if t.Workspace == ws {
				all = append(all, Status{t, s.Name, b.states[Key{ws, t.ID, s.Name}].State})
			}
		}
	}
	slices.SortStableFunc(all, func(x, y Status) int { return compare(x.Target.Name, y.Target.Name) })
	return all, nil
}

func compare(x, y string) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// Failing lists the sources of which a stream is held up, with a code of each.
func (b *Board) Failing() map[Key]string {
	if b == nil { // the plane begins
		return nil
	}
	targets := b.cfg.Targets()
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[Key]string{}
	for _, t := range targets {
		for _, s := range t.Streams {
			k := Key{t.Workspace, t.ID, s.Name}
			if x := b.states[k]; x.Code != "" && x.Code != CodeNoStream && !t.Disabled && !x.Paused {
				all[k] = x.Code
			}
		}
	}
	return all
}

// Behind lists the streams of changes that are far behind their sources, or whose source
// has given changes up, with a code of each.
func (b *Board) Behind() map[Key]string {
	if b == nil { // the plane begins
		return nil
	}
	now := b.cfg.Deps.Now()
	all := map[Key]string{}
	for _, t := range b.cfg.Targets() {
		for _, s := range t.Streams {
			if s.Cursor != s.Name || t.Disabled { // streams of changes name themselves
				continue
			}
			k := Key{t.Workspace, t.ID, s.Name}
			x := b.state(k)
			if l, ok := lag.Of(x.Cursor); ok && !x.Paused && l.Code(now) != "" {
				all[k] = l.Code(now)
			}
		}
	}
	return all
}

// Verb is what a person does to a stream.
type Verb string

// The verbs.
const (
	Now      Verb = "run"      // it is due at once
	Pause    Verb = "pause"    // it goes on when it is resumed
	Resume   Verb = "resume"   //
	Reset    Verb = "reset"    // it begins anew, as if it had never been pulled
	Backfill Verb = "backfill" // it begins anew with the rows that changed since a time
)

// Do does something to a stream of a workspace. from is of Backfill. fault.Invalid: there
// is no such verb.
func (b *Board) Do(ctx context.Context, k Key, verb Verb, from time.Time) error {
	var change func(*State)
	switch verb {
	case Now:
		change = func(s *State) { s.Due, s.Failures = time.Time{}, 0 }
	case Pause:
		change = func(s *State) { s.Paused = true }
	case Resume:
		change = func(s *State) { s.Paused, s.Due = false, time.Time{} }
	case Reset, Backfill:
		change = func(s *State) {
			*s = State{Epoch: s.Epoch, Paused: s.Paused, Fields: s.Fields}
			if verb == Backfill {
				s.From = from.UTC().Format(time.RFC3339)
			}
		}
	default:
		return fault.New(fault.Invalid, "A stream is run, paused, resumed, reset or backfilled.")
	}
	return b.change(ctx, k, change)
}
