package text

import (
	"slices"
	"strconv"
	"strings"
)

// Snapshot is which transactions a server knows.
type Snapshot struct {
	Oldest, Next uint64   // that goes on; that is to come
	running      []uint64 // between them
}

// ReadSnapshot reads one; ok is false where text is none.
// Source: https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT-PARTS
func ReadSnapshot(text string) (s Snapshot, ok bool) {
	parts := strings.SplitN(text, ":", 3)
	if len(parts) != 3 {
		return s, false
	}
	var err1, err2 error
	s.Oldest, err1 = strconv.ParseUint(parts[0], 10, 64)
	s.Next, err2 = strconv.ParseUint(parts[1], 10, 64)
	for one := range strings.SplitSeq(parts[2], ",") {
		if n, err := strconv.ParseUint(one, 10, 64); err == nil {
			s.running = append(s.running, n)
		}
	}
	return s, err1 == nil && err2 == nil
}

// Sees reports whether the changes of a transaction that was committed can be seen. xid is
// the lower half of its number.
func (s Snapshot) Sees(xid uint32) bool {
	full := s.Next&^0xffffffff | uint64(xid)
	if full > s.Next+1<<31 {
		full -= 1 << 32
	}
	return full < s.Next && !slices.Contains(s.running, full)
}
