package mssql

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	mssqldb "github.com/microsoft/go-mssqldb"
	"github.com/parquet-go/parquet-go"

	"weir/dataplane/blob"
	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouse/rows"
	"weir/dataplane/warehouses/mssql/reading"
	"weir/shared/fault"
)

type connection struct {
	db       *sql.DB
	conn     *sql.Conn
	way      *way
	settings Settings
	blobs    blob.Store
	folds    bool // the database does not tell cases apart
}

// Times of statements.
const (
	lockTime  = 15 * time.Second // shorter than a step of a load: others are loaded meanwhile
	queryTime = 30 * time.Second
	graceTime = 5 * time.Second // for the server to end a statement whose context has ended
)

// connect signs in and sets what a session needs: an error takes a whole transaction back.
func (w *connection) connect(ctx context.Context) (err error) {
	stop := context.AfterFunc(ctx, func() { w.way.until(time.Now()) })
	defer stop()
	if w.conn, err = w.db.Conn(ctx); err != nil {
		return failure(warehouse.CodeUnreachable, err)
	}
	w.way.until(time.Time{})
	var folds int64
	err = w.run(ctx, warehouse.CodeUnreachable, fmt.Sprintf("set xact_abort on set lock_timeout %d set transaction isolation level read committed", lockTime.Milliseconds()))
	if err == nil {
		err = refusal.Wrap(refusal.Warehouse, w.one(ctx, "select case when N'a' = N'A' then 1 else 0 end", &folds))
	}
	w.folds = folds == 1
	if err != nil {
		_ = w.conn.Close() // it is of no use
	}
	return err
}

// bound ends what waits for the server soon after the context, and is called with defer.
func (w *connection) bound(ctx context.Context) func() {
	stop := context.AfterFunc(ctx, func() { w.way.until(time.Now().Add(graceTime)) })
	return func() { stop() }
}

// Quote writes a name as SQL Server has it; see room quoting.
func (w *connection) Quote(name string) string { return quote(name) }

// Text writes a text as SQL Server has it, which is compared by its code points; see room
// quoting.
func (w *connection) Text(s string) string { return text(s) + " collate " + exact }

// First is a query for the first row of what follows select; see room quoting.
func (w *connection) First(rest string) string { return "select top 1 " + rest }

// within is a name of the schema.
func (w *connection) within(name string) string { return quote(w.settings.Schema) + "." + quote(name) }

// run runs one batch of Weir's own.
func (w *connection) run(ctx context.Context, code, q string) error {
	_, err := w.conn.ExecContext(ctx, q)
	return failure(code, err)
}

// ask gives the rows of a query of Weir's own.
func (w *connection) ask(ctx context.Context, q string, row func([]any) error) error {
	found, err := w.conn.QueryContext(ctx, q)
	if err != nil {
		return failure(warehouse.CodeFailed, err)
	}
	defer func() { _ = found.Close() }() // it was only read
	names, err := found.Columns()
	if err != nil {
		return failure(warehouse.CodeFailed, err)
	}
	for found.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := found.Scan(into...); err != nil {
			return failure(warehouse.CodeFailed, err)
		}
		if err := row(values); err != nil {
			return err
		}
	}
	return failure(warehouse.CodeFailed, found.Err())
}

// one gives the values of the first row of a query.
func (w *connection) one(ctx context.Context, q string, into ...any) error {
	return failure(warehouse.CodeFailed, w.conn.QueryRowContext(ctx, q).Scan(into...))
}

func textOf(v any) string {
	s, _ := v.(string)
	return s
}

func intOf(v any) int {
	n, _ := v.(int64)
	return int(n)
}

// transact runs do in a transaction that holds the lock of the schema: one session at a time
// changes its tables, but for what people do by hand.
func (w *connection) transact(ctx context.Context, do func() error) (err error) {
	if err := w.run(ctx, warehouse.CodeUnreachable, "begin transaction"); err != nil {
		return refusal.Wrap(refusal.Warehouse, err)
	}
	defer func() {
		if err != nil { // with the connection ends the transaction
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceTime)
			_, _ = w.conn.ExecContext(stop, "if @@trancount > 0 rollback transaction")
			cancel()
		}
	}()
	var got int64
	lock := fmt.Sprintf("declare @got int exec @got = sp_getapplock @Resource = %s, @LockMode = N'Exclusive', @LockOwner = N'Transaction', @LockTimeout = %d select @got", text("weir:"+w.settings.Schema), lockTime.Milliseconds())
	if err := refusal.Wrap(refusal.Warehouse, w.one(ctx, lock, &got)); err != nil {
		return err
	}
	if got < 0 {
		return warehouse.Fail(warehouse.CodeFailed, refusal.Wrap(refusal.Busy, errors.New("another load holds the lock of the schema")))
	}
	if err := do(); err != nil {
		return err
	}
	return refusal.Wrap(refusal.Warehouse, w.run(ctx, warehouse.CodeFailed, "commit transaction"))
}

// columns returns the columns of those of tables that exist, and which names something else
// has.
func (w *connection) columns(ctx context.Context, tables []string) (have map[string][]column, taken []string, err error) {
	have = map[string][]column{}
	if len(tables) == 0 {
		return have, nil, nil
	}
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = text(t)
	}
	where := fmt.Sprintf("where o.schema_id = schema_id(%s) and o.name in (%s)", text(w.settings.Schema), strings.Join(names, ", "))
	err = w.ask(ctx, "select o.name, rtrim(o.type) from sys.objects o "+where, func(row []any) error {
		if name := w.folded(textOf(row[0])); textOf(row[1]) == "U" {
			have[name] = []column{}
		} else {
			taken = append(taken, name)
		}
		return nil
	})
	if err != nil {
		return nil, nil, refusal.Wrap(refusal.Warehouse, err)
	}
	err = w.ask(ctx, "select o.name, c.name, t.name, c.max_length, c.precision, c.scale, c.collation_name, c.is_computed, case when c.is_computed = 1 or c.is_identity = 1 or c.is_nullable = 0 or c.generated_always_type <> 0 or c.system_type_id = 189 then 1 else 0 end from sys.columns c join sys.objects o on o.object_id = c.object_id left join sys.types t on t.user_type_id = c.system_type_id "+where+" and o.type = N'U' order by c.column_id", func(row []any) error {
		c := column{name: w.folded(textOf(row[1])), collation: textOf(row[6]), bytes: intOf(row[3])}
		c.computed, _ = row[7].(bool)
		c.kept = intOf(row[8]) == 1
		typ := strings.ToLower(textOf(row[2]))
		c.native = nativeOf(typ, c.bytes, intOf(row[4]), intOf(row[5]))
		switch typ {
		case "nvarchar", "varchar", "varbinary", "xml", "text", "ntext", "image", "sql_variant", "json":
			c.bytes = -1
		}
		name := w.folded(textOf(row[0]))
		have[name] = append(have[name], c)
		return nil
	})
	return have, taken, refusal.Wrap(refusal.Warehouse, err)
}

// folded is a name as loads have it.
func (w *connection) folded(name string) string {
	if w.folds {
		return strings.ToLower(name)
	}
	return name
}

// Schema implements warehouse.Warehouse.
func (w *connection) Schema(ctx context.Context, tables []string) (warehouse.Schema, error) {
	defer w.bound(ctx)()
	have, taken, err := w.columns(ctx, tables)
	if err != nil {
		return nil, err
	}
	out := warehouse.Schema{}
	for _, name := range taken {
		out[name] = warehouse.TableSchema{Taken: true}
	}
	for name, all := range have {
		s := warehouse.TableSchema{Columns: map[string]warehouse.Column{}}
		s.Room, s.RowRoom = room(all)
		for i := range all {
			s.Columns[all[i].name] = warehouse.Column{Type: typeOf(&all[i]), Native: all[i].guarded()}
		}
		out[name] = s
	}
	return out, nil
}

// make makes the schema when it is not there.
func (w *connection) make(ctx context.Context) error {
	var there sql.NullInt64
	err := w.one(ctx, "select schema_id("+text(w.settings.Schema)+")", &there)
	if err == nil && !there.Valid {
		err = w.run(ctx, warehouse.CodeAuth, "create schema "+quote(w.settings.Schema))
	}
	return refusal.Wrap(refusal.Warehouse, err)
}

// Alter implements warehouse.Warehouse.
func (w *connection) Alter(ctx context.Context, changes []warehouse.Change) error {
	defer w.bound(ctx)()
	if len(changes) == 0 {
		return nil
	}
	if err := w.make(ctx); err != nil {
		return err
	}
	return w.transact(ctx, func() error { return w.denied(ctx, w.alter(ctx, changes)) })
}

func (w *connection) alter(ctx context.Context, changes []warehouse.Change) error {
	name := changes[0].Table
	have, _, err := w.columns(ctx, []string{name})
	if err != nil {
		return err
	}
	columns := map[string]column{}
	for _, c := range have[name] {
		columns[c.name] = c
	}
	table := w.within(name)
	var statements []string
	var adds []warehouse.Change
	for _, c := range changes {
		is, there := columns[c.Column]
		typ := typeOf(&is)
		wanted := typeOf(&column{name: c.Column, native: native(c.To)})
		switch {
		case c.Column == "":
			if have[name] == nil {
				statements = append(statements, create(table))
				columns["id"] = column{name: "id", native: shortID}
			}
			continue
		case there && typ != "" && typ == wanted && (c.From == "" || typ != c.From):
			continue // it was made before
		case c.From == "" && !there:
			adds = append(adds, c)
			continue
		case c.From == "" || !there || typ != c.From:
			err := fmt.Errorf("column %s of table %s was changed by somebody else at the same time", c.Column, c.Table)
			return warehouse.Fail(warehouse.CodeFailed, refusal.Wrap(refusal.Busy, err))
		}
		if c.From == layout.Int && c.To == layout.Float {
			var wide int64
			if err := w.one(ctx, fmt.Sprintf("select count(*) from %s where %[2]s > 9007199254740992 or %[2]s < -9007199254740992", table, quote(c.Column)), &wide); err != nil {
				return err
			}
			if wide > 0 {
				c.To = layout.String
			}
		}
		wider := widen(table, c)
		if wider == nil {
			return warehouse.Fail(warehouse.CodeSchema, refusal.Wrap(refusal.Table, fmt.Errorf("column %s stays as it is: SQL Server would write a %s with other digits than it holds", c.Column, c.From)))
		}
		statements = append(statements, wider...)
	}
	if len(adds) > 0 {
		statements = append(statements, add(table, adds))
	}
	for _, q := range statements {
		err := w.run(ctx, warehouse.CodeSchema, q)
		if refusal.Of(err) == refusal.Rows { // what a table's rows may not be is said of the table here
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

// denied gives a missing right the scope of one table when the user has that right for the
// others of the schema.
func (w *connection) denied(ctx context.Context, err error) error {
	var e mssqldb.Error
	if !errors.As(err, &e) || e.Number != objectDenied {
		return err
	}
	stop, cancel := context.WithTimeout(ctx, graceTime)
	defer cancel()
	_, _ = w.conn.ExecContext(stop, "if @@trancount > 0 rollback transaction")
	var others sql.NullInt64
	if w.one(stop, "select has_perms_by_name("+text(quote(w.settings.Schema))+", N'SCHEMA', N'INSERT')", &others) != nil || others.Int64 != 1 {
		return err
	}
	return warehouse.Fail(warehouse.CodeAuth, refusal.Wrap(refusal.Table, e))
}

// Merge implements warehouse.Warehouse: one MERGE, and of a table that keeps values one for
// each part of the rows, in their order, all in one transaction.
func (w *connection) Merge(ctx context.Context, t warehouse.Table, files []warehouse.Staged) (m warehouse.Merged, err error) {
	defer w.bound(ctx)()
	have, _, err := w.columns(ctx, []string{t.Name})
	if err != nil {
		return m, err
	}
	g := &merging{w: w, into: t, have: have[t.Name], shape: rows.Of(t, ofRows), id: shortID}
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceTime)
		_, _ = w.conn.ExecContext(stop, "drop table if exists "+stage) // it ends with the session otherwise
		cancel()
	}()
	if err := w.run(ctx, warehouse.CodeFailed, createStage(g.shape, g.have)); err != nil {
		return m, refusal.Wrap(refusal.Warehouse, err)
	}
	if !g.shape.Keep() {
		if err := g.shape.Write(ctx, w.blobs, files, rows.Sink{Take: g.copy}); err != nil || g.copied == 0 {
			return m, err
		}
		return g.merged, w.transact(ctx, func() error { return g.merge(ctx) })
	}
	err = w.transact(ctx, func() error {
		return g.shape.Write(ctx, w.blobs, files, rows.Sink{Former: g.former, Take: func(ctx context.Context, values [][]parquet.Value) error {
			if err := g.copy(ctx, values); err != nil {
				return err
			}
			if err := g.merge(ctx); err != nil {
				return err
			}
			return w.run(ctx, warehouse.CodeFailed, "truncate table "+stage)
		}})
	})
	return g.merged, err
}

// merging is a merge at work.
type merging struct {
	w      *connection
	into   warehouse.Table
	have   []column
	shape  *rows.Table
	id     string // the type of ids in the temporary table
	copied int64
	merged warehouse.Merged
}

// copy brings rows into the temporary table.
func (g *merging) copy(ctx context.Context, values [][]parquet.Value) (err error) {
	if err := narrow(g.shape, g.into.More, g.have, values); err != nil {
		return warehouse.Fail(warehouse.CodeFailed, err)
	}
	idAt := slices.IndexFunc(g.shape.Columns, func(c rows.Column) bool { return c.Name == "id" })
	if g.id == shortID && slices.ContainsFunc(values, func(row []parquet.Value) bool { return units(string(row[idAt].ByteArray())) > idLength }) {
		if err := g.w.run(ctx, warehouse.CodeFailed, longStage(g.shape)); err != nil {
			return err
		}
		g.id = anyText
	}
	names := make([]string, len(g.shape.Columns))
	for i := range names {
		names[i] = rows.InFile(i)
	}
	bulk, err := g.w.conn.PrepareContext(ctx, mssqldb.CopyIn(stage, mssqldb.BulkOptions{Tablock: true, KeepNulls: true}, names...))
	if err != nil {
		return failure(warehouse.CodeFailed, err)
	}
	defer func() { _ = bulk.Close() }() // it does nothing
	row := make([]any, len(names))
	for n, from := range values {
		if n%1024 == 0 && ctx.Err() != nil {
			return warehouse.Fail(warehouse.CodeFailed, context.Cause(ctx))
		}
		for i, v := range from {
			row[i] = sent(g.shape.Columns[i].File, v)
		}
		if _, err := bulk.ExecContext(ctx, row...); err != nil {
			return failure(warehouse.CodeFailed, err)
		}
	}
	done, err := bulk.ExecContext(ctx)
	if err != nil {
		return failure(warehouse.CodeFailed, err)
	}
	if took, err := done.RowsAffected(); err != nil || took != int64(len(values)) {
		return warehouse.Fail(warehouse.CodeFailed, fmt.Errorf("the server took %d rows of %d (%w)", took, len(values), err))
	}
	g.copied += int64(len(values))
	return nil
}

// sent is a value as the bulk copy takes it.
func sent(typ layout.Type, v parquet.Value) any {
	switch {
	case v.IsNull():
		return nil
	case typ == layout.Int:
		return v.Int64()
	case typ == layout.Float:
		return v.Double()
	case typ == layout.Boolean:
		return v.Boolean()
	case typ == layout.Datetime:
		return time.UnixMilli(v.Int64()).UTC()
	}
	return string(v.ByteArray())
}

// merge brings the temporary table into the table of the merge.
func (g *merging) merge(ctx context.Context) error {
	table := g.w.within(g.into.Name)
	have, _, err := g.w.columns(ctx, []string{g.into.Name}) // under the lock
	if err != nil {
		return err
	}
	for _, c := range have[g.into.Name] {
		if c.name != "id" || c.native != shortID || g.id != anyText {
			continue
		}
		for _, q := range longIDs(table) {
			if err := g.w.run(ctx, warehouse.CodeSchema, q); err != nil {
				return err
			}
		}
	}
	done, err := g.w.conn.ExecContext(ctx, merge(table, g.shape, have[g.into.Name]))
	if err != nil {
		return g.w.denied(ctx, failure(warehouse.CodeFailed, err))
	}
	n, err := done.RowsAffected()
	g.merged.Rows += n
	return failure(warehouse.CodeFailed, err)
}

// idsAtOnce is how many ids one statement names.
const idsAtOnce = 500

// former reads MoreColumn of rows.
func (g *merging) former(ctx context.Context, ids []string) (map[string]string, error) {
	all := map[string]string{}
	for part := range slices.Chunk(ids, idsAtOnce) {
		named := make([]string, len(part))
		for i, id := range part {
			named[i] = g.w.Text(id)
		}
		q := fmt.Sprintf("select [id], %[1]s from %s where %[1]s is not null and [id] in (%[3]s)", quote(g.into.More), g.w.within(g.into.Name), strings.Join(named, ", "))
		err := g.w.ask(ctx, q, func(row []any) error {
			all[textOf(row[0])] = textOf(row[1])
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// home is an error when names without a schema are those of another one.
func (w *connection) home(ctx context.Context) error {
	var schema, user sql.NullString
	if err := w.one(ctx, "select schema_name(), user_name()", &schema, &user); err != nil {
		return err
	}
	if strings.EqualFold(schema.String, w.settings.Schema) {
		return nil
	}
	return warehouse.Fail(warehouse.CodeAuth, fault.New(fault.Denied, "The default schema of the user is %s: alter user %s with default_schema = %s (members of sysadmin always have dbo)", schema.String, quote(user.String), quote(w.settings.Schema)))
}

// Query implements warehouse.Warehouse.
func (w *connection) Query(ctx context.Context, query string, row func([]byte) error) (err error) {
	if err := reading.Query(query); err != nil {
		return warehouse.Refuse(warehouse.CodeFailed, fmt.Errorf("a query is one statement that only reads: %w", err))
	}
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	defer w.bound(ctx)()
	if err := w.home(ctx); err != nil {
		return refusal.Wrap(refusal.Warehouse, err)
	}
	if err := w.run(ctx, warehouse.CodeUnreachable, "begin transaction"); err != nil {
		return refusal.Wrap(refusal.Warehouse, err)
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceTime)
		_, _ = w.conn.ExecContext(stop, "if @@trancount > 0 rollback transaction")
		cancel()
	}()
	found, err := w.conn.QueryContext(ctx, query)
	if err != nil {
		return refused(err)
	}
	defer func() { _ = found.Close() }() // it was only read
	types, err := found.ColumnTypes()
	if err != nil {
		return refused(err)
	}
	names := make([]string, len(types))
	values, into := make([]any, len(types)), make([]any, len(types))
	for i, t := range types {
		names[i], into[i] = t.Name(), &values[i]
	}
	for found.Next() {
		if err := found.Scan(into...); err != nil {
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
	return refused(found.Err())
}

// plain is a value of a query's row as RowJSON takes it.
func plain(typ string, v any) any {
	switch x := v.(type) {
	case []byte:
		switch typ {
		case "DECIMAL", "NUMERIC", "MONEY", "SMALLMONEY":
			if json.Valid(x) {
				return json.Number(x)
			}
			return string(x)
		case "UNIQUEIDENTIFIER":
			var u mssqldb.UniqueIdentifier
			if u.Scan(x) == nil {
				return strings.ToLower(u.String())
			}
		}
		return "0x" + hex.EncodeToString(x)
	case float64:
		if typ == "REAL" { // in its own digits
			return float32(x)
		}
	case time.Time:
		if typ == "TIME" {
			return x.Format("15:04:05.9999999")
		}
	}
	return v
}

// Exec implements warehouse.Warehouse. It takes what changes rows, and no more: what makes
// tables is written in other words here than elsewhere.
func (w *connection) Exec(ctx context.Context, statements []string) (changed int64, err error) {
	for _, q := range statements {
		if err := reading.Exec(q); err != nil {
			return 0, warehouse.Refuse(warehouse.CodeFailed, fmt.Errorf("only insert, update, delete and merge are run: %w", err))
		}
	}
	defer w.bound(ctx)()
	if err := w.home(ctx); err != nil {
		return 0, refusal.Wrap(refusal.Warehouse, err)
	}
	err = w.transact(ctx, func() error {
		for _, q := range statements {
			if !strings.HasSuffix(strings.TrimSpace(q), ";") {
				q += "\n;" // merge needs it
			}
			done, err := w.conn.ExecContext(ctx, q)
			if err != nil {
				return refused(err)
			}
			if changed, err = done.RowsAffected(); err != nil {
				return failure(warehouse.CodeFailed, err)
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return changed, nil
}

// Test implements warehouse.Warehouse: it names the right that is missing, and makes a
// temporary table.
func (w *connection) Test(ctx context.Context) error {
	defer w.bound(ctx)()
	schema := quote(w.settings.Schema)
	var there, creates, makes sql.NullInt64
	var user sql.NullString
	err := w.one(ctx, "select schema_id("+text(w.settings.Schema)+"), has_perms_by_name(db_name(), N'DATABASE', N'CREATE TABLE'), has_perms_by_name(db_name(), N'DATABASE', N'CREATE SCHEMA'), user_name()", &there, &creates, &makes, &user)
	if err != nil {
		return err
	}
	name := quote(user.String)
	missing := func(remedy string) error {
		return warehouse.Fail(warehouse.CodeAuth, fault.New(fault.Denied, "The user lacks a right: %s", remedy))
	}
	switch {
	case creates.Int64 != 1:
		return missing("grant create table to " + name)
	case !there.Valid && makes.Int64 != 1:
		return missing("create schema " + schema + ", or grant create schema to " + name)
	case !there.Valid:
		if err := w.make(ctx); err != nil {
			return err
		}
	}
	var lacks []string
	for _, right := range []string{"alter", "select", "insert", "update", "delete"} {
		var has sql.NullInt64
		if err := w.one(ctx, "select has_perms_by_name("+text(schema)+", N'SCHEMA', "+text(strings.ToUpper(right))+")", &has); err != nil {
			return err
		}
		if has.Int64 != 1 {
			lacks = append(lacks, right)
		}
	}
	if len(lacks) > 0 {
		return missing("grant " + strings.Join(lacks, ", ") + " on schema::" + schema + " to " + name)
	}
	if err := w.home(ctx); err != nil {
		return err
	}
	shape := rows.Of(warehouse.Table{Columns: []warehouse.Target{{Name: "id", Native: shortID, Type: layout.String}}}, ofRows)
	return w.transact(ctx, func() error {
		if err := w.run(ctx, warehouse.CodeFailed, createStage(shape, nil)); err != nil {
			return refusal.Wrap(refusal.Warehouse, err)
		}
		return refusal.Wrap(refusal.Warehouse, w.run(ctx, warehouse.CodeFailed, "drop table "+stage))
	})
}

// Close implements warehouse.Warehouse.
func (w *connection) Close() error {
	w.way.until(time.Now().Add(graceTime))
	_ = w.conn.Close() // everything was committed; the server ends the rest
	_ = w.db.Close()
	return nil
}
