package journal

// Mistake is one that a test plants, to prove that the simulation would find it.
type Mistake uint8

// The mistakes are those that a change could bring in at the places where the
// order of two steps keeps a promise.
const (
	_                     Mistake = iota
	ForgetOpenings                // a checkpoint does not know what is open
	LostAnswerIsYes               // a record without an answer counts as written
	WriteOverSuccessor            // an owner goes on behind the records of the next one
	TakeoverWithoutKeys           // keys that a former owner wrote meanwhile are not remembered
	ParkedIsDelivered             // a parked delivery is counted as a delivered one
	CheckpointWithoutDone         // a checkpoint keeps how far PARKED is drained, not what beyond that is settled
)
