package password

import (
	"context"

	"weir/shared/fault"
)

// mostWaiting is how many sign-ins wait for a Gate; more are sent away.
const mostWaiting = 64

// Gate bounds how many passwords are hashed at once, each taking 19 MiB, and how
// many sign-ins wait for that.
type Gate struct {
	busy    chan struct{} // one entry for each password that is hashed now
	waiting chan struct{} // one for each sign-in that wants that or has it
}

// NewGate lets most passwords be hashed at once.
func NewGate(most int) *Gate {
	return &Gate{busy: make(chan struct{}, most), waiting: make(chan struct{}, most+mostWaiting)}
}

// Compare hashes a password when there is room, and waits for room until ctx
// ends, unless too many wait already.
func (h *Gate) Compare(ctx context.Context, hash, password string) (bool, error) {
	if err := h.Enter(ctx); err != nil {
		return false, err
	}
	defer h.Leave()
	return Same(hash, password), nil
}

// Enter waits for room to hash one password; Leave gives it back. fault.Limited: too many
// wait.
func (h *Gate) Enter(ctx context.Context) error {
	busy := fault.New(fault.Limited, "too many sign-ins at this moment; try again")
	select {
	case h.waiting <- struct{}{}:
	default:
		return busy
	}
	select {
	case h.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-h.waiting
		return busy
	}
}

// Leave gives back what Enter took.
func (h *Gate) Leave() { <-h.busy; <-h.waiting }
