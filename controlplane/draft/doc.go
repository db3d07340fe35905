// Package draft turns a workspace's configuration as code into revisions, and
// revisions into configuration as code.
//
// A Document names objects; a revision knows them by id. Resolving keeps the id
// of every object that is named as before or that says what it `was`, and makes
// ids and write keys for what is new. Diff says what would change and every
// problem that stands against it; Commit appends the next revision, or none
// when nothing changed, so that it may be repeated. Export gives the newest
// revision back as a Document, in which secrets are a version and a
// fingerprint.
//
// It refuses a configuration with any problem: of shape and reference
// (workspace.Check), of code (workspace.Compile), of place (policy.Review), of a kind or transformation that
// the plane's version lacks, and the removal of a destination with parked
// deliveries unless the caller discards them. It never sees a secret in clear.
package draft
