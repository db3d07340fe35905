// Package authn says who is calling: people with a password and a session,
// programs with an API token. It also issues the short capabilities with which
// a browser or CLI asks a plane directly.
//
// Passwords are kept as Argon2id, tokens and sessions as a hash; every token
// has 256 random bits and is shown once. Sign-in is limited per address and per
// account and address, but a device on which an account signed in before is known
// by a signed token and never locked out by strangers. How many passwords are hashed
// at once is bounded, so a flood of guesses costs bounded memory. An unknown account takes as long as
// a wrong password.
//
// It does not decide what an actor may do: that is policy's.
package authn
