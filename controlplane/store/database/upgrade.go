package database

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"entgo.io/ent/dialect"
	"modernc.org/sqlite"
	sqlitecode "modernc.org/sqlite/lib"

	"weir/migrations"
	"weir/shared/fault"
)

// upgradeDeadline bounds all migrations of one start, the wait for another
// process that runs them included.
const upgradeDeadline = 10 * time.Minute

// upgradeLock is the key of the Postgres advisory lock under which one process
// at a time migrates: "weir" in ASCII.
const upgradeLock = 0x77656972

// Migrate runs the migrations that the database has not seen, each in one
// transaction with the row that records it, on one connection of its own. A
// process that dies in between leaves whole files done and the rest undone.
func (d *DB) Migrate(ctx context.Context, list []migrations.Migration) (err error) {
	ctx, cancel := context.WithTimeout(ctx, upgradeDeadline)
	defer cancel()
	conn, err := d.connect(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := d.record(ctx, conn); err != nil {
		return fmt.Errorf("make the table of migrations: %w", err)
	}
	for _, m := range list {
		if err := d.step(ctx, conn, m); err != nil {
			return fmt.Errorf("migration %s: %w", m.Name, err)
		}
	}
	var newest int
	if err := conn.QueryRowContext(ctx, "select coalesce(max(number), 0) from schema_migrations").Scan(&newest); err != nil {
		return fmt.Errorf("read the newest migration: %w", err)
	}
	if newest > len(list) {
		return fault.New(fault.Conflict, "the database is at migration %d and this program knows %d: start a newer program", newest, len(list))
	}
	return nil
}

// connectDeadline is how long processes that open one new SQLite file wait for each other.
const connectDeadline = 10 * time.Second

// connect returns a connection. A new SQLite file is given its journal with the first one:
// SQLite answers others that do so at the same moment that it is busy, at once.
func (d *DB) connect(ctx context.Context) (*sql.Conn, error) {
	wait, cancel := context.WithTimeout(ctx, connectDeadline)
	defer cancel()
	for {
		conn, err := d.pool.Conn(ctx)
		var lite *sqlite.Error
		if !errors.As(err, &lite) || lite.Code()&0xff != sqlitecode.SQLITE_BUSY {
			return conn, err
		}
		select {
		case <-wait.Done():
			return nil, err
		case <-time.After(rand.N(50 * time.Millisecond)):
		}
	}
}

// record makes the table of the migrations that ran.
func (d *DB) record(ctx context.Context, conn *sql.Conn) error {
	tx, err := d.alone(ctx, conn)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	_, err = tx.ExecContext(ctx, `create table if not exists schema_migrations (
  number     bigint not null primary key,
  name       text   not null,
  digest     text   not null,
  applied_at text   not null
)`)
	if err != nil {
		return err
	}
	return tx.Commit()
}

// alone begins a transaction. On Postgres nobody else is in one of these; the lock
// ends with it, because a pooler may give the next one another session.
func (d *DB) alone(ctx context.Context, conn *sql.Conn) (*sql.Tx, error) {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	if d.dialect != dialect.Postgres {
		return tx, nil
	}
	if _, err := tx.ExecContext(ctx, "select pg_advisory_xact_lock($1)", upgradeLock); err != nil {
		_ = tx.Rollback() // the connection's, if it fails
		return nil, fmt.Errorf("wait for the migration lock: %w", err)
	}
	return tx, nil
}

// step runs m unless it is recorded. The record is read inside the transaction,
// which is what keeps two processes apart.
//
// On SQLite foreign keys are off while the file runs, because a table that is
// rebuilt would otherwise take its children along; the pragma does nothing
// inside a transaction. They are checked before the commit.
func (d *DB) step(ctx context.Context, conn *sql.Conn, m migrations.Migration) (err error) {
	if d.dialect == dialect.SQLite {
		if _, err := conn.ExecContext(ctx, "pragma foreign_keys = off"); err != nil {
			return fmt.Errorf("switch foreign keys off: %w", err)
		}
		defer func() {
			_, on := conn.ExecContext(context.WithoutCancel(ctx), "pragma foreign_keys = on")
			err = errors.Join(err, on)
		}()
	}
	tx, err := d.alone(ctx, conn)
	if err != nil {
		return err
	}
	defer func() {
		if back := tx.Rollback(); back != nil && !errors.Is(back, sql.ErrTxDone) {
			err = errors.Join(err, back)
		}
	}()
	sum := sha256.Sum256([]byte(m.SQL))
	digest := hex.EncodeToString(sum[:])
	var recorded string
	switch err := tx.QueryRowContext(ctx, "select digest from schema_migrations where number = $1", m.Number).Scan(&recorded); {
	case err == nil && recorded == digest:
		return nil
	case err == nil:
		return fault.New(fault.Conflict, "the database ran another file under number %d: this program is not from the same line", m.Number)
	case !errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("read the record: %w", err)
	}
	if _, err := tx.ExecContext(ctx, m.SQL); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	_, err = tx.ExecContext(ctx, "insert into schema_migrations (number, name, digest, applied_at) values ($1, $2, $3, $4)",
		m.Number, m.Name, digest, d.Now().Format(time.RFC3339))
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if d.dialect == dialect.SQLite {
		if err := orphans(ctx, tx); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	d.log.InfoContext(ctx, "database migrated", "number", m.Number, "name", m.Name)
	return nil
}

// orphans returns an error when a row refers to one that does not exist.
func orphans(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, "pragma foreign_key_check")
	if err != nil {
		return fmt.Errorf("check foreign keys: %w", err)
	}
	defer func() { _ = rows.Close() }()
	if rows.Next() {
		return errors.New("a row would refer to one that is gone")
	}
	return rows.Err()
}
