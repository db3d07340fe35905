// Package publish brings every plane's pointer to the newest revision of each of
// its workspaces, and folds what planes answer back into the store.
//
// It is level-triggered: it compares what the store wants with what the hub
// holds, soon after each commit about its workspace alone (Nudge), and at its start and every
// 30 seconds about all, beside the former. What did not succeed stays due, and is tried again
// with growing pauses. A lost nudge, or a process that ended between commit and pointer, makes
// it slower, never wrong. Secrets go first, then the sealed body,
// then the signed pointer by compare-and-set, so a plane never sees a pointer
// whose parts are not there, and any number of publishers may run at once.
//
// It guarantees that a pointer's number never goes down. A workspace disappears
// from a plane only by a tombstone. Where hub or plane are ahead of the store,
// which was restored from a backup then, nothing is changed on the plane: the
// numbers to come are raised above theirs. Only what was decided after the
// foreign pointer was issued is published again under a higher number.
//
// A plane whose hub is away delays no other plane.
package publish
