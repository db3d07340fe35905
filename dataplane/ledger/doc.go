// Package ledger keeps the books: what became of every event, per source and
// destination. Deltas are booked in the journal append that records the
// settlements, so books and settlements cannot come apart.
//
// It is pure: who counts what is in flight, and where books are kept, is the
// pipeline's. It never computes what is in flight as a remainder, so that its
// check compares two independent numbers.
package ledger
