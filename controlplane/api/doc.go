// Package api is the control plane's HTTP: routes, their handlers, and who is calling.
// openapi.yaml describes every route and is served as JSON; a test holds routes and
// document together. Room web has what handlers use of HTTP, room site serves the console.
//
// Each route names an action, and policy decides whether the caller's role
// allows it; a route without an action is open.
//
// It refuses unsafe requests of a session that another site could have caused, and what
// room web refuses. No answer and no log line holds a password, a token (but the one that
// was just made), a sealed secret, or the text of an internal error.
package api
