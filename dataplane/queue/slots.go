package queue

import (
	"github.com/zeebo/xxh3"

	"weir/shared/fault"
)

// slotCount is how many slots users are hashed to, for ever: a user's slot
// never changes, only the partition that a slot belongs to.
const slotCount = 256

// MaxPartitions is the most partitions a plane can have: one for each slot.
const MaxPartitions = slotCount

// Slot returns the fixed slot of a user, equally spread.
func Slot(user string) uint8 { return uint8(xxh3.HashString(user)) }

// Slots says which partition each slot belongs to. It is fixed when a plane's
// logs are made.
type Slots struct {
	Epoch      uint64 // from 1, increasing with each change of the table
	Partitions int
	Of         [slotCount]uint8
}

// EvenSlots returns the table that gives n partitions, 1 to MaxPartitions, equal
// shares of the slots. fault.Invalid: n is out of range.
func EvenSlots(n int) (Slots, error) {
	if n < 1 || n > MaxPartitions {
		return Slots{}, fault.New(fault.Invalid, "a plane has 1 to %d partitions, not %d", MaxPartitions, n)
	}
	s := Slots{Epoch: 1, Partitions: n}
	for i := range s.Of {
		s.Of[i] = uint8(i % n)
	}
	return s, nil
}

// Partition returns the partition of a user's events.
func (s *Slots) Partition(user string) int { return int(s.Of[Slot(user)]) }
