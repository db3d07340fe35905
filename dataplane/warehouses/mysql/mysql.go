package mysql

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"weir/dataplane/blob"
	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouses/mysql/building"
	"weir/shared/fault"
)

// server is what differs between servers.
type server struct {
	maria     bool
	collation string // of texts: by bytes, blanks at the end count
	strict    bool   // a table is refused whose rows may be too large
	local     bool   // LOAD DATA LOCAL is allowed
	packet    int    // the most bytes of a statement
	rowBytes  int    // what the values of a row may take
}

// jsons is the type of columns of JSON: MariaDB's is a name of longtext.
func (s *server) jsons() string {
	if s.maria {
		return text
	}
	return "json"
}

type connection struct {
	db             *sql.DB
	conn           *sql.Conn
	database, user string
	blobs          blob.Store
	server         server
}

// Times of statements.
const (
	lockTime  = 15 * time.Second // shorter than a step of a load: others are loaded meanwhile
	queryTime = 30 * time.Second
)

// modes are those of every session: names in double quotes, a value that does not fit is
// an error.
const modes = "ANSI_QUOTES,STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"

// connect signs in and sets what a session needs. s, when not nil, gets what the server
// is.
func (w *connection) connect(ctx context.Context, s *server) (*sql.Conn, error) {
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return nil, failure(warehouse.CodeUnreachable, err)
	}
	seconds := int(lockTime.Seconds())
	for _, q := range []string{
		"set session sql_mode = '" + modes + "', time_zone = '+00:00', innodb_lock_wait_timeout = " + fmt.Sprint(seconds) + ", lock_wait_timeout = " + fmt.Sprint(seconds),
		"set session transaction isolation level read committed", // no locks on ids that are not there
	} {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			_ = conn.Close() // it is of no use
			return nil, failure(warehouse.CodeUnreachable, err)
		}
	}
	if s != nil {
		if err := s.read(ctx, conn); err != nil {
			_ = conn.Close() // it is of no use
			return nil, failure(warehouse.CodeUnreachable, err)
		}
	}
	return conn, nil
}

// read asks a server what it is.
func (s *server) read(ctx context.Context, conn *sql.Conn) error {
	// Where users may, rows that may be too large are seen to one by one.
	_, _ = conn.ExecContext(ctx, "set session innodb_strict_mode = 0") // where not, see strict
	var version string
	var page int
	err := conn.QueryRowContext(ctx, "select version(), @@innodb_page_size, @@innodb_strict_mode, @@local_infile, @@max_allowed_packet").
		Scan(&version, &page, &s.strict, &s.local, &s.packet)
	s.maria = strings.Contains(version, "MariaDB")
	s.collation = "utf8mb4_0900_bin"
	if s.maria {
		s.collation = "utf8mb4_nopad_bin"
	}
	s.rowBytes = rowBytes(page)
	return err
}

// lock lets one session at a time change the tables of the database, but for what people
// do by hand.
func (w *connection) lock(ctx context.Context) (unlock func(), err error) {
	sum := sha256.Sum256([]byte(w.database)) // a lock's name has 64 characters at most
	name := literal(fmt.Sprintf("weir:%x", sum[:16]))
	var got sql.NullBool
	if err := w.conn.QueryRowContext(ctx, fmt.Sprintf("select get_lock(%s, %d)", name, int(lockTime.Seconds()))).Scan(&got); err != nil {
		return nil, refusal.Wrap(refusal.Warehouse, failure(warehouse.CodeUnreachable, err))
	}
	if !got.Bool {
		return nil, warehouse.Fail(warehouse.CodeFailed, refusal.Wrap(refusal.Busy, errors.New("another load holds the lock of the database")))
	}
	return func() {
		_, _ = w.conn.ExecContext(context.WithoutCancel(ctx), "do release_lock("+name+")") // it ends with the session
	}, nil
}

// column is a column as information_schema has it.
type column struct {
	name, native, data, charset string
	octets                      int
}

// nativeOf is the column's type for guards.
func (c *column) nativeOf() string {
	if c.charset != "" && c.charset != "utf8mb4" {
		return c.native + charsetMark + c.charset
	}
	return c.native
}

// columns returns the columns of those of tables that exist; names of columns are in
// lower case, as MySQL does not tell cases apart.
func (w *connection) columns(ctx context.Context, tables []string) (map[string][]column, error) {
	out := map[string][]column{}
	if len(tables) == 0 {
		return out, nil
	}
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = literal(t)
	}
	rows, err := w.conn.QueryContext(ctx, `select table_name, lower(column_name), lower(column_type), lower(data_type), lower(coalesce(character_set_name, '')), coalesce(character_octet_length, 0)
		from information_schema.columns where table_schema = database() and table_name in (`+strings.Join(names, ",")+`)`)
	if err != nil {
		return nil, refusal.Wrap(refusal.Warehouse, failure(warehouse.CodeFailed, err))
	}
	defer func() { _ = rows.Close() }() // it was only read
	for rows.Next() {
		var table string
		var c column
		var octets uint64
		if err := rows.Scan(&table, &c.name, &c.native, &c.data, &c.charset, &octets); err != nil {
			return nil, failure(warehouse.CodeFailed, err)
		}
		c.octets = int(min(octets, 1<<31))
		out[table] = append(out[table], c)
	}
	return out, failure(warehouse.CodeFailed, rows.Err())
}

// Schema implements warehouse.Warehouse.
func (w *connection) Schema(ctx context.Context, tables []string) (warehouse.Schema, error) {
	out := warehouse.Schema{}
	have, err := w.columns(ctx, tables)
	if err != nil {
		return nil, err
	}
	rows, err := w.conn.QueryContext(ctx, "select table_name, table_type from information_schema.tables where table_schema = database()")
	if err != nil {
		return nil, failure(warehouse.CodeFailed, err)
	}
	defer func() { _ = rows.Close() }() // it was only read
	for rows.Next() {
		var table, typ string
		if err := rows.Scan(&table, &typ); err != nil {
			return nil, failure(warehouse.CodeFailed, err)
		}
		switch {
		case !slices.Contains(tables, table):
		case typ != "BASE TABLE" && typ != "SYSTEM VERSIONED": // a view, or a sequence
			out[table] = warehouse.TableSchema{Taken: true}
		default:
			out[table] = w.table(have[table])
		}
	}
	return out, failure(warehouse.CodeFailed, rows.Err())
}

func (w *connection) table(have []column) warehouse.TableSchema {
	s := warehouse.TableSchema{Columns: map[string]warehouse.Column{}}
	s.Room, s.RowRoom = w.server.room(have)
	for _, c := range have {
		if c.name != widened {
			s.Columns[c.name] = warehouse.Column{Type: typeOf(c), Native: c.nativeOf()}
		}
	}
	return s
}

// Alter implements warehouse.Warehouse.
func (w *connection) Alter(ctx context.Context, changes []warehouse.Change) error {
	return w.denied(ctx, w.alter(ctx, changes))
}

func (w *connection) alter(ctx context.Context, changes []warehouse.Change) error {
	if len(changes) == 0 {
		return nil
	}
	unlock, err := w.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	table := changes[0].Table
	have, err := w.columns(ctx, []string{table})
	if err != nil {
		return err
	}
	columns := map[string]column{}
	for _, c := range have[table] {
		columns[c.name] = c
	}
	_, left := columns[widened]
	var parts, rewrites []string
	for _, c := range changes {
		if c.Column == "" {
			if have[table] == nil {
				if err := w.run(ctx, create(table, w.server.collation)); err != nil {
					return err
				}
				columns["id"] = column{name: "id", native: text, charset: "utf8mb4"}
			}
			continue
		}
		is, err := w.done(columns, c)
		if err == nil && !is && c.From != "" {
			err = w.free(ctx, c)
		}
		if err == nil && !is && c.From == layout.Int && c.To == layout.Float {
			c.To, err = w.float(ctx, c)
		}
		switch {
		case err != nil:
			return err
		case is:
		case c.From == layout.Boolean || c.From == layout.Datetime:
			rewrites = append(rewrites, rewrite(table, c.Column, columns[c.Column].native, left)...)
			left = false
		default:
			parts = append(parts, part(c, w.server.jsons()))
		}
	}
	if len(parts) > 0 {
		rewrites = append([]string{"alter table " + quote(table) + " " + strings.Join(parts, ", ")}, rewrites...)
	}
	return w.run(ctx, rewrites...)
}

// run runs statements that change tables. What a table's rows may not be is said of the
// table here.
func (w *connection) run(ctx context.Context, statements ...string) error {
	for _, q := range statements {
		_, err := w.conn.ExecContext(ctx, q)
		err = failure(warehouse.CodeSchema, err)
		if refusal.Of(err) == refusal.Rows {
			var f *warehouse.Failure
			errors.As(err, &f)
			return warehouse.Fail(warehouse.CodeSchema, refusal.Wrap(refusal.Table, f.Err))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// float is the type that a column of whole numbers becomes when it needs fractions.
func (w *connection) float(ctx context.Context, c warehouse.Change) (layout.Type, error) {
	var wide bool
	q := fmt.Sprintf("select coalesce(max(%[1]s) > 9007199254740992 or min(%[1]s) < -9007199254740992, 0) from %[2]s", quote(c.Column), quote(c.Table))
	if err := w.conn.QueryRowContext(ctx, q).Scan(&wide); err != nil {
		return "", failure(warehouse.CodeFailed, err)
	}
	if wide {
		return layout.String, nil
	}
	return c.To, nil
}

// free refuses to widen a column of an index, which would come to order other values or
// lose the column.
func (w *connection) free(ctx context.Context, c warehouse.Change) error {
	var uses int
	err := w.conn.QueryRowContext(ctx, "select count(*) from information_schema.statistics where table_schema = database() and table_name = "+literal(c.Table)+" and column_name = "+literal(c.Column)).Scan(&uses)
	if err == nil && uses > 0 {
		err = refusal.Wrap(refusal.Table, fmt.Errorf("column %s of table %s is in an index", c.Column, c.Table))
		return warehouse.Fail(warehouse.CodeSchema, err)
	}
	return failure(warehouse.CodeFailed, err)
}

// done says whether somebody made a change to a table with these columns since it was
// read. It is refusal.Busy when somebody made another one: the table has to be read
// again, or a column would become narrower.
func (w *connection) done(columns map[string]column, c warehouse.Change) (bool, error) {
	is, there := columns[c.Column]
	switch {
	case !there && c.From == "", there && c.From != "" && typeOf(is) == c.From:
		return false, nil
	case there && typeOf(is) != "" && typeOf(is) == typeOf(column{native: native(c.To, w.server.jsons()), charset: "utf8mb4"}):
		return true, nil
	case there && c.To == layout.JSON && is.native == w.server.jsons():
		return true, nil
	}
	err := fmt.Errorf("column %s of table %s was changed by somebody else at the same time", c.Column, c.Table)
	return false, warehouse.Fail(warehouse.CodeFailed, refusal.Wrap(refusal.Busy, err))
}

// denied gives a missing right the scope of one table when the user may write in
// another one by a right of that table alone.
func (w *connection) denied(ctx context.Context, err error) error {
	var e *driver.MySQLError
	if !errors.As(err, &e) || e.Number != tableDenied && e.Number != columnDenied {
		return err
	}
	var others int
	q := "select count(*) from information_schema.table_privileges where table_schema = database() and privilege_type = 'INSERT'"
	if w.conn.QueryRowContext(ctx, q).Scan(&others) != nil || others == 0 { // nothing is known, or nothing is allowed
		return err
	}
	return warehouse.Fail(warehouse.CodeAuth, refusal.Wrap(refusal.Table, e))
}

// reads are the words that a query begins with.
var reads = []string{"select", "with", "show", "describe", "desc", "explain", "values", "table", "("}

// mayQuery and mayExec say whether a statement may be run as a query, and in Exec, which
// takes what can be taken back.
func mayQuery(q string) bool { return building.Begins(q, reads) }
func mayExec(q string) bool  { return building.Begins(q, building.Writes) }

// Query implements warehouse.Warehouse. It has a connection of its own, so that what the
// statement sets ends with it.
func (w *connection) Query(ctx context.Context, query string, row func([]byte) error) error {
	if !mayQuery(query) {
		return warehouse.Refuse(warehouse.CodeFailed, errors.New("a query begins with select, with, show, describe, explain, values or table"))
	}
	conn, err := w.connect(ctx, nil)
	if err != nil {
		return refusal.Wrap(refusal.Warehouse, err)
	}
	defer func() { _ = conn.Close() }() // it only read
	limit := fmt.Sprintf("set session max_execution_time = %d", queryTime.Milliseconds())
	if w.server.maria {
		limit = fmt.Sprintf("set session max_statement_time = %d", int(queryTime.Seconds()))
	}
	for _, q := range []string{limit, "start transaction read only"} {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return refusal.Wrap(refusal.Warehouse, failure(warehouse.CodeFailed, err))
		}
	}
	s, err := conn.PrepareContext(ctx, query) // its rows have numbers as they are kept
	if err != nil {
		return refused(err)
	}
	defer func() { _ = s.Close() }() // it goes with the connection
	rows, err := s.QueryContext(ctx)
	if err != nil {
		return refused(err)
	}
	defer func() { _ = rows.Close() }() // it was only read
	types, err := rows.ColumnTypes()
	if err != nil {
		return failure(warehouse.CodeFailed, err)
	}
	names := make([]string, len(types))
	values, into := make([]any, len(types)), make([]any, len(types))
	for i, t := range types {
		names[i], into[i] = t.Name(), &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return failure(warehouse.CodeFailed, err)
		}
		for i, t := range types {
			values[i] = plain(t.DatabaseTypeName(), values[i])
		}
		b, err := warehouse.RowJSON(names, values)
		if err != nil {
			return failure(warehouse.CodeFailed, err)
		}
		if err := row(b); err != nil {
			return err
		}
	}
	return refused(rows.Err())
}

// Exec implements warehouse.Warehouse.
func (w *connection) Exec(ctx context.Context, statements []string) (rows int64, err error) {
	for _, q := range statements {
		if !mayExec(q) {
			return 0, warehouse.Refuse(warehouse.CodeFailed, errors.New("MySQL can take back what insert, update, delete and replace do, and nothing else: no other statement is run"))
		}
	}
	unlock, err := w.lock(ctx)
	if err != nil {
		return 0, err
	}
	defer unlock()
	tx, err := w.conn.BeginTx(ctx, nil)
	if err != nil {
		return 0, refusal.Wrap(refusal.Warehouse, failure(warehouse.CodeUnreachable, err))
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	for _, q := range statements {
		r, err := tx.ExecContext(ctx, q)
		if err != nil {
			return 0, refused(err)
		}
		if rows, err = r.RowsAffected(); err != nil {
			return 0, failure(warehouse.CodeFailed, err)
		}
	}
	return rows, failure(warehouse.CodeFailed, tx.Commit())
}

// needed are the rights that loads need.
var needed = []string{"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "INDEX", "CREATE TEMPORARY TABLES"}

// Test implements warehouse.Warehouse: it names each right that is missing.
func (w *connection) Test(ctx context.Context) error {
	var has, roles string
	err := w.conn.QueryRowContext(ctx, `select coalesce(group_concat(p.privilege_type), '') from (select privilege_type from information_schema.user_privileges
		union select privilege_type from information_schema.schema_privileges where database() like table_schema) p`).Scan(&has)
	if err == nil {
		err = w.conn.QueryRowContext(ctx, "select coalesce(current_role(), '')").Scan(&roles)
	}
	if err != nil {
		return failure(warehouse.CodeFailed, err)
	}
	granted := strings.Split(has, ",")
	var missing []string
	for _, p := range needed {
		if !slices.Contains(granted, p) {
			missing = append(missing, p)
		}
	}
	if len(missing) > 0 && (roles == "" || roles == "NONE") { // rights of roles are not listed
		account := literal(w.user)
		err := fault.New(fault.Denied, "The user lacks %s: grant %[1]s on `%s`.* to %s", strings.Join(missing, ", "), w.database, account)
		return warehouse.Fail(warehouse.CodeAuth, err)
	}
	unlock, err := w.lock(ctx)
	if err != nil {
		return err
	}
	unlock()
	return nil
}

// Close implements warehouse.Warehouse.
func (w *connection) Close() error {
	_ = w.conn.Close() // everything was committed; the server ends the rest
	_ = w.db.Close()
	return nil
}
