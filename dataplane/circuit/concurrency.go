package circuit

import "time"

// concurrency is how many requests of a lane may be under way: what the destination
// is seen to bear, up to what it is allowed. It falls by a third when the
// destination is overloaded, once for all requests that were under way then, and
// rises by one for as many answers as it is wide, while it is used
// (additive increase, multiplicative decrease, as TCP's; RFC 5681).
type concurrency struct {
	wide float64   // 0: not measured, what is allowed
	cut  time.Time // when it fell last
}

// Rates of change.
const (
	concurrencyFall = 2.0 / 3
	concurrencyRise = 1.0
)

// most returns how many may be under way, of allowed; at least one.
func (c *concurrency) most(allowed int) int {
	if c.wide == 0 {
		return max(allowed, 1)
	}
	return max(min(int(c.wide), allowed), 1)
}

// overloaded learns from a request, begun then, that the destination put off.
func (c *concurrency) overloaded(begun, now time.Time, allowed int) {
	if !begun.After(c.cut) {
		return // it was under way when it fell
	}
	if c.wide == 0 {
		c.wide = float64(allowed)
	}
	c.wide, c.cut = max(c.wide*concurrencyFall, 1), now
}

// answered learns from an answer while sending requests were under way.
func (c *concurrency) answered(sending, allowed int) {
	if c.wide == 0 || sending < c.most(allowed) {
		return // what is not used proves nothing
	}
	if c.wide += concurrencyRise / c.wide; c.wide >= float64(allowed) {
		c.wide = 0
	}
}

// reopened begins again with little, after the destination was down.
func (c *concurrency) reopened() { c.wide = 1 }
