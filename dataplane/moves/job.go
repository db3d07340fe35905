// Package moves takes many events out of DEAD or QUARANTINE as jobs of the plane:
// redrive, retransform, replay, discard. A job is kept in the event store with how far
// it is, so that it goes on after a restart without whoever asked for it, and each
// partition's owner does its part, whichever process that is.
//
// A job is about what was dead or quarantined when it was made: what dies again is not
// moved for ever. It guarantees what the logs do when their process dies in the midst:
// nothing is lost, and only what was being sent from its original is sent again. The
// order of a user's events is the order of the log.
//
// It refuses a second job about the same events beside the first, and more jobs of a
// workspace than MaxRunning at a time. It keeps identifiers, reasons and numbers,
// never what is in an event.
package moves

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/delivery"
	"weir/shared/fault"
	"weir/shared/id"
)

// Limits of jobs.
const (
	MaxRunning = 32  // of a workspace, at a time
	maxEnded   = 100 // of a workspace, that are remembered
	maxPlaces  = 1000
	maxRate    = 1_000_000
)

// Kind is what a job does.
type Kind string

// The kinds: three about dead letters, two about quarantined events.
const (
	Redrive            Kind = "redrive"             // sends dead letters again
	Retransform        Kind = "retransform"         // sends their originals through the code of now
	Discard            Kind = "discard"             // removes dead letters
	Replay             Kind = "replay"              // sends quarantined events again
	DiscardQuarantined Kind = "discard_quarantined" // removes quarantined events
)

// Quarantined reports whether a kind is about quarantined events, else dead letters.
func (k Kind) Quarantined() bool { return k == Replay || k == DiscardQuarantined }

// Choice is which events a job is about and how fast it moves them. Empty fields choose
// all.
type Choice struct {
	Kind        Kind           `json:"kind"`
	Source      id.Source      `json:"source,omitempty"`
	Destination id.Destination `json:"destination,omitempty"`
	Code        string         `json:"code,omitempty"`
	Places      []string       `json:"places,omitempty"` // partition/record/item
	Rate        int            `json:"rate,omitempty"`   // events per second; 0: as fast as the plane can
}

// State is how a job is.
type State string

// The states. All but Running are final.
const (
	Running State = "running"
	Done    State = "done"
	Stopped State = "stopped"
	Failed  State = "failed"
)

// Job is one move of many events.
type Job struct {
	ID string `json:"id"`
	Choice
	State   State     `json:"state"`
	Reason  string    `json:"reason,omitempty"` // a sentence: why it failed, or what a running one waits for
	Created time.Time `json:"created"`          // what came later is not moved
	Ended   time.Time `json:"ended,omitzero"`
	// Moved counts events that left; those of a step may be missing of what left QUARANTINE
	// before a death of the process.
	Moved int `json:"moved"`
	Total int `json:"total"` // of events that were chosen; -1: not known (yet)

	Parts []part `json:"parts,omitempty"` // by partition, while it runs
}

// part is how far a job is in one partition.
type part struct {
	Moved int    `json:"moved"`
	Total int    `json:"total"` // or unknown or uncounted
	Done  bool   `json:"done,omitempty"`
	Key   string `json:"key,omitempty"`   // the destination or source it is at
	After uint64 `json:"after,omitempty"` // of QUARANTINE, records up to it are done
	Until uint64 `json:"until,omitempty"` // of QUARANTINE, the last record that is meant
}

// Totals of a part that are none.
const (
	unknown   = -1 // not counted yet
	uncounted = -2 // there are too many
)

// newJob checks c and returns a job about it for so many partitions. fault.Invalid.
func newJob(c Choice, partitions int, now time.Time) (Job, error) {
	if len(c.Places) > maxPlaces {
		return Job{}, fault.New(fault.Invalid, "A job takes up to %d places; choose by destination, source or code instead.", maxPlaces)
	}
	if _, err := Places(c.Places, partitions); err != nil {
		return Job{}, err
	}
	if c.Rate < 0 || c.Rate > maxRate {
		return Job{}, fault.New(fault.Invalid, "A rate is 1 to %d events per second, or 0 for as fast as the plane can.", maxRate)
	}
	j := Job{ID: "job_" + strings.ToLower(rand.Text()[:16]), Choice: c, State: Running, Created: now.UTC(), Total: unknown, Parts: make([]part, partitions)}
	for i := range j.Parts {
		j.Parts[i].Total = unknown
	}
	return j, nil
}

// overlaps reports whether two jobs may be about the same events.
func (j *Job) overlaps(c Choice) bool {
	return j.Kind.Quarantined() == c.Kind.Quarantined() &&
		(j.Source == "" || c.Source == "" || j.Source == c.Source) &&
		(j.Kind.Quarantined() || j.Destination == "" || c.Destination == "" || j.Destination == c.Destination)
}

// end gives a job its last state.
func (j *Job) end(s State, reason string, now time.Time) {
	j.State, j.Reason, j.Ended, j.Parts, j.Places = s, reason, now.UTC(), nil, nil
}

// sum adds up the parts of a running job, and ends it when all are done.
func (j *Job) sum(now time.Time) {
	j.Total = 0
	done := true
	for i := range j.Parts {
		if p := &j.Parts[i]; p.Total < 0 || j.Total < 0 {
			j.Total = unknown
		} else {
			j.Total += p.Total
		}
		done = done && j.Parts[i].Done
	}
	if done {
		j.end(Done, "", now)
	}
}

// document is the jobs of a workspace as they are stored, oldest first.
type document struct {
	Version int   `json:"version"` // 1, or 2 while a job runs that version 1 would read as a wider one
	Jobs    []Job `json:"jobs"`
}

// version is the least that says what the running jobs are about: releases that write 1 take
// dead letters of every source, and leave a document alone that they cannot read.
func (d *document) version() int {
	for _, j := range d.running() {
		if j.Source != "" && !j.Kind.Quarantined() {
			return 2
		}
	}
	return 1
}

// find returns a job, nil for none.
func (d *document) find(job string) *Job {
	if i := slices.IndexFunc(d.Jobs, func(j Job) bool { return j.ID == job }); i >= 0 {
		return &d.Jobs[i]
	}
	return nil
}

// running returns the jobs that run.
func (d *document) running() (all []*Job) {
	for i := range d.Jobs {
		if d.Jobs[i].State == Running {
			all = append(all, &d.Jobs[i])
		}
	}
	return all
}

// forget drops the oldest of more ended jobs than are remembered.
func (d *document) forget() {
	more := len(d.Jobs) - len(d.running()) - maxEnded
	d.Jobs = slices.DeleteFunc(d.Jobs, func(j Job) bool {
		if more <= 0 || j.State == Running {
			return false
		}
		more--
		return true
	})
}

// Places reads places, partition/record/item, by partition. fault.Invalid: one is none, or of
// no partition among so many.
func Places(texts []string, partitions int) (map[int][]delivery.Place, error) {
	places := map[int][]delivery.Place{}
	for _, text := range texts {
		words := strings.Split(text, "/")
		if len(words) != 3 {
			return nil, badPlace(text)
		}
		p, err1 := strconv.Atoi(words[0])
		seq, err2 := strconv.ParseUint(words[1], 10, 64)
		n, err3 := strconv.ParseUint(words[2], 10, 32)
		if err1 != nil || err2 != nil || err3 != nil || p < 0 || p >= partitions {
			return nil, badPlace(text)
		}
		places[p] = append(places[p], delivery.Place{Seq: seq, Item: uint32(n)})
	}
	return places, nil
}

func badPlace(text string) error {
	return fault.New(fault.Invalid, "%s", fmt.Sprintf("A place is partition/record/item, as the list of these events names it, not %.40q.", text))
}
