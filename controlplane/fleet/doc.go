// Package fleet knows the data planes: it invites them, lets them join, places
// workspaces on them, and keeps what they say about themselves.
//
// An invitation is a token that is good once, for an hour, and only its hash is
// kept. A plane that lost the answer may join again with the same token and the
// same keys. What a plane claims is believed only as far as its keys prove it:
// the sealing key has to be signed by the identity key, and beats come verified.
//
// A private plane is invited for one organization and gets a hub account of its
// own; regional planes of a region share one.
package fleet
