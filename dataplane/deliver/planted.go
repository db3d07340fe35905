package deliver

// mistake is one that a test plants, to prove that the simulation would find it.
// Nothing but tests can: Config.planted has no setter outside of them.
type mistake uint8

// The mistakes are those that a change could bring in at the places where the
// order of two steps keeps a promise.
const (
	none               mistake = iota
	releaseBeforeDrain         // a user's live deliveries pass the parked ones
	overtakeInBatch            // what comes after a request that failed is sent all the same
	noAnswerIsYes              // a request without an answer counts as delivered
	floorTooFar                // one record too many is said to be drained
	feedEnded                  // what an answer ended while it was parked is sent again
	parkLastFirst              // a user's deliveries are parked in the wrong order
	keepAll                    // no bound of memory counts
)
