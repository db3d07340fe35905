// Package plan turns a revision into what a plane runs: write keys, routing
// tables and opened destinations, in one immutable Plan; and holds the plans of
// all workspaces behind one atomic pointer that every engine looks into.
//
// Compile is pure. It refuses, with every problem at once, a revision that this
// build cannot run whole; it never makes a plan of half of one. All codes are
// declared in wire, so every problem may go up.
package plan
