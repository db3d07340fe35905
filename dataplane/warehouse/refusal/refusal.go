// Package refusal says of an error of a warehouse what it holds up: all of it, a
// table, or rows. It is pure.
package refusal

import "errors"

// Scope says what an error of Schema, Alter or Merge holds up. The connection is as
// good as before, except with Warehouse.
type Scope uint8

// The scopes.
const (
	Warehouse Scope = iota // every table; what errors have of which nothing else is said
	Busy                   // the table for now, such as a lock that somebody holds
	Table                  // the table, whatever its rows are, until somebody mends it
	Rows                   // the rows of a merge: other rows may well be taken
)

type scoped struct {
	error
	scope Scope
}

// Unwrap returns the error that has the scope.
func (s scoped) Unwrap() error { return s.error }

// Wrap gives an error a scope, in place of the one that it has; nil for nil.
func Wrap(s Scope, err error) error {
	if err == nil {
		return nil
	}
	return scoped{err, s}
}

// Of returns the scope of an error.
func Of(err error) Scope {
	var s scoped
	if errors.As(err, &s) {
		return s.scope
	}
	return Warehouse
}
