// Package engine runs one transformation in JavaScript: QuickJS, with a driver
// that calls the customer's function and polyfills for what browsers and Node
// have. It is the only package that knows the engine.
//
// An Engine makes Machines. A Machine holds one transformation, as loading its
// module left it; Run gives it events as JSON and returns an Answer: outputs as
// JSON, failures and log lines, each with the index of its event. After each event
// or batch the machine's memory is put back (weir/dataplane/transform/heap), so
// that no event finds anything that another one's code left behind. A
// Machine that meets a limit of time or memory is of no further use, and which of
// several events was guilty is not known. A Machine is not safe for concurrent
// use.
//
// Code reaches nothing outside its machine: no network, no file, no module, no
// timer. The engine itself is not trusted: it is to run in a process of its own,
// which ends when a machine does not react to interrupts (New's stuck).
//
// Restorer puts the bytes that were sent back where code left values unchanged:
// integers beyond 2^53, escapes, the order of keys.
package engine
