// Package migrations holds the numbered migrations of the control plane's
// store: the same numbers for SQLite and Postgres.
package migrations
