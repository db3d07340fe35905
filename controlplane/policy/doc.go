// Package policy answers two questions with OPA: Allow, may this caller do this to that,
// and Review, may this configuration exist on this plane.
//
// The rules are the *.rego files beside this one, embedded and compiled once;
// their own tests lie beside them. Nothing else in the control plane knows
// OPA. Both answers are pure: no I/O, no clock, no network built-ins are used,
// and a query that fails or gives no answer is a refusal with an error, never
// a yes.
package policy
