package endpoint

import (
	"context"
	"slices"
	"time"

	"weir/dataplane/share"
	"weir/shared/fault"
	"weir/shared/id"
)

// Limits of calls that cost much, of one kind.
const (
	atOnce      = 4
	aside       = 4 // further ones, that take long
	mostWaiting = 8 // of one workspace
	longestWait = 10 * time.Second
	mostUse     = 20 * time.Second // of slots in a minute; who uses more is slow
)

// Slots bounds how many calls of a kind that costs much run at once. Workspaces
// share them.
type Slots struct{ shared *share.Slots }

// NewSlots returns slots that nobody holds.
func NewSlots() Slots {
	return Slots{share.New(share.Config{Slots: atOnce, Aside: aside, Waiting: mostWaiting})}
}

// Take waits for a slot and returns what gives it back. fault.Limited: many calls of
// the workspace wait already, or there was none for 10 s.
func (s Slots) Take(c *Call) (func(), error) {
	ctx, cancel := context.WithTimeoutCause(c.Context(), longestWait,
		fault.New(fault.Limited, "This plane runs %d of these at once, and as many are running; try again in a moment.", atOnce))
	defer cancel()
	return s.shared.Acquire(ctx, c.Grant.Workspace)
}

// Slow returns the workspaces whose calls take long while others wait, or keep a slot
// most of the time.
func (s Slots) Slow() []id.Workspace {
	slow := slices.Concat(s.shared.Slow(), s.shared.Busy(mostUse))
	slices.Sort(slow)
	return slices.Compact(slow)
}

// In answers calls with f, each in a slot.
func In(s Slots, f func(*Call) (answer any, err error)) func(*Call) (any, error) {
	return func(c *Call) (any, error) {
		free, err := s.Take(c)
		if err != nil {
			return nil, err
		}
		defer free()
		return f(c)
	}
}
