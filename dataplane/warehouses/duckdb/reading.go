//go:build !noduckdb

package duckdb

import (
	"errors"
	"regexp"

	driver "github.com/duckdb/duckdb-go/v2"
)

var (
	errReading = errors.New("a query only reads: select, from, with, values, show, describe, summarize or explain")
	errSeveral = errors.New("give one statement at a time; a pivot names its values, as in: pivot t on a in (1, 2) using count(*)")
)

// explain begins a statement that is explained, and with analyze run.
var explain = regexp.MustCompile(`(?is)^\s*explain\b\s*(analyze\s+|\([a-z_, ]*\)\s*)?`)

// reads refuses what is not one statement that reads. A read-only connection
// without external access would still write where DuckDB keeps what does not fit
// into memory, by copy.
func reads(c *driver.Conn, query string) error {
	typ, err := typeOfStatement(c, query)
	if err == nil && typ == driver.STATEMENT_TYPE_EXPLAIN {
		typ, err = typeOfStatement(c, explain.ReplaceAllLiteralString(query, ""))
	}
	if err == nil && typ != driver.STATEMENT_TYPE_SELECT {
		err = errReading
	}
	return err
}

// typeOfStatement is the type of the one statement in a text; nothing is run.
func typeOfStatement(c *driver.Conn, query string) (driver.StmtType, error) {
	prepared, err := c.Prepare(query)
	var e *driver.Error
	if err != nil && !errors.As(err, &e) { // the driver's own: none or several
		return 0, errSeveral
	}
	if err != nil {
		return 0, err
	}
	typ, err := prepared.(*driver.Stmt).StatementType()
	return typ, errors.Join(err, prepared.Close())
}
