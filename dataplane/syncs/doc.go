// Package syncs sends the rows of models to destinations: the runs of syncs. A run finds
// by package books which rows a destination does not have, sends them as events of the
// type record through the same requests, credentials and rates as lanes do, and writes
// into the warehouse what was accepted and what was not.
//
// It guarantees that a row counts as sent only after its destination took it; that each
// row of a run is accepted, rejected with a code, or found again by the next run; that a
// run whose rows are not all accounted for fails; and that a run which needs a person
// sends nothing before somebody agreed. A death repeats at most what was sent in the last
// half minute. A destination that is away is waited for, and rows are not parked: each
// can be made again.
//
// Which process runs a sync says Config.Mine. What is to be remembered beside the
// warehouse, whether a sync is paused and how its last run ended, is in documents that
// all processes of the plane share. Nothing of a row is in them.
package syncs
