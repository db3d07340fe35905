// Package policy answers with OPA: Allow, may this caller do this to that.
//
// The rules are the *.rego files beside this one, embedded and compiled once;
// their own tests lie beside them. Rooms below say what may be configured. Answers are
// pure: no I/O, no clock, no network built-ins are used, and a query that fails or gives
// no answer is a refusal with an error, never a yes.
package policy
