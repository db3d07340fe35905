// Package pipeline is the middle of the product: the loop of one partition,
// which reads frames in order, decides what happens to each event, hands
// deliveries to lanes, and keeps the journal of what became of them.
//
// It guarantees that no frame is forgotten before everything in it is settled
// and that is journaled: the floor is the highest frame below and at which that
// is so, and EVENTS is purged up to the floor and in no other way. A crash
// repeats the requests in flight and the settlements of the last 10 ms, nothing
// else. Books are part of the journal record that holds the settlements, so
// they cannot come apart; what is in flight is counted from open frames.
//
// Customers' code runs beside the loop, a line per destination, in the order of
// the frames. A line that is full falls behind and reads its frames again from
// EVENTS, so that slow code costs neither memory nor anybody else's time. What
// code refuses is kept in QUARANTINE as it was, and can be replayed from there.
//
// It refuses to go on when another owner writes its journal, when the journal
// is of a newer version, and when EVENTS ends before what the journal has
// settled. A failed check of the books alarms and never stops delivery.
package pipeline
