package pipeline

// mistake is one that a test plants, to prove that the simulation would find it.
// Nothing but tests can: Config.planted has no setter outside of them. Those of
// the journal are journal.Mistake.
type mistake uint8

// The mistakes are those that a change could bring in at the places where the
// order of two steps keeps a promise.
const (
	none               mistake = iota
	purgeOpenFrames            // EVENTS is purged up to what was read, not to what was settled
	dedupeWithoutFrame         // a key does not know which frame it came with
	skipMissed                 // what was parked and not journaled stays unknown
	resumeNothing              // what was open at the former owner's end is forgotten
	forgetDrained              // parked deliveries that were settled are sent again
	offerBeforeFan             // outputs of code are sent before the journal knows how many there are
	bookQuarantineOnly         // what code refused is counted and not kept
)

// closed is a channel that waits for nothing.
func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}
