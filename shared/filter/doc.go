// Package filter says which events a connection or a destination takes: by their
// names (Events), by an expression over the event (Rules.Filter, in CEL), and by what
// the user consented to (Consent). Both planes check rules with it; a data plane also
// decides with it.
//
// A rule is checked and compiled once. It guarantees that a decision costs a bounded
// time: expressions have no loops but exists, all and exists_one, and end with an error
// past their cost. It reads no event itself; whoever asks gives it what it needs of one.
package filter
