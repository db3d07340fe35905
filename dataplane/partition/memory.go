package partition

// What the partitions of a plane hold in memory together. Half of what a process
// takes at saturation is what the collector needs beside that.
const (
	openMemory = 32 << 20  // bytes of events that are read and not settled
	laneMemory = 128 << 20 // bytes of deliveries in lanes; those of one event share its bytes
	codeMemory = 32 << 20  // bytes of events that wait for transformations
	keyMemory  = 128 << 10 // dedupe keys that are not on the disk, of about 80 bytes

	leastParts = 16 // a partition gets a sixteenth at least
)

// share is one of parts equal parts of total.
func share(total, parts int) int { return total / min(max(parts, 1), leastParts) }
