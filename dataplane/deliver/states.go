package deliver

import (
	"cmp"
	"slices"
	"time"

	"weir/shared/id"
)

// State is how a destination does in one partition at this moment.
type State struct {
	Destination id.Destination
	Sending     int           // requests under way
	Most        int           // how many may be, by what the destination bears
	Allowed     int           // how many may be at most
	Down        bool          // it does not answer; what comes is parked
	Reason      string        // the code for which a delivery had to wait last, "" for none
	Detail      string        // of Reason, local to the plane
	Paused      time.Duration // it asked to be left alone for so long yet
	Bytes       int64         // of deliveries in memory
	Age         time.Duration // of the oldest one in memory
	Since       time.Time     // when the oldest one of all began to wait; zero: none does, or it is not read yet
}

// States returns how every destination does that got a delivery, by its id.
func (l *Lanes) States(now time.Time) []State {
	l.mu.Lock()
	lanes := make([]*lane, 0, len(l.lanes))
	for _, ln := range l.lanes {
		lanes = append(lanes, ln)
	}
	l.mu.Unlock()
	all := make([]State, 0, len(lanes))
	for _, ln := range lanes {
		all = append(all, ln.state(now))
	}
	slices.SortFunc(all, func(a, b State) int { return cmp.Compare(a.Destination, b.Destination) })
	return all
}

func (ln *lane) state(now time.Time) State {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	s := State{
		Destination: ln.id, Sending: ln.sending, Most: ln.circuit.Most(ln.share()), Allowed: ln.share(), Down: ln.circuit.Open(),
		Paused: ln.circuit.Paused(now), Bytes: ln.liveBytes,
	}
	if ln.refusal != nil {
		s.Reason, s.Detail = ln.refusal.Code, ln.refusal.Detail
	}
	for _, e := range ln.fifo {
		if e != nil && !e.gone {
			s.Age = max(0, now.Sub(e.d.Read))
			s.Since = e.d.Read
			break
		}
	}
	if parked := ln.backlog.Since(); !parked.IsZero() && (s.Since.IsZero() || parked.Before(s.Since)) {
		s.Since = parked
	}
	return s
}
