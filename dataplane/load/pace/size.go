package pace

import (
	"sync"
	"time"
)

// Sizes of loads.
const (
	firstEvents = 100_000          // of the first load
	leastPart   = 32               // the smallest load is this part of the largest
	mergeTime   = 10 * time.Second // that a merge shall take
)

// Size is how many events a load has: what a warehouse merges in mergeTime. A load
// changes it by half or to the double at most. It is safe for concurrent use.
type Size struct {
	mu     sync.Mutex
	events int // 0: nothing is known
	most   int
}

// Events returns how many events the next load shall have, between most and a 32nd of it.
func (s *Size) Events(most int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most = most
	if s.events == 0 {
		s.events = firstEvents
	}
	s.events = min(max(s.events, most/leastPart, 1), most)
	return s.events
}

// Took says how long the merge of so many events took. A load that was not full, and
// quick, tells nothing of a larger one.
func (s *Size) Took(events int64, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.events == 0 || events <= 0 {
		return
	}
	wants := int(float64(events) * float64(mergeTime) / float64(max(took, time.Millisecond)))
	if wants > s.events && events < int64(s.events) {
		return
	}
	s.events = min(max(wants, s.events/2), s.events*2)
	s.events = min(max(s.events, s.most/leastPart, 1), s.most)
}

// cut says that a step met its deadline: loads from then on have half as many events.
func (s *Size) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = max(s.events/2, s.most/leastPart, 1)
}
