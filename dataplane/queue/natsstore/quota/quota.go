// Package quota divides what a plane's logs may hold among their kinds.
package quota

import "weir/dataplane/queue"

// percent is the share that all logs of a kind have together. Each kind has its own,
// because a full EVENTS log must not keep the journal from growing: only the journal's
// progress empties it.
var percent = [queue.Kinds]int64{queue.Events: 32, queue.Journal: 4, queue.Parked: 20, queue.Dead: 6, queue.Quarantine: 4, queue.Bad: 2, queue.Stage: 20, queue.Detour: 8}

// keyedJournal is the journal's share in a cluster, where it keeps the dedupe keys of
// a week for owners on other disks.
const keyedJournal = 8

// Least is the smallest limit of one log, in bytes: a few of the largest records.
const Least = 4 * queue.MaxPayload

// refuses says which kinds refuse what is past their limit. Who appends to them can
// wait or has another place for it. What the others get was acknowledged and comes out
// of EVENTS or of each other, which lose it: there a limit says from when on the sources
// that feed a log are refused, and an append past it holds nobody up.
var refuses = [queue.Kinds]bool{queue.Events: true, queue.Journal: true, queue.Stage: true, queue.Detour: true}

// Of returns the limit of each log, in bytes, of so many partitions whose logs may
// hold total together.
func Of(total int64, partitions int, cluster bool) (limits [queue.Kinds]int64) {
	shares := percent
	if cluster {
		shares[queue.Journal] = keyedJournal
	}
	for k := range limits {
		limits[k] = max(total/100*shares[k]/int64(partitions), Least)
	}
	return limits
}

// Wall returns past how many bytes the embedded server refuses appends to a log of
// kind k with a limit; -1: past none. A cluster has a limit for each log, as a promise
// of its servers, and those without a wall are widened when they meet it.
func Wall(k queue.Kind, limit int64) int64 {
	if refuses[k] {
		return limit
	}
	return -1
}
