// Package problems lists every code of the API's problem details, with its status, cause and
// remedy: what docs/problems.md says and what the type of a problem leads to.
package problems

import (
	"fmt"
	"net/http"
	"strings"
)

// Problem is one code. Codes are stable; texts may change.
type Problem struct {
	Code   string
	Status int // HTTP status
	Cause  string
	Remedy string
}

// Address is where the page of all problems is, on the control plane.
const Address = "/api/problems"

// Type is the type of a problem detail with a code (RFC 9457, section 3.1.1).
func Type(code string) string { return Address + "#" + code }

// Of returns the code of answers with a status that have no other.
func Of(status int) string {
	for _, p := range All() {
		if p.Status == status {
			return p.Code
		}
	}
	return "internal"
}

// All lists every code. The first of a status is the one of answers that have no other.
func All() []Problem {
	return []Problem{
		{"bad_request", http.StatusBadRequest, "The request cannot be read: a body that is no JSON, or a header or parameter of the wrong form.", "Send it as the document of the API says; the detail names what is wrong."},
		{"authorization_pending", http.StatusBadRequest, "A program waits to be let in, and nobody has allowed or refused it yet.", "Ask again after the `interval` that the sign-in began with. `weir login` does."},
		{"slow_down", http.StatusBadRequest, "A program that waits to be let in asked before its interval had passed.", "Wait five seconds longer between two questions from now on."},
		{"access_denied", http.StatusBadRequest, "The person refused the sign-in in the browser.", "Begin again with `weir login`, if it was refused by mistake."},
		{"expired_token", http.StatusBadRequest, "The code of a sign-in through the browser has expired, or was used.", "Begin again with `weir login`, and allow it within ten minutes."},
		{"unauthenticated", http.StatusUnauthorized, "The token or session is missing, unknown, expired or was revoked.", "Sign in again, or send another token: `weir login`."},
		{"bad_login", http.StatusUnauthorized, "E-mail address and password do not belong together.", "Check both. An administrator makes a link for a new password: `weir member password NAME`."},
		{"code_needed", http.StatusUnauthorized, "The account asks for a one-time code at sign-in.", "Send the code of the authenticator, or a recovery code, with e-mail address and password."},
		{"wrong_code", http.StatusUnauthorized, "The one-time code is wrong, was used, or is of another time.", "Take the next code; check the clock of the device that shows it."},
		{"denied", http.StatusForbidden, "The caller's roles, or its token's scopes, do not allow this, a policy forbids it, or a request with a session lacks the header `X-Weir-CSRF: 1`.", "Ask somebody who has the role: an owner of the organization, or an operator of the installation. The detail names what is missing."},
		{"missing", http.StatusNotFound, "There is nothing of this name or identifier, or nothing at this address.", "List what there is. `/api/openapi.json` has every address."},
		{"method_not_allowed", http.StatusMethodNotAllowed, "The address does not know the method.", "`/api/openapi.json` has the methods of every address."},
		{"conflict", http.StatusConflict, "What is there stands against it: a name that is taken, waiting deliveries, or a request with the same idempotency key that is being worked on.", "Look at what is there, and send the request again when it fits."},
		{"overtaken", http.StatusPreconditionFailed, "Somebody committed after the number in `If-Match`. `revisions` in the answer says what.", "Read the newest configuration, make the change in it, and send it with its `ETag`."},
		{"too_large", http.StatusRequestEntityTooLarge, "The body is longer than a request may be.", "Send less at a time."},
		{"invalid", http.StatusUnprocessableEntity, "The body was read, and what it says cannot be. `problems` in the answer lists every reason with its field.", "Correct the fields that are named."},
		{"limited", http.StatusTooManyRequests, "More requests, failed sign-ins or streams than the caller may have.", "Wait as long as `Retry-After` says. `RateLimit` says how many requests are left."},
		{"internal", http.StatusInternalServerError, "Something broke in the control plane.", "Look into its log for the `X-Request-Id` of the answer; send the request again with the same idempotency key."},
		{"unavailable", http.StatusServiceUnavailable, "The database, a data plane or the hub did not answer in time, or the control plane ends.", "Send the request again after `Retry-After`, with the same idempotency key."},
	}
}

// Page is the page of all problems, as Markdown.
func Page() string {
	var b strings.Builder
	b.WriteString(`# Problems

Every error of the API is a problem detail (RFC 9457): JSON with a stable ` + "`code`" + `, the ` + "`status`" + `, a ` + "`detail`" + ` for people, and a
` + "`type`" + ` that leads here. Input that cannot be has ` + "`problems`" + ` too, one for each field, with codes of their own.

`)
	for _, p := range All() {
		fmt.Fprintf(&b, "## %s\n%d %s. %s\n\n%s\n\n", p.Code, p.Status, http.StatusText(p.Status), p.Cause, p.Remedy)
	}
	return strings.TrimSpace(b.String()) + "\n"
}
