// Package pipeline is the middle of the product: the loop of one partition,
// which reads frames in order, decides what happens to each event, hands
// deliveries to lanes, and keeps the journal of what became of them.
//
// It guarantees that no frame is forgotten before everything in it is settled
// and that is journaled: the floor is the highest frame below and at which that
// is so, and EVENTS is purged up to the floor and in no other way. A crash
// repeats the requests in flight and the settlements of the last 10 ms, nothing
// else.
//
// What surrounds the loop has packages of its own: journal keeps what became of
// every event, rewrite runs customers' code on the way to a destination,
// quarantine keeps what broke a rule, aside keeps what belongs to a workspace that is
// not loaded, and deliver has the lanes.
//
// It refuses to go on when another owner writes its journal, when the journal
// is of a newer version, and when EVENTS ends before what the journal has
// settled. A failed check of the ledger alarms and never stops delivery.
package pipeline
