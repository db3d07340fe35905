// Package rewrite runs customers' code on events on their way to destinations,
// beside the loop of one partition.
//
// It guarantees that the outputs of each destination reach its lane in the order
// of the frames, also those that need no code but come behind some that do; that
// slow code delays its own destination alone; that what code refuses is kept
// before it is counted; and that a lane gets none of several outputs of an event
// before the journal knows how many there are.
//
// Each destination that has code has a queue. Memory is bounded: a queue that is
// full falls behind and reads its frames again from EVENTS when there is room.
package rewrite
