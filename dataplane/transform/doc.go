// Package transform runs customers' code over events. Source-level checks (names
// of events, bots, addresses) are data and run in the plane itself; JavaScript
// runs in worker processes of the same binary (package worker), so that whatever
// the code or its engine does stays there.
//
// A Pool owns the workers. Apply runs a Chain over a list of events and says
// what became of each: outputs, or one End with a code. It refuses nothing that
// a customer may write: endless loops, bombs of any kind, promises that never
// settle and escapes end the event that they happened in, with a code of the
// closed list below, and leave its neighbours alone. A worker that dies gives
// back what it held, which is run again one by one; only an event that kills a
// worker twice while it is alone is ended for it. When no worker runs, Apply
// says fault.Unavailable and the caller tries again later.
//
// Workers are shared fairly: events wait in a queue per workspace and chain, and a
// free worker goes to the workspace that used least of the workers' time, then to its
// chain that did. All queues together whose requests take long leave one worker to
// those whose do not; those whose events meet limits leave it at all times.
//
// A script exports transformEvent or transformBatch, and not both. Of what
// transformEvent returns nothing or null drops the event, an object replaces it
// and a list fans it out, all of it or, when one output is bad, nothing. Output
// n of an event, from 1, that has no messageId or still its input's gets that
// back, and <messageId>:<n> from the second on; in a chain n counts what came
// out of the last step. An output of transformBatch belongs to the input with
// its messageId. When one has a messageId of no input, the inputs without
// outputs are quarantined and not dropped: one of them may be what it was made of.
// A batch is any number of events, also one: events that meet limits or throw are
// run again alone.
//
// A worker killed from outside is no fault of its events: these are tried again,
// up to 20 times. A chain of which 20 events in a row met limits of time or
// memory, or killed workers, is suspended: its events end at once, but for one
// every 3 seconds that finds out whether it may go on.
//
// Every event, and every batch of transformBatch, finds globals, prototypes and
// variables of the module as loading the code left them, whatever the code did in
// events before: nothing is kept from one to the next.
//
// An output that equals its input at some path carries the sent bytes there:
// integers beyond 2^53, escapes, the order of keys. An output keeps the User of
// its input, whatever its userId became, so that one user's events stay in
// order.
package transform
