// Package api is the control plane's HTTP: routes, decoding, who is calling,
// status codes, and the console. openapi.yaml describes every route and is
// served as JSON; a test holds routes and document together.
//
// Each route names an action, and policy decides whether the caller's role
// allows it; a route without an action is open. Errors are problem details
// (RFC 9457), and the status follows from the fault's kind in errors.go alone.
//
// It refuses bodies over 8 MiB (64 KiB from strangers), requests that take
// longer than 30 seconds, unsafe requests of a session that another site could
// have caused, and JSON with unknown or doubled members. No answer and no log
// line holds a password, a token (but the one that was just made), a sealed
// secret, or the text of an internal error.
package api
