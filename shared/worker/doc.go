// Package worker runs what may not run in a trusted process in one of its own:
// a child of the plane, the same binary under the hidden command Command. What
// hostile input does to a parser, a bundler or a database there (endless loops,
// stacks that overflow, memory without end) ends that process and nothing else.
//
// Start starts a task in a limited process and gives the parent's end of one
// socket to it. The child has no environment, no file of the parent, no
// terminal, a process group of its own, and ends with the parent. Both ends
// speak in frames (Send, Receive); what a child says is bounded and has to be
// checked before it is believed. Stop ends a process at any time; Died says how
// one ended that no longer answers.
//
// Turns shares a few processes between tenants: who waits gets a turn by tenant,
// not by request.
//
// Limits of the kernel are those of Linux. Elsewhere a process is limited by its
// deadlines alone: planes in production run on Linux.
package worker
