package warehouses_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	driver "github.com/duckdb/duckdb-go/v2"

	"weir/dataplane/load/loadtest"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/mssql"
	"weir/shared/secret"
)

// sqlServer is a stand-in of Microsoft SQL Server: it speaks the Tabular Data Stream
// protocol, takes statements of the forms that the documentation has and the kind needs, and
// keeps tables in DuckDB, of which each session has a connection.
// Source: https://learn.microsoft.com/en-us/sql/t-sql/statements/statements
type sqlServer struct {
	t      testing.TB
	db     *sql.DB
	listen net.Listener
	tls    *tls.Config
	lock   chan struct{} // of the schema: one session at a time

	mu    sync.Mutex
	short map[string]bool // tables whose ids have 450 characters at most
	deny  map[string]bool // rights that the user lacks, as has_perms_by_name has them, or INSERT and a table
	home  string          // the default schema of the user
}

func newSQLServer(t testing.TB) *sqlServer {
	connector, err := driver.NewConnector("", func(e sqldriver.ExecerContext) error {
		for _, q := range []string{"attach if not exists ':memory:' as analytics", "create schema if not exists analytics.weir", "use analytics.weir", "set timezone = 'UTC'", "set threads = 1"} {
			if _, err := e.ExecContext(context.Background(), q, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &sqlServer{t: t, db: sql.OpenDB(connector), lock: make(chan struct{}, 1), short: map[string]bool{}, deny: map[string]bool{}, home: "weir"}
	if s.listen, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	var sessions sync.WaitGroup
	sessions.Go(func() {
		for {
			conn, err := s.listen.Accept()
			if err != nil {
				return
			}
			sessions.Go(func() {
				c := &mssqlSession{s: s}
				c.serve(&tdsConn{Conn: conn, r: bufio.NewReader(conn)})
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = s.listen.Close()
		sessions.Wait()
		_ = s.db.Close()
	})
	return s
}

func (s *sqlServer) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", s.listen.Addr().String())
}

// owner runs statements as the owner of the warehouse.
func (s *sqlServer) owner(q string) {
	if m := regexp.MustCompile(`^(deny|grant) insert on (\w+)$`).FindStringSubmatch(q); m != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.deny["INSERT "+m[2]] = m[1] == "deny"
		return
	}
	if _, err := s.db.Exec(mssqlOwner.rewrite(q)); err != nil {
		s.t.Fatalf("%s: %v", q, err)
	}
}

func ofMSSQL(t testing.TB) loadtest.Setup {
	setup, _ := mssqlSetup(t)
	return setup
}

func mssqlSetup(t testing.TB) (loadtest.Setup, *sqlServer) {
	s := newSQLServer(t)
	return loadtest.Setup{
		Settings: `{"host":"db.example","database":"analytics","user":"weir","schema":"weir","sslMode":"disable"}`,
		Secrets:  map[string]secret.String{"password": secret.NewString("hush")},
		Deps:     warehouse.Deps{Dial: s.dial, Now: time.Now},
		Exec:     s.owner,
		Revoke:   "deny insert on pages", Grant: "grant insert on pages",
		Undoes: loadtest.UndoesRows, SQL: mssqlQueries.rewrite,
		Outside: []string{
			"insert into order_done (id) values ('2')", "delete from order_done", "update order_done set n = 2", "merge into order_done using (select 1 as i) s on 1 = 0 when not matched then insert (id) values ('2');", "truncate table order_done", "drop table order_done",
			"create table x (i int)", "select * into x from order_done", "select 1; delete from order_done", "select 1 delete from order_done", "select 1 /* /* */ */ delete from order_done", "with x as (select 1 as i) delete from order_done", "exec('delete from order_done')",
			"execute sp_executesql N'delete from order_done'", "sp_who", "xp_cmdshell 'dir'", "select * from openrowset(bulk '/etc/passwd', single_clob) x", "select * from openquery(other, 'select 1')", "select * from opendatasource('MSOLEDBSQL', 'x').a.b.c", "bulk insert order_done from '/etc/passwd'",
			"select * from other.master.dbo.hush", "select * from master..hush", "use master select 1", "backup database analytics to disk = 'x'", "begin transaction", "commit", "select 1 commit", "set nocount on", "declare @x int", "select @x = 1", "waitfor delay '00:10'", "grant select on order_done to public",
			"select next value for s", "alter table order_done add x int", "dbcc checkdb", "kill 1", "shutdown", "print 1", "if 1 = 1 select 1", "while 1 = 1 select 1", "raiserror('x', 20, 1)", "reconfigure", "select 1 as [x] -- ]\ndelete from order_done", "select 'a''' delete from order_done", "select 'it does not end", "disable trigger t on order_done",
		},
		// What is mixed is one file after the other, as in every part; broad and traits have as
		// many columns as wide.
		Without: []string{"mixed", "wide"},
	}, s
}

// mssqlQueries writes the kit's queries with names that are reserved words here.
var (
	mssqlQueries = rewriter{{`"count"`, `_count as "count"`}, {`"at"`, `_at as "at"`}, {`\bplan\b`, `_plan as "plan"`}, {`\bday(__raw)?\b`, `_day$1`}}
	mssqlOwner   = rewriter{{` day date`, ` _day date`}}
)

// mssqlSession is what a client has.
type mssqlSession struct {
	s     *sqlServer
	conn  *sql.Conn
	tran  bool     // a transaction is open
	begun bool     // DuckDB knows of it
	holds bool     // the lock of the schema
	plan  bool     // FMTONLY: no rows
	stage []string // the types of the columns of the temporary table
	into  string   // what INSERT BULK said
}

func (c *mssqlSession) serve(client *tdsConn) {
	client, err := client.prelogin(c.s.tls)
	if err != nil {
		return
	}
	user, password, database, err := client.login()
	if err != nil {
		return
	}
	var hello tokens
	switch {
	case user != "weir" || password != "hush":
		hello.failed(18456, "Login failed for user '"+user+"'.")
		hello.done(tdsError, 0)
	case database != "analytics":
		hello.failed(4060, `Cannot open database "`+database+`" requested by the login. The login failed.`)
		hello.done(tdsError, 0)
	default:
		hello.welcome(database)
	}
	if client.send(tdsReply, hello) != nil {
		return
	}
	if c.conn, err = c.s.db.Conn(context.Background()); err != nil {
		c.s.t.Error(err)
		return
	}
	defer func() {
		_ = c.end(false)
		_, _ = c.conn.ExecContext(context.Background(), `drop table if exists temp.main."#weir_rows"`) // the connection goes back to its pool
		_ = c.conn.Close()
	}()
	for {
		typ, body, err := client.message()
		if err != nil {
			return
		}
		var out tokens
		switch typ {
		case tdsBatch:
			c.batch(&out, body)
		case tdsBulk:
			c.bulk(&out, body)
		case tdsAttention:
			out.done(tdsAttn, 0)
		default:
			c.fail(&out, &mssqlError{0, fmt.Sprintf("packet %#x is not taken", typ)})
		}
		if client.send(tdsReply, out) != nil {
			return
		}
	}
}

// mssqlError is what SQL Server says against a statement.
type mssqlError struct {
	number int32
	text   string
}

func (e *mssqlError) Error() string { return e.text }

func mssqlErrorOf(err error) *mssqlError {
	var e *mssqlError
	if errors.As(err, &e) {
		return e
	}
	var d *driver.Error
	if !errors.As(err, &d) {
		return &mssqlError{8114, err.Error()}
	}
	number := int32(8114)
	switch d.Type {
	case driver.ErrorTypeCatalog:
		number = 208
		if strings.Contains(d.Msg, "already exists") {
			number = 2714
		}
	case driver.ErrorTypeParser, driver.ErrorTypeSyntax:
		number = 102
	case driver.ErrorTypeBinder:
		number = 207
	case driver.ErrorTypeConstraint:
		number = 2627
	case driver.ErrorTypeDependency:
		number = 5074
	}
	return &mssqlError{number, d.Msg}
}

// fail answers an error: with XACT_ABORT on it takes the transaction back.
func (c *mssqlSession) fail(out *tokens, err error) {
	e := mssqlErrorOf(err)
	out.failed(e.number, e.text)
	if c.tran {
		_ = c.end(false)
		out.moved(10, 1)
	}
	out.done(tdsError, 0)
}

// end ends the transaction.
func (c *mssqlSession) end(well bool) (err error) {
	if c.begun {
		q := "rollback"
		if well {
			q = "commit"
		}
		_, err = c.conn.ExecContext(context.Background(), q)
	}
	if c.holds {
		<-c.s.lock
	}
	c.tran, c.begun, c.holds = false, false, false
	return err
}

// Forms of statements. T is a table, C a column, Y a type, S a text.
var (
	mssqlForm = func(form string) *regexp.Regexp {
		for word, is := range map[string]string{"T": `\[weir\]\.\[((?:[^\]]|\]\])+)\]`, "C": `\[(?:[^\]]|\]\])+\]`, "Y": `(?:bigint|float|bit|datetimeoffset\(3\)|nvarchar\(max\)|nvarchar\(450\))`, "S": `N'(?:[^']|'')*'`} {
			form = regexp.MustCompile(`\b`+word+`\b`).ReplaceAllLiteralString(form, is)
		}
		return regexp.MustCompile(`(?s)^` + form + `$`)
	}
	mssqlSession0   = mssqlForm(`set xact_abort on set lock_timeout 15000 set transaction isolation level read committed`)
	mssqlLock       = mssqlForm(`declare @got int exec @got = sp_getapplock @Resource = N'weir:weir', @LockMode = N'Exclusive', @LockOwner = N'Transaction', @LockTimeout = 15000 select @got`)
	mssqlCreate     = mssqlForm(`create table T \(\[id\] nvarchar\(450\) collate Latin1_General_100_BIN2, index \[weir_id\] \(\[id\]\)\)`)
	mssqlAdd        = mssqlForm(`alter table T add (C Y null(?:, C Y null)*)`)
	mssqlAlter      = mssqlForm(`alter table T alter column (C) (Y)( collate Latin1_General_100_BIN2)? null`)
	mssqlUpdate     = mssqlForm(`update T set C = (?:case|left|switchoffset).*`)
	mssqlDelete     = mssqlForm(`delete from T where .+`)
	mssqlIndex      = mssqlForm(`drop index if exists \[weir_id\] on T`)
	mssqlStage      = mssqlForm(`create table #weir_rows \((c\d{5} Y(?: collate \w+)? null(?:, c\d{5} Y(?: collate \w+)? null)*)\)`)
	mssqlLongStage  = mssqlForm(`alter table #weir_rows alter column (c\d{5}) nvarchar\(max\) collate Latin1_General_100_BIN2 null`)
	mssqlDropStage  = mssqlForm(`drop table (?:if exists )?#weir_rows`)
	mssqlEmptyStage = mssqlForm(`truncate table #weir_rows`)
	mssqlMeta       = mssqlForm(`select \* from \[#weir_rows\] SET FMTONLY OFF`)
	mssqlBulk       = mssqlForm(`INSERT BULK \[#weir_rows\] \((\[c\d{5}\] Y(?:, \[c\d{5}\] Y)*)\) WITH \(KEEP_NULLS,TABLOCK\)`)
	mssqlMerge      = mssqlForm(`merge into T with \(holdlock\) as t using #weir_rows as s on t\.\[id\] = s\.(c\d{5}) collate \w+ and t\.\[id\] \+ N'\.' = s\.c\d{5} \+ N'\.' collate Latin1_General_100_BIN2(?: when matched then update set .*)? when not matched then insert \(.*\) values \(.*\);`)
	mssqlObjects    = mssqlForm(`select o\.name, rtrim\(o\.type\) from sys\.objects o where o\.schema_id = schema_id\(N'weir'\) and o\.name in \(((?:S(?:, )?)+)\)`)
	mssqlColumns    = mssqlForm(`select o\.name, c\.name, t\.name, c\.max_length, c\.precision, c\.scale, c\.collation_name, c\.is_computed, case when c\.is_computed = 1 or c\.is_identity = 1 or c\.is_nullable = 0 or c\.generated_always_type <> 0 or c\.system_type_id = 189 then 1 else 0 end from sys\.columns c join sys\.objects o on o\.object_id = c\.object_id left join sys\.types t on t\.user_type_id = c\.system_type_id where o\.schema_id = schema_id\(N'weir'\) and o\.name in \(((?:S(?:, )?)+)\) and o\.type = N'U' order by c\.column_id`)
	mssqlTables     = mssqlForm(`select o\.name from sys\.objects o where o\.schema_id = schema_id\(N'weir'\) and o\.type = N'U'`)
	mssqlPerms      = mssqlForm(`select has_perms_by_name\(N'\[weir\]', N'SCHEMA', N'([A-Z]+)'\)`)
	mssqlReads      = regexp.MustCompile(`(?is)^[\s(]*(select|with)\b`)
	mssqlWrites     = regexp.MustCompile(`(?is)^[\s(]*(insert into|delete from|update)\b`)
	mssqlLacks      = regexp.MustCompile(`(?i)::|\blimit\b|\btry_cast\b|\bread_\w+|\bfilter\s*\(|\breturning\b|\bfrom\s*$|\bilike\b|\|\|`)
)

func mssqlNames(list string) (all []string) {
	for _, m := range regexp.MustCompile(`N'((?:[^']|'')*)'`).FindAllStringSubmatch(list, -1) {
		all = append(all, strings.ReplaceAll(m[1], "''", "'"))
	}
	return all
}

// mssqlPieces are texts, quoted names and all between them.
var mssqlPieces = regexp.MustCompile(`(?s)N?'(?:[^']|'')*'|"(?:[^"]|"")*"|\[(?:[^\]]|\]\])*\]|(?:[^'"\[N]|N)`)

// mssqlWords are words of SQL Server in those of DuckDB. Texts and quoted names are apart.
var mssqlWords = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(` collate \w+`), ""}, {regexp.MustCompile(`\bnvarchar\((?:max|\d+)\)`), "varchar"}, {regexp.MustCompile(`\bfloat\b`), "double"}, {regexp.MustCompile(`\bbit\b`), "boolean"},
	{regexp.MustCompile(`\bdatetimeoffset\(\d\)`), "timestamptz"}, {regexp.MustCompile(`\bdatetime2\(\d\)`), "timestamp"}, {regexp.MustCompile(`\buniqueidentifier\b`), "uuid"}, {regexp.MustCompile(`#weir_rows\b`), `"#weir_rows"`},
	{regexp.MustCompile(` with \(holdlock\)`), ""}, {regexp.MustCompile(`\bdatepart\(tzoffset, \x01\d+\x02\)`), "0"}, {regexp.MustCompile(`\bswitchoffset\((\x01\d+\x02), \x01\d+\x02\)`), "$1"},
}

var mssqlTexts = regexp.MustCompile(`^merge into .* using #weir_rows |= left\(`)

var mssqlKept = regexp.MustCompile(`\x01\d+\x02`)

// duck writes a statement as DuckDB takes it.
func (c *mssqlSession) duck(q string) string {
	var kept []string
	keep := func(p string) string {
		kept = append(kept, p)
		return fmt.Sprintf("\x01%d\x02", len(kept)-1)
	}
	q = mssqlPieces.ReplaceAllStringFunc(strings.TrimSuffix(strings.TrimSpace(q), ";"), func(p string) string {
		switch {
		case strings.HasPrefix(p, "N'") || p[0] == '\'': // a backslash goes on with the next line
			return keep(strings.NewReplacer("\\\r\n", "", "\\\n", "").Replace(strings.TrimPrefix(p, "N")))
		case p[0] == '[':
			return keep(`"` + strings.ReplaceAll(strings.ReplaceAll(p[1:len(p)-1], "]]", "]"), `"`, `""`) + `"`)
		case p[0] == '"':
			return keep(p)
		}
		return p
	})
	if mssqlTexts.MatchString(q) { // what it adds up are texts
		q = strings.ReplaceAll(q, " + ", " || ")
	}
	for _, r := range mssqlWords {
		q = r.from.ReplaceAllString(q, r.to)
	}
	return mssqlKept.ReplaceAllStringFunc(q, func(p string) string {
		n, _ := strconv.Atoi(p[1 : len(p)-1]) // it was written so
		return kept[n]
	})
}

// begin tells DuckDB of the transaction, whose view of the tables begins here.
func (c *mssqlSession) begin(ctx context.Context) error {
	if !c.tran || c.begun {
		return nil
	}
	c.begun = true
	_, err := c.conn.ExecContext(ctx, "begin transaction")
	return err
}

// batch runs a batch.
func (c *mssqlSession) batch(out *tokens, body []byte) {
	if len(body) < 4 || int(body[0]) > len(body) {
		c.fail(out, errors.New("no batch"))
		return
	}
	q := utf16le(body[int(body[0]):])
	ctx := context.Background()
	switch q {
	case "begin transaction":
		c.tran = true
		out.moved(8, 1)
		out.done(0, 0)
		return
	case "commit transaction":
		if !c.tran {
			c.fail(out, &mssqlError{3902, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION."})
			return
		}
		if err := c.end(true); err != nil {
			c.tran = true
			c.fail(out, err)
			return
		}
		out.moved(9, 1)
		out.done(0, 0)
		return
	case "if @@trancount > 0 rollback transaction":
		if c.tran {
			_ = c.end(false)
			out.moved(10, 1)
		}
		out.done(0, 0)
		return
	case "SET FMTONLY ON", "SET FMTONLY OFF":
		c.plan = q == "SET FMTONLY ON"
		out.done(0, 0)
		return
	}
	rows, n, err := c.one(ctx, q)
	if err == nil && rows != nil {
		err = out.result(*rows)
		n = int64(len(rows.rows))
	}
	if err != nil {
		*out = (*out)[:0]
		c.fail(out, err)
		return
	}
	out.done(tdsCount, n)
}

// one runs one statement.
func (c *mssqlSession) one(ctx context.Context, q string) (rows *table, n int64, err error) {
	answer := func(types []string, values ...any) (*table, int64, error) {
		return &table{names: make([]string, len(types)), types: types, rows: [][]any{values}}, 0, nil
	}
	number := func(ok bool) int32 {
		if ok {
			return 1
		}
		return 0
	}
	switch {
	case mssqlSession0.MatchString(q):
		return nil, 0, nil
	case mssqlLock.MatchString(q):
		if c.holds || !c.tran || c.begun {
			return nil, 0, &mssqlError{1222, "the lock is asked for twice, without a transaction, or late"}
		}
		select {
		case c.s.lock <- struct{}{}:
			c.holds = true
			return answer([]string{"INTEGER"}, int32(0))
		case <-time.After(15 * time.Second):
			return answer([]string{"INTEGER"}, int32(-1))
		}
	case q == "select case when N'a' = N'A' then 1 else 0 end":
		return answer([]string{"INTEGER"}, int32(1))
	case q == "select schema_id(N'weir')":
		return answer([]string{"INTEGER"}, int32(5))
	case q == "select schema_name(), user_name()":
		return answer([]string{"VARCHAR", "VARCHAR"}, c.s.home, "weir")
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	switch {
	case q == "select schema_id(N'weir'), has_perms_by_name(db_name(), N'DATABASE', N'CREATE TABLE'), has_perms_by_name(db_name(), N'DATABASE', N'CREATE SCHEMA'), user_name()":
		schema := any(int32(5))
		if c.s.deny["schema"] {
			schema = nil
		}
		return answer([]string{"INTEGER", "INTEGER", "INTEGER", "VARCHAR"}, schema, number(!c.s.deny["CREATE TABLE"]), number(!c.s.deny["CREATE SCHEMA"]), "weir")
	case mssqlPerms.MatchString(q):
		return answer([]string{"INTEGER"}, number(!c.s.deny[mssqlPerms.FindStringSubmatch(q)[1]]))
	}
	if err := c.begin(ctx); err != nil {
		return nil, 0, err
	}
	run := func(q string) (*table, int64, error) {
		done, err := c.conn.ExecContext(ctx, q)
		if err != nil {
			return nil, 0, fmt.Errorf("%w", err)
		}
		n, err := done.RowsAffected()
		return nil, n, err
	}
	ask := func(q string, args ...any) (table, error) {
		found, err := c.conn.QueryContext(ctx, q, args...)
		if err != nil {
			return table{}, err
		}
		return tableOf(found)
	}
	for _, f := range []*regexp.Regexp{mssqlCreate, mssqlAdd, mssqlAlter, mssqlUpdate, mssqlDelete, mssqlMerge} {
		if f.MatchString(q) && !c.holds {
			return nil, 0, fmt.Errorf("without the lock of the schema: %.200s", q)
		}
	}
	switch {
	case mssqlCreate.MatchString(q):
		m := mssqlCreate.FindStringSubmatch(q)
		c.s.short[m[1]] = true
		return run(fmt.Sprintf(`create table weir."%s" (id varchar)`, m[1]))
	case mssqlIndex.MatchString(q):
		return nil, 0, nil
	case mssqlAdd.MatchString(q):
		m := mssqlAdd.FindStringSubmatch(q)
		for _, def := range strings.Split(m[2], ", ") {
			if _, _, err := run(fmt.Sprintf(`alter table weir."%s" add column %s`, m[1], strings.TrimSuffix(c.duck(def), " null"))); err != nil {
				return nil, 0, err
			}
		}
		return nil, 0, nil
	case mssqlAlter.MatchString(q):
		m := mssqlAlter.FindStringSubmatch(q)
		column, typ := c.duck(m[2]), c.duck(m[3])
		is, err := ask("select data_type from duckdb_columns() where database_name = 'analytics' and schema_name = 'weir' and table_name = ? and column_name = ?", m[1], strings.Trim(column, `"`))
		if err != nil {
			return nil, 0, err
		}
		if len(is.rows) != 1 {
			return nil, 0, &mssqlError{4924, "ALTER TABLE ALTER COLUMN failed because column does not exist"}
		}
		using := ""
		switch from := is.rows[0][0].(string) + " to " + typ; from { // what the server makes of values
		case "BOOLEAN to varchar":
			using = fmt.Sprintf(" using case when %[1]s then '1' when not %[1]s then '0' end", column)
		case "TIMESTAMP WITH TIME ZONE to varchar":
			using = fmt.Sprintf(" using lpad(year(%[1]s)::varchar, 4, '0') || strftime(%[1]s, '-%%m-%%d %%H:%%M:%%S.%%g +00:00')", column)
		case "BIGINT to varchar", "BIGINT to double", "VARCHAR to varchar":
		default:
			return nil, 0, fmt.Errorf("no way from %s is documented", from)
		}
		if m[2] == "[id]" {
			c.s.short[m[1]] = false
		}
		return run(fmt.Sprintf(`alter table weir."%s" alter column %s type %s%s`, m[1], column, typ, using))
	case mssqlStage.MatchString(q):
		c.stage = nil
		for _, def := range strings.Split(mssqlStage.FindStringSubmatch(q)[1], ", ") {
			c.stage = append(c.stage, strings.Fields(def)[1])
		}
		return run("create temp table " + strings.ReplaceAll(strings.TrimPrefix(c.duck(q), "create table "), " null", ""))
	case mssqlLongStage.MatchString(q):
		n, err := strconv.Atoi(mssqlLongStage.FindStringSubmatch(q)[1][1:])
		if err == nil && n < len(c.stage) && c.stage[n] == "nvarchar(450)" {
			c.stage[n] = "nvarchar(max)"
			return nil, 0, nil
		}
		return nil, 0, &mssqlError{4924, "ALTER TABLE ALTER COLUMN failed because column does not exist"}
	case mssqlDropStage.MatchString(q):
		return run(`drop table if exists temp.main."#weir_rows"`)
	case mssqlEmptyStage.MatchString(q):
		return run(`delete from temp.main."#weir_rows"`)
	case mssqlMeta.MatchString(q) && c.plan:
		c.plan = false
		meta, err := ask(`select * from temp.main."#weir_rows" limit 0`)
		for i, typ := range c.stage {
			switch typ {
			case "nvarchar(450)":
				meta.types[i] = "NVARCHAR(450)"
			case "datetimeoffset(3)":
				meta.types[i] = "TIMESTAMPTZ(3)"
			}
		}
		return &meta, 0, err
	case mssqlBulk.MatchString(q):
		c.into = mssqlBulk.FindStringSubmatch(q)[1]
		return nil, 0, nil
	case mssqlMerge.MatchString(q):
		m := mssqlMerge.FindStringSubmatch(q)
		if c.s.deny["INSERT "+m[1]] {
			return nil, 0, &mssqlError{229, "The INSERT permission was denied on the object '" + m[1] + "', database 'analytics', schema 'weir'."}
		}
		twice, err := ask(`select 1 from temp.main."#weir_rows" group by ` + m[2] + ` having count(*) > 1`)
		if err != nil {
			return nil, 0, err
		}
		if len(twice.rows) > 0 {
			return nil, 0, &mssqlError{8672, "The MERGE statement attempted to UPDATE or DELETE the same row more than once."}
		}
		if c.s.short[m[1]] {
			long, err := ask(`select 1 from temp.main."#weir_rows" where length(` + m[2] + `) > 450`)
			if err != nil {
				return nil, 0, err
			}
			if len(long.rows) > 0 {
				return nil, 0, &mssqlError{2628, "String or binary data would be truncated"}
			}
		}
		return run(c.duck(q))
	case mssqlUpdate.MatchString(q), mssqlDelete.MatchString(q):
		return run(c.duck(q))
	case mssqlObjects.MatchString(q):
		return c.objects(ask, mssqlNames(mssqlObjects.FindStringSubmatch(q)[1]))
	case mssqlTables.MatchString(q):
		all, err := ask("select table_name from duckdb_tables() where database_name = 'analytics' and schema_name = 'weir'")
		return &all, 0, err
	case mssqlColumns.MatchString(q):
		return c.columns(ask, mssqlNames(mssqlColumns.FindStringSubmatch(q)[1]))
	case mssqlLacks.MatchString(mssqlPieces.ReplaceAllStringFunc(q, func(p string) string {
		if len(p) > 1 {
			return " x "
		}
		return p
	})):
		return nil, 0, &mssqlError{102, "Incorrect syntax: " + q}
	case mssqlReads.MatchString(q):
		q = c.duck(q)
		if top := regexp.MustCompile(`(?s)^select top (\d+) (.*)$`).FindStringSubmatch(q); top != nil {
			q = "select " + top[2] + " limit " + top[1]
		}
		all, err := ask(q)
		return &all, 0, err
	case mssqlWrites.MatchString(q) && c.holds:
		return run(c.duck(q))
	}
	return nil, 0, &mssqlError{102, "this is no statement of the documentation's: " + q}
}

// objects are what the schema has of these names.
func (c *mssqlSession) objects(ask func(string, ...any) (table, error), names []string) (*table, int64, error) {
	all, err := ask(`select table_name, 'U' from duckdb_tables() where database_name = 'analytics' and schema_name = 'weir' union all
		select view_name, 'V' from duckdb_views() where database_name = 'analytics' and schema_name = 'weir' union all select sequence_name, 'SO' from duckdb_sequences() where database_name = 'analytics' and schema_name = 'weir'`)
	all.rows = slices.DeleteFunc(all.rows, func(r []any) bool { return !slices.Contains(names, strings.ToLower(r[0].(string))) })
	return &all, 0, err
}

// columns are those of tables as sys.columns has them.
func (c *mssqlSession) columns(ask func(string, ...any) (table, error), names []string) (*table, int64, error) {
	found, err := ask(`select c.table_name, c.column_name, c.data_type from duckdb_columns() c join duckdb_tables() t on t.table_oid = c.table_oid and t.database_name = c.database_name
		where c.database_name = 'analytics' and c.schema_name = 'weir' order by c.table_name, c.column_index`)
	if err != nil {
		return nil, 0, err
	}
	out := table{names: []string{"name", "name", "name", "max_length", "precision", "scale", "collation_name", "is_computed", ""}, types: []string{"VARCHAR", "VARCHAR", "VARCHAR", "SMALLINT", "SMALLINT", "SMALLINT", "VARCHAR", "BOOLEAN", "INTEGER"}}
	for _, r := range found.rows {
		tab, name, typ := r[0].(string), r[1].(string), r[2].(string)
		if !slices.Contains(names, strings.ToLower(tab)) {
			continue
		}
		row := func(typ string, bytes, precision, scale int16, collation any) {
			out.rows = append(out.rows, []any{tab, name, typ, bytes, precision, scale, collation, false, int32(0)})
		}
		var precision, scale int16
		switch _, err := fmt.Sscanf(typ, "DECIMAL(%d,%d)", &precision, &scale); {
		case err == nil:
			row("decimal", 17, precision, scale, nil)
		case name == "id" && typ == "VARCHAR" && c.s.short[tab]:
			row("nvarchar", 900, 0, 0, "Latin1_General_100_BIN2")
		case typ == "VARCHAR":
			row("nvarchar", -1, 0, 0, "SQL_Latin1_General_CP1_CI_AS")
		case typ == "TIMESTAMP WITH TIME ZONE":
			row("datetimeoffset", 9, 30, 3, nil)
		case typ == "TIMESTAMP":
			row("datetime2", 8, 26, 6, nil)
		case typ == "TIMESTAMP_S":
			row("datetime2", 6, 19, 0, nil)
		default:
			is, ok := map[string]string{"BIGINT": "bigint 8", "INTEGER": "int 4", "SMALLINT": "smallint 2", "DOUBLE": "float 8", "FLOAT": "real 4", "BOOLEAN": "bit 1", "DATE": "date 3", "UUID": "uniqueidentifier 16"}[typ]
			if !ok {
				is = "sql_variant 8016"
			}
			var size int16
			_, _ = fmt.Sscanf(is, "%s %d", &typ, &size)
			row(typ, size, 0, 0, nil)
		}
	}
	return &out, 0, nil
}

// bulk takes the rows of a bulk load that INSERT BULK began.
func (c *mssqlSession) bulk(out *tokens, body []byte) {
	columns, rows, err := bulk(body)
	declared := make([]string, len(columns))
	for i, col := range columns {
		declared[i] = "[" + col.name + "] " + col.declared()
	}
	switch {
	case err != nil:
		c.fail(out, &mssqlError{4804, err.Error()})
		return
	case c.into == "" || strings.Join(declared, ", ") != c.into:
		c.fail(out, &mssqlError{4816, fmt.Sprintf("Invalid column type from bcp client: %v, and INSERT BULK said %s", declared, c.into)})
		return
	}
	c.into = ""
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(columns)), ", ")
	ctx := context.Background()
	err = func() error {
		if err := c.begin(ctx); err != nil {
			return err
		}
		insert, err := c.conn.PrepareContext(ctx, `insert into temp.main."#weir_rows" values (`+marks+`)`)
		if err != nil {
			return err
		}
		defer func() { _ = insert.Close() }()
		for _, row := range rows {
			if _, err := insert.ExecContext(ctx, row...); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		c.fail(out, err)
		return
	}
	out.done(tdsCount, int64(len(rows)))
}

// openMSSQL opens the stand-in.
func openMSSQL(t *testing.T, s *sqlServer, change map[string]any, password string) (warehouse.Warehouse, error) {
	t.Helper()
	settings := map[string]any{"host": "db.example", "database": "analytics", "user": "weir", "schema": "weir", "sslMode": "disable"}
	for name, v := range change {
		settings[name] = v
	}
	b, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	o, err := mssql.Kind().Open(b, map[string]secret.String{"password": secret.NewString(password)})
	if err != nil {
		t.Fatal(err)
	}
	return o.Open(t.Context(), warehouse.Deps{Dial: s.dial, Now: time.Now})
}

// TestMSSQLTells wants of a connection test what is missing.
func TestMSSQLTells(t *testing.T) {
	t.Parallel()
	s := newSQLServer(t)
	for what, c := range map[string]struct {
		settings map[string]any
		password string
		deny     []string
		home     string
		code     string
		says     string
	}{
		"nothing missing":      {},
		"a wrong password":     {password: "other", code: warehouse.CodeAuth, says: "check the user and the password"},
		"no user":              {settings: map[string]any{"user": "nobody"}, code: warehouse.CodeAuth, says: "check the user"},
		"no database":          {settings: map[string]any{"database": "none"}, code: warehouse.CodeAuth, says: "a user for the login in it"},
		"no tables":            {deny: []string{"CREATE TABLE"}, code: warehouse.CodeAuth, says: "grant create table to [weir]"},
		"no schema":            {deny: []string{"schema", "CREATE SCHEMA"}, code: warehouse.CodeAuth, says: "create schema [weir]"},
		"rights of the schema": {deny: []string{"ALTER", "DELETE"}, code: warehouse.CodeAuth, says: "grant alter, delete on schema::[weir] to [weir]"},
		"another home":         {home: "dbo", code: warehouse.CodeAuth, says: "alter user [weir] with default_schema = [weir]"},
	} {
		s.mu.Lock()
		s.deny, s.home = map[string]bool{}, "weir"
		for _, d := range c.deny {
			s.deny[d] = true
		}
		if c.home != "" {
			s.home = c.home
		}
		s.mu.Unlock()
		if c.password == "" {
			c.password = "hush"
		}
		w, err := openMSSQL(t, s, c.settings, c.password)
		if err == nil {
			err = errors.Join(w.Test(t.Context()), w.Close())
		}
		if (err == nil) != (c.code == "") || err != nil && (warehouse.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: got %v, want %s and %q", what, err, c.code, c.says)
		}
	}
}

// TestMSSQLTLS signs in at a server whose certificate a private authority signed.
func TestMSSQLTLS(t *testing.T) {
	t.Parallel()
	own, other := newAuthority(t), newAuthority(t)
	s := newSQLServer(t)
	cert, key := own.issue("db.example")
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	s.tls = &tls.Config{Certificates: []tls.Certificate{pair}, MaxVersion: tls.VersionTLS12}
	for what, c := range map[string]struct {
		host, mode, root string
		fails            bool
	}{
		"no check":                {host: "x", mode: "require"},
		"no TLS":                  {host: "x", mode: "disable", fails: true},
		"the system's":            {host: "db.example", mode: "verify-full", fails: true},
		"the right authority":     {host: "db.example", mode: "verify-full", root: own.text},
		"another name":            {host: "x", mode: "verify-full", root: own.text, fails: true},
		"another name, unchecked": {host: "x", mode: "verify-ca", root: own.text},
		"another authority":       {host: "db.example", mode: "require", root: other.text, fails: true},
	} {
		settings := map[string]any{"host": c.host, "sslMode": c.mode}
		if c.root != "" {
			settings["sslRootCert"] = c.root
		}
		w, err := openMSSQL(t, s, settings, "hush")
		if err == nil {
			err = errors.Join(w.Test(t.Context()), w.Close())
		}
		if (err != nil) != c.fails || c.fails && warehouse.CodeOf(err) != warehouse.CodeUnreachable {
			t.Errorf("%s: %v, want an error: %v", what, err, c.fails)
		}
	}
}

// TestMSSQLEnds wants a server that says nothing, at sign-in or later, to hold nobody up
// longer than the context.
func TestMSSQLEnds(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", silent.Addr().String())
		cancel() // the sign-in waits now
		return conn, err
	}
	o, err := mssql.Kind().Open([]byte(`{"host":"db.example","database":"d","user":"u","sslMode":"disable"}`), map[string]secret.String{"password": secret.NewString("x")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Open(ctx, warehouse.Deps{Dial: dial, Now: time.Now}); warehouse.CodeOf(err) != warehouse.CodeUnreachable {
		t.Errorf("a server that says nothing: %v, want %s", err, warehouse.CodeUnreachable)
	}
}
