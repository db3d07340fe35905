// Package transform runs the customers' code over events: JavaScript in QuickJS,
// in worker processes of the same binary, so that whatever the code or the
// engine does stays there. Source-level checks (names of events, bots,
// addresses) are data and run in the plane itself.
//
// An Engine owns the workers. Apply runs a Chain over a list of events and says
// what became of each: outputs, or one End with a code. It refuses nothing that
// a customer may write: endless loops, bombs of any kind, promises that never
// settle and escapes end the event that they happened in, with a code of the
// closed list below, and leave its neighbours alone. A worker that dies gives
// back what it held, which is run again one by one; only an event that kills a
// worker twice while it is alone is ended for it. When no worker runs, Apply
// says fault.Unavailable and the caller tries again later.
//
// State that code keeps between events (globals, variables of the module) is
// kept apart by workspace, source, destination of the Meta, chain and position
// in the chain; it may vanish at any time.
//
// An output that equals its input at some path carries the sent bytes there:
// integers beyond 2^53, escapes, the order of keys. An output keeps the User of
// its input, whatever its userId became, so that one user's events stay in
// order.
package transform
