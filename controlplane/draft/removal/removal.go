// Package removal asks the plane what waits for destinations that a commit removes. It
// waits a moment for what is under way, and a plane that does not answer is a problem.
package removal

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/controlplane/store"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/wire"
	"weir/shared/workspace"
)

// Gone lists the destinations of former that next has no more.
func Gone(former, next workspace.Config) []workspace.Destination {
	var gone []workspace.Destination
	for _, f := range former.Destinations {
		if !slices.ContainsFunc(next.Destinations, func(d workspace.Destination) bool { return d.ID == f.ID }) {
			gone = append(gone, f)
		}
	}
	return gone
}

// What is under way to a destination is delivered or parked in a moment: a removal waits
// that long for it, and asks that often.
const (
	settling    = 5 * time.Second
	askAgain    = 250 * time.Millisecond
	discardWays = "give it up with discardParked (weir apply --discard-parked), or keep the destination"
)

// Counts asks a plane for its counts of now. fault.Unavailable: it does not answer.
type Counts func(ctx context.Context, p id.Plane) ([]wire.Count, error)

// Settled has a problem for each destination for which deliveries wait, and for a plane
// that does not say whether some do. What is under way is waited for, for a few seconds.
func (counts Counts) Settled(ctx context.Context, ws store.Workspace, destinations []workspace.Destination) ([]fault.Problem, error) {
	for until := time.Now().Add(settling); ; {
		lost, parked, err := counts.Waiting(ctx, ws, destinations)
		if err != nil || len(lost) == 0 || len(parked) > 0 || time.Now().After(until) {
			return lost, err
		}
		select {
		case <-ctx.Done():
			return lost, nil
		case <-time.After(askAgain):
		}
	}
}

// Waiting asks the plane what would be lost with destinations, a problem for each of
// them. parked are those problems that do not pass by waiting a moment: something is
// parked, or the plane does not answer.
func (counts Counts) Waiting(ctx context.Context, ws store.Workspace, destinations []workspace.Destination) (lost, parked []fault.Problem, err error) {
	if len(destinations) == 0 {
		return nil, nil, nil
	}
	now, err := counts(ctx, ws.Plane)
	if err != nil && fault.KindOf(err) == fault.Unavailable && ctx.Err() == nil {
		away := []fault.Problem{{Path: "destinations", Code: "plane_away",
			Text: fmt.Sprintf("What waits for %s cannot be asked: %v Try again when the plane is reached, or %s.", names(destinations), err, discardWays)}}
		return away, away, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("ask plane %s what waits: %w", ws.Plane, err)
	}
	type sum struct{ parked, staged, inFlight uint64 }
	of := map[id.Destination]sum{}
	for _, c := range now {
		if c.Workspace == ws.ID {
			n := of[c.Destination]
			of[c.Destination] = sum{n.parked + c.Parked, n.staged + c.Staged, n.inFlight + c.InFlight}
		}
	}
	for _, d := range destinations {
		n := of[d.ID]
		var what []string
		say := func(n uint64, format string) {
			if n > 0 {
				what = append(what, fmt.Sprintf(format, n))
			}
		}
		say(n.parked, "%d parked deliveries")
		say(n.staged, "%d events that are not loaded yet")
		say(n.inFlight, "%d deliveries under way")
		if len(what) == 0 {
			continue
		}
		problem := fault.Problem{Path: "destinations", Code: "parked_deliveries",
			Text: fmt.Sprintf("The destination %s has %s, which would be lost; remove its connections first and wait until nothing is left, or %s.", d.Name, strings.Join(what, " and "), discardWays)}
		lost = append(lost, problem)
		if n.parked > 0 {
			parked = append(parked, problem)
		}
	}
	return lost, parked, nil
}

func names(destinations []workspace.Destination) string {
	var all []string
	for _, d := range destinations {
		all = append(all, d.Name)
	}
	if len(all) == 1 {
		return "the destination " + all[0]
	}
	return "the destinations " + strings.Join(all, ", ")
}
