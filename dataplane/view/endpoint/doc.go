// Package endpoint is an HTTP handler of calls that capabilities admit. A call needs
// a capability in Authorization, for this plane, its action and the page's origin,
// and the plane's guard to allow the action. Pages of other origins are refused.
//
// The answer of a call is a JSON object, or a stream of JSON lines. Errors are
// problem details (RFC 9457), and in a stream that has begun the last line. Texts of
// errors that are no fault stay in the plane.
package endpoint
