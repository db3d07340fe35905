// Package worker is the process that runs customers' code, and its plane's view
// of it. A worker is a child of the plane, the same binary under the hidden
// command Command, and speaks with it over one socket: frames in both directions,
// a request and an answer in turn.
//
// On the plane's side, Start starts a Process, and Run has a Request run in it: a
// list of events through a chain of transformations. The worker keeps machines
// between requests, each for one step of a chain, workspace, source and
// destination, so that no two of these share state. It answers a request in part
// when its time slice is over, and ends each event that meets a limit, alone, with
// a code. What a worker answers is checked before it is believed.
//
// A worker that dies or does not answer has decided nothing: Died says how it
// ended, and the caller decides about the events.
package worker
