// Package condition is how the processes of a plane do, in figures that beats carry: how far
// each is behind, how full its disk is, and since when it reaches the hub. Reports hold times
// and sizes alone.
package condition

import (
	"cmp"
	"regexp"
	"slices"
	"time"
)

// Report is how one process of a plane does.
type Report struct {
	Process string `json:"process"` // tells the processes of a plane apart
	// LagMs is the age, in milliseconds, of the oldest event that the process read and that is not
	// settled: delivered, parked, staged, dead, quarantined or dropped. LagFrames counts the
	// frames of events that are not settled.
	LagMs     uint64 `json:"lagMs"`
	LagFrames uint64 `json:"lagFrames"`
	// Of the disk of the data directory, in bytes: its size, 0 when it is not known, what is
	// free, and what has to be free for events to be taken.
	DiskSize   uint64 `json:"diskSize"`
	DiskFree   uint64 `json:"diskFree"`
	DiskNeeded uint64 `json:"diskNeeded"`
	// DiskLastsS is how many seconds are left until no more than DiskNeeded is free, at the pace
	// of the last hour; 0: it does not fill, or the process has not run for long enough to know.
	DiskLastsS uint64    `json:"diskLastsS,omitempty"`
	Linked     time.Time `json:"linked"` // since when it is connected to the hub
}

var process = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$`)

// Sound reports whether a process of ours would send r.
func (r Report) Sound() bool {
	return process.MatchString(r.Process) && r.DiskFree <= r.DiskSize && r.DiskNeeded <= r.DiskSize
}

// Heard is a report and when it was heard.
type Heard struct {
	Report
	At time.Time `json:"at"`
}

// How long a process that is not heard is kept beside others, and how many are.
const (
	forget = time.Minute
	most   = 64
)

// Fold puts a report that was heard at a time into those that were heard before, in the order
// of the processes, and leaves out processes that were not heard for a minute then.
func Fold(before []Heard, r Report, at time.Time) []Heard {
	now := []Heard{{r, at}}
	for _, h := range before {
		if h.Process != r.Process && at.Sub(h.At).Abs() < forget {
			now = append(now, h)
		}
	}
	now = now[:min(len(now), most)]
	slices.SortFunc(now, func(a, b Heard) int { return cmp.Compare(a.Process, b.Process) })
	return now
}
