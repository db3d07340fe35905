package database

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlitecode "modernc.org/sqlite/lib"

	"weir/shared/fault"
)

// databaseFault tells a database that is away, full or overloaded (Unavailable)
// from a broken statement (Internal). Of what the database said it keeps the code.
func databaseFault(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch {
		case strings.HasPrefix(pg.Code, "08"), strings.HasPrefix(pg.Code, "53"), strings.HasPrefix(pg.Code, "57"), strings.HasPrefix(pg.Code, "58"):
			return fault.New(fault.Unavailable, "Postgres is away or overloaded (%s)", pg.Code)
		}
		return fault.New(fault.Internal, "Postgres refused a statement (%s)", pg.Code)
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		switch lite.Code() & 0xff {
		case sqlitecode.SQLITE_BUSY, sqlitecode.SQLITE_LOCKED, sqlitecode.SQLITE_FULL, sqlitecode.SQLITE_IOERR,
			sqlitecode.SQLITE_CANTOPEN, sqlitecode.SQLITE_READONLY, sqlitecode.SQLITE_INTERRUPT:
			return fault.New(fault.Unavailable, "the SQLite database is busy, full or away (%d)", lite.Code())
		}
		return fault.New(fault.Internal, "SQLite refused a statement (%d)", lite.Code())
	}
	var connect *pgconn.ConnectError
	var network net.Error
	if errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, sql.ErrConnDone) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return fault.New(fault.Unavailable, "the database is away")
	}
	return fault.New(fault.Internal, "the database gave an error without a code (%T)", innermost(err))
}

func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
