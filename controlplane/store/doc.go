// Package store keeps what customers decided and what planes reported, in
// SQLite or Postgres: users, sessions, tokens, planes, invitations, workspaces,
// revisions, sealed secrets, acknowledgements, counts and the audit log. Its
// types are plain; ent and SQL stay inside.
//
// It guarantees:
//   - A write is one serializable transaction: what a method checks still holds
//     when it writes. It is repeated a few times when the database says that
//     someone was faster, then it answers fault.Conflict.
//   - A write takes its Actor and leaves an audit row in the same transaction.
//     What planes report every few seconds (beats, counts, repeated acks) leaves
//     a row only when it changes something an operator would ask about: health,
//     version, kinds, or the state of a revision.
//   - Revisions are immutable, and their numbers never go down, also after the
//     database was restored from a backup: the next number is one more than the
//     highest that the store holds or that a plane acknowledged.
//   - Write keys and the ids of sources, destinations and transformations are
//     unique in the installation. An id stays with its workspace for ever.
//
// It refuses a database whose schema is newer than this program, and it never
// holds a token, a password or a secret in clear: callers pass hashes and
// envelopes.
//
// Errors are faults: Missing, Conflict, Invalid with problems, Denied;
// Unavailable when the database is away, Internal for the rest.
package store
