package backlog

import (
	"sync"
	"time"

	"weir/dataplane/delivery"
)

// Yield makes backlogs give way: while work waits for a processor, it bounds how
// many requests with late deliveries are under way, over the lanes of all
// partitions together, so that what is fresh does not wait for them. The bound
// falls by a third and rises by a tenth (additive increase would take too long
// from little). It bounds requests and not their rate, because those that wait
// for their answer cost nothing; to destinations that are far, leastRate a second
// go in any case.
type Yield struct {
	late func() time.Duration

	mu     sync.Mutex
	bound  float64 // of flying; 0: none
	flying int     // requests with late deliveries
	most   int     // of them, since it looked
	left   float64 // that may go in any case
	filled time.Time
	looked time.Time
}

const (
	lateAfter  = 30 * time.Second
	burst      = 25 * time.Millisecond // how often lanes look at the clock
	yieldLook  = 100 * time.Millisecond
	yieldWait  = time.Millisecond // with more, work waits for a processor
	yieldFall  = 2.0 / 3
	yieldRise  = 1.1
	yieldLeast = 4
	yieldMost  = 4096 // with more, there is no bound
	leastRate  = 500
)

// Late reports whether a parked delivery was received long ago.
func Late(d *delivery.Delivery, now time.Time) bool { return now.Sub(d.Event.ReceivedAt) > lateAfter }

// NewYield takes how late work begins in this process: what one of ten waits
// for a processor, at least, since it was asked last.
func NewYield(late func() time.Duration) *Yield { return &Yield{late: late} }

// Bound is how many requests with late deliveries may be under way; 0: as many
// as destinations bear.
func (y *Yield) Bound() int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return int(y.bound)
}

// May reports whether one more request with late deliveries may begin.
func (y *Yield) May(now time.Time) bool {
	if y == nil {
		return true
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	if now.Sub(y.looked) >= yieldLook {
		y.look()
		y.looked = now
	}
	if y.bound == 0 || float64(y.flying) < y.bound {
		return true
	}
	y.left = min(y.left+leastRate*now.Sub(y.filled).Seconds(), leastRate*burst.Seconds())
	y.filled = now
	return y.left >= 1
}

// Begin counts a request with late deliveries.
func (y *Yield) Begin() {
	if y == nil {
		return
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.bound > 0 && float64(y.flying) >= y.bound {
		y.left = max(0, y.left-1)
	}
	y.flying++
	y.most = max(y.most, y.flying)
}

// End counts that it is over.
func (y *Yield) End() {
	if y == nil {
		return
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	y.flying--
}

// look moves the bound.
func (y *Yield) look() {
	switch {
	case y.late() > yieldWait:
		if y.bound == 0 || float64(y.most) < y.bound {
			y.bound = float64(y.most)
		}
		y.bound = max(y.bound*yieldFall, yieldLeast)
	case y.bound > 0:
		if y.bound *= yieldRise; y.bound > yieldMost {
			y.bound = 0
		}
	}
	y.most = y.flying
}
