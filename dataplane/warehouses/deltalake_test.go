package warehouses_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	driver "github.com/duckdb/duckdb-go/v2"
	"github.com/parquet-go/parquet-go"

	"weir/dataplane/load/loadtest"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/deltalake"
	"weir/shared/secret"
)

// bricks is a stand-in of a workspace of Databricks: it takes requests and statements of the
// forms that the documentation has and the kind needs, and keeps tables in a lake.
// Sources: https://docs.databricks.com/api/workspace/statementexecution and
// https://docs.databricks.com/api/workspace/files
type bricks struct {
	*lake
	api *httptest.Server

	mu          sync.Mutex
	answers     map[string]*bricksAnswer // by statement_id
	directories map[string]bool          // of the volume, with / at their ends
	files       map[string][]byte
	tokens      map[string]bool
	stopped     bool
	volume      bool            // it is there
	plain       map[string]bool // tables without column mapping
	deny        string          // what a statement begins with that the sign-in may not run
	denyFiles   bool
	noWarehouse int // the status of requests about the SQL warehouse, 0 for none
}

type bricksAnswer struct {
	waits  []string // states that come first
	body   map[string]any
	chunks [][][]*string
}

func ofDatabricks(t testing.TB) loadtest.Setup {
	s, _ := bricksSetup(t)
	return s
}

func bricksSetup(t testing.TB) (loadtest.Setup, *bricks) {
	b := &bricks{answers: map[string]*bricksAnswer{}, directories: map[string]bool{}, files: map[string][]byte{}, tokens: map[string]bool{}, plain: map[string]bool{}, lake: newLake(t,
		"create macro date_format(x, f) as lpad(year(x)::varchar, 4, '0') || strftime(x, '-%m-%dT%H:%M:%S.%gZ')",
		"create macro to_utc_timestamp(x, z) as x")}
	b.api = httptest.NewServer(b)
	t.Cleanup(b.api.Close)
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, b.api.Listener.Addr().String())
	}
	return loadtest.Setup{
		Settings: `{"host":"dbc-1.example.com","warehouseId":"abc123","catalog":"analytics","schema":"weir","volume":"stage","clientId":"11-22","baseUrl":"http://bricks.example.com"}`,
		Secrets:  map[string]secret.String{"clientSecret": secret.NewString("hush")},
		Deps:     warehouse.Deps{Dial: dial, Now: time.Now},
		Exec:     b.owner,
		SQL: func(q string) string {
			return bricksQueries.rewrite(spelled(q, nil, func(name string) string { return "`" + strings.Trim(name, `"`) + "`" }, nil))
		},
		Undoes: loadtest.UndoesNone,
		Outside: []string{
			"insert into order_done (id) values ('2')", "delete from order_done", "create table x (a int)", "with x as (select '2' as id) insert into order_done (id) select id from x", "from order_done insert overwrite x select *", "with x as (select 1 as i) delete from order_done",
			"select 1; delete from order_done", "/* /* */ */ delete from order_done", "-- x\ndrop table order_done", "select * from read_files('/Volumes/analytics/weir/stage/')", "select * from csv.`/etc/passwd`", "select * from `parquet`.`s3://files/x`", "select reflect('java.lang.System', 'getenv')", "select java_method('java.util.UUID', 'randomUUID')",
			"select http_request(conn => 'x', method => 'GET', path => '/')", "select ai_query('model', 'x')", "select * from remote_query('c', query => 'select 1')", "copy into order_done from 's3://files/x'", "grant select on schema weir to x", "use catalog other", "set spark.x = 1", "optimize order_done", "vacuum order_done", "call x()",
			"put '/etc/passwd' into '/Volumes/x'", "execute immediate 'delete from order_done'", "begin delete from order_done; end", "refresh table order_done", "select 'it does not end",
		},
		Lacks: []string{"uuid", "timestamp(0)"},
		// Tables of the lake are slow with many columns, and what is mixed is one file after the
		// other, as in every part.
		Without: []string{"mixed", "wide"},
	}, b
}

// bricksQueries writes the kit's queries with a name that is a reserved word here.
var bricksQueries = rewriter{{"`at`", "_at as `at`"}}

func (b *bricks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	say := func(status int, body any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if body != nil {
			if err := json.NewEncoder(w).Encode(body); err != nil {
				b.t.Error(err)
			}
		}
	}
	fail := func(status int, code, message string) {
		say(status, map[string]string{"error_code": code, "message": message})
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		fail(http.StatusBadRequest, "BAD_REQUEST", err.Error())
		return
	}
	if r.Method == http.MethodPost && r.URL.Path == "/oidc/v1/token" {
		user, password, ok := r.BasicAuth()
		form, err := url.ParseQuery(string(body))
		if !ok || err != nil || user != "11-22" || password != "hush" || form.Get("grant_type") != "client_credentials" || form.Get("scope") != "all-apis" {
			say(http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
			return
		}
		token := fmt.Sprintf("t%d", len(b.tokens))
		b.tokens[token] = true
		say(http.StatusOK, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 3600})
		return
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); !ok || !b.tokens[token] || r.Header.Get("User-Agent") == "" {
		fail(http.StatusUnauthorized, "UNAUTHENTICATED", "Credential was not sent or was of an unsupported type for this API.")
		return
	}
	if path, ok := strings.CutPrefix(r.URL.Path, "/api/2.0/fs/"); ok {
		b.file(fail, say, r, path, body)
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/api/2.0/sql/statements")
	switch {
	case !ok:
		fail(http.StatusNotFound, "ENDPOINT_NOT_FOUND", "No API found")
	case b.noWarehouse != 0:
		fail(b.noWarehouse, map[int]string{403: "PERMISSION_DENIED", 404: "RESOURCE_DOES_NOT_EXIST"}[b.noWarehouse], "the SQL warehouse")
	case r.Method == http.MethodPost && path == "":
		var q struct {
			Statement   string `json:"statement"`
			Warehouse   string `json:"warehouse_id"`
			Catalog     string `json:"catalog"`
			Schema      string `json:"schema"`
			Wait        string `json:"wait_timeout"`
			OnWait      string `json:"on_wait_timeout"`
			Disposition string `json:"disposition"`
			Format      string `json:"format"`
		}
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&q); err != nil || q.Warehouse != "abc123" || q.Catalog != "analytics" || q.Schema != "" && q.Schema != "weir" || q.Wait != "30s" || q.OnWait != "CONTINUE" || q.Disposition != "INLINE" || q.Format != "JSON_ARRAY" {
			fail(http.StatusBadRequest, "BAD_REQUEST", fmt.Sprint("bad request: ", err))
			return
		}
		a := b.statement(q.Statement)
		id := fmt.Sprintf("01-%d", len(b.answers))
		a.body["statement_id"] = id
		b.answers[id] = a
		if b.stopped { // it starts by itself
			b.stopped, a.waits = false, []string{"PENDING", "PENDING", "RUNNING"}
		} else if len(b.answers)%8 == 0 && strings.HasPrefix(q.Statement, "merge") { // it takes longer
			a.waits = []string{"RUNNING"}
		}
		say(http.StatusOK, a.next())
	case r.Method == http.MethodGet:
		id, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		a := b.answers[id]
		n, err := strconv.Atoi(strings.TrimPrefix(rest, "result/chunks/"))
		switch {
		case a == nil:
			fail(http.StatusNotFound, "NOT_FOUND", "no such statement")
		case rest == "":
			say(http.StatusOK, a.next())
		case err != nil || n >= len(a.chunks):
			fail(http.StatusNotFound, "NOT_FOUND", "no such chunk")
		default:
			say(http.StatusOK, a.chunk(n))
		}
	default:
		fail(http.StatusNotFound, "ENDPOINT_NOT_FOUND", "No API found")
	}
}

// next is what a statement is at now.
func (a *bricksAnswer) next() map[string]any {
	if len(a.waits) > 0 {
		state := a.waits[0]
		a.waits = a.waits[1:]
		return map[string]any{"statement_id": a.body["statement_id"], "status": map[string]any{"state": state}}
	}
	return a.body
}

func (a *bricksAnswer) chunk(n int) map[string]any {
	c := map[string]any{"chunk_index": n, "row_count": len(a.chunks[n]), "data_array": a.chunks[n]}
	if n+1 < len(a.chunks) {
		c["next_chunk_index"] = n + 1
		c["next_chunk_internal_link"] = fmt.Sprintf("/api/2.0/sql/statements/%s/result/chunks/%d", a.body["statement_id"], n+1)
	}
	return c
}

// file answers the Files API.
func (b *bricks) file(fail func(int, string, string), say func(int, any), r *http.Request, path string, body []byte) {
	what, path, _ := strings.Cut(path, "/")
	path = "/" + path
	if b.denyFiles {
		fail(http.StatusForbidden, "PERMISSION_DENIED", "User does not have WRITE VOLUME on Volume 'analytics.weir.stage'.")
		return
	}
	if !strings.HasPrefix(path, "/Volumes/analytics/weir/stage/") || !b.volume || r.Header.Get("Content-Type") != "application/octet-stream" {
		fail(http.StatusNotFound, "NOT_FOUND", "The volume does not exist.")
		return
	}
	parent := path[:strings.LastIndex(path, "/")+1]
	switch {
	case what == "directories" && r.Method == http.MethodPut && parent == path:
		b.directories[path] = true
	case what == "directories" && r.Method == http.MethodDelete:
		for name := range b.files {
			if strings.HasPrefix(name, path) {
				fail(http.StatusBadRequest, "DIRECTORY_NOT_EMPTY", "The directory is not empty.")
				return
			}
		}
		delete(b.directories, path)
	case what == "files" && r.Method == http.MethodPut && r.URL.Query().Get("overwrite") == "true":
		if !b.directories[parent] {
			fail(http.StatusNotFound, "NOT_FOUND", "The directory does not exist.")
			return
		}
		b.files[path] = body
	case what == "files" && r.Method == http.MethodDelete && b.files[path] != nil:
		delete(b.files, path)
	default:
		fail(http.StatusNotFound, "NOT_FOUND", "no such file")
		return
	}
	say(http.StatusNoContent, nil)
}

// Forms of statements. T is a table's name, C a column's, Y a type, S a text.
var (
	bricksForm = func(form string) *regexp.Regexp {
		for word, is := range map[string]string{"T": "`analytics`\\.`weir`\\.`([^`]+)`", "C": "`([^`]+)`", "Y": `(?:bigint|double|boolean|timestamp|string)`, "S": `'((?:[^'\\]|\\.)*)'`} {
			form = regexp.MustCompile(`\b`+word+`\b`).ReplaceAllLiteralString(form, is)
		}
		return regexp.MustCompile(`(?s)^` + form + `$`)
	}
	bricksSchema = bricksForm("create schema if not exists `analytics`\\.`weir`")
	bricksVolume = bricksForm("create volume if not exists `analytics`\\.`weir`\\.`stage`")
	bricksTable  = bricksForm("create table if not exists T \\(`id` string\\) using delta tblproperties \\('delta\\.columnMapping\\.mode' = 'name'\\)")
	bricksGone   = bricksForm(`drop table if exists T`)
	bricksAdd    = bricksForm(`alter table T add columns \((C Y(?:, C Y)*)\)`)
	bricksDrop   = bricksForm(`alter table T drop column C`)
	bricksRename = bricksForm(`alter table T rename column C to C`)
	bricksUpdate = bricksForm(`update T set C = (?:cast|date_format)\(.*\)`)
	bricksProps  = bricksForm(`show tblproperties T \('delta\.columnMapping\.mode'\)`)
	bricksFiles  = regexp.MustCompile(`\(select (c\d{5}(?:, c\d{5})*) from read_files\('([^']+)', format => 'parquet', schema => '([^']+)'\)\)`)
	bricksMerge  = bricksForm("merge into T t using \\(select c\\d{5}[^()]* from read_files\\([^()]+\\)\\) s on t\\.`id` = s\\.c\\d{5}(?: when matched then update set .*)? when not matched then insert \\(.*\\) values \\(.*\\)")
	bricksDelete = bricksForm(`delete from T where .+`)
	bricksReads  = regexp.MustCompile(`(?is)^[\s(]*(select|with|values)\b`)
	bricksLacks  = regexp.MustCompile(`(?i)::|\bread_parquet\b|\breturning\b|"`)
)

// bricksError is what Databricks says against a statement.
type bricksError struct{ state, message string }

func (e *bricksError) Error() string { return e.message }

func bricksErrorOf(err error) *bricksError {
	var e *bricksError
	if errors.As(err, &e) {
		return e
	}
	var d *driver.Error
	if errors.As(err, &d) {
		switch d.Type {
		case driver.ErrorTypeCatalog:
			return &bricksError{"42P01", "[TABLE_OR_VIEW_NOT_FOUND] " + d.Msg}
		case driver.ErrorTypeParser, driver.ErrorTypeSyntax:
			return &bricksError{"42601", "[PARSE_SYNTAX_ERROR] " + d.Msg}
		case driver.ErrorTypeBinder, driver.ErrorTypeDependency:
			return &bricksError{"42703", "[UNRESOLVED_COLUMN.WITH_SUGGESTION] " + d.Msg}
		case driver.ErrorTypeConstraint:
			return &bricksError{"23001", "[DELTA_VIOLATE_CONSTRAINT_WITH_VALUES] " + d.Msg}
		}
	}
	return &bricksError{"22018", "[CAST_INVALID_INPUT] " + err.Error()}
}

// statement runs one and writes its result.
func (b *bricks) statement(q string) *bricksAnswer {
	out, err := b.one(q)
	if err != nil {
		e := bricksErrorOf(err)
		return &bricksAnswer{body: map[string]any{"status": map[string]any{"state": "FAILED", "sql_state": e.state, "error": map[string]any{"error_code": "BAD_REQUEST", "message": e.message + " SQLSTATE: " + e.state}}}}
	}
	types := map[string]string{"BIGINT": "LONG", "INTEGER": "INT", "SMALLINT": "SHORT", "DOUBLE": "DOUBLE", "FLOAT": "FLOAT", "BOOLEAN": "BOOLEAN", "TIMESTAMPTZ": "TIMESTAMP", "TIMESTAMP": "TIMESTAMP", "DATE": "DATE", "HUGEINT": "DECIMAL"}
	columns := []map[string]any{}
	for i, name := range out.names {
		typ := types[out.types[i]]
		if strings.HasPrefix(out.types[i], "DECIMAL") {
			typ = "DECIMAL"
		}
		if typ == "" {
			typ = "STRING"
		}
		columns = append(columns, map[string]any{"name": name, "type_name": typ, "position": i})
	}
	a := &bricksAnswer{chunks: [][][]*string{{}}}
	for i, row := range out.rows {
		if i > 0 && i%25 == 0 {
			a.chunks = append(a.chunks, nil)
		}
		texts := make([]*string, len(row))
		for j, v := range row {
			var text string
			switch v := v.(type) {
			case nil:
				continue
			case time.Time:
				text = v.UTC().Format("2006-01-02T15:04:05.000Z")
				if out.types[j] == "DATE" {
					text = v.Format(time.DateOnly)
				}
			case float64:
				text = strconv.FormatFloat(v, 'E', -1, 64)
			case float32:
				text = strconv.FormatFloat(float64(v), 'E', -1, 32)
			default:
				text = fmt.Sprint(v)
			}
			texts[j] = &text
		}
		a.chunks[len(a.chunks)-1] = append(a.chunks[len(a.chunks)-1], texts)
	}
	a.body = map[string]any{"status": map[string]any{"state": "SUCCEEDED"}, "manifest": map[string]any{"format": "JSON_ARRAY", "schema": map[string]any{"column_count": len(columns), "columns": columns}, "total_chunk_count": len(a.chunks)}, "result": a.chunk(0)}
	return a
}

var bricksTypes = rewriter{{`\bstring\b`, "varchar"}, {`\btimestamp\b([^']|$)`, "timestamptz$1"}, {`\btimestamp_ntz\b`, "timestamp"}, {`\bcurrent_timezone\(\)`, "'UTC'"}}

// duck writes a statement as DuckDB takes it.
func (b *bricks) duck(q string) string {
	return spelled(q, func(text string) string {
		text = regexp.MustCompile(`\\(.)`).ReplaceAllStringFunc(text[1:len(text)-1], func(s string) string {
			switch s[1] {
			case 'n':
				return "\n"
			case 't':
				return "\t"
			case '%', '_':
				return s
			}
			return s[1:]
		})
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}, func(name string) string {
		return `"` + strings.ReplaceAll(strings.Trim(name, "`"), `"`, `""`) + `"`
	}, bricksTypes.rewrite)
}

// one runs one statement.
func (b *bricks) one(q string) (out table, err error) {
	bare := spelled(q, func(string) string { return "x" }, func(name string) string {
		if name[0] == '"' {
			return name
		}
		return "x"
	}, nil)
	switch {
	case strings.Contains(bare, ";"):
		return out, &bricksError{"42601", "[PARSE_SYNTAX_ERROR] Syntax error at or near ';'."}
	case bricksLacks.MatchString(bare):
		return out, &bricksError{"42601", "[PARSE_SYNTAX_ERROR] " + q}
	case b.deny != "" && strings.HasPrefix(q, b.deny):
		return out, &bricksError{"42501", "[INSUFFICIENT_PERMISSIONS] Insufficient privileges: User does not have a permission."}
	}
	run := func(q string) (table, error) {
		done, err := b.db.Exec(q)
		if err != nil {
			return out, err
		}
		n, _ := done.RowsAffected()
		return table{names: []string{"num_affected_rows"}, types: []string{"BIGINT"}, rows: [][]any{{n}}}, nil
	}
	switch {
	case bricksSchema.MatchString(q):
		return out, nil
	case bricksVolume.MatchString(q):
		b.volume = true
		return out, nil
	case bricksTable.MatchString(q):
		return run(fmt.Sprintf(`create table if not exists weir."%s" (id varchar)`, bricksTable.FindStringSubmatch(q)[1]))
	case bricksAdd.MatchString(q):
		m := bricksAdd.FindStringSubmatch(q)
		for _, def := range strings.Split(m[2], ", ") {
			if out, err = run(fmt.Sprintf(`alter table weir."%s" add column %s`, m[1], b.duck(def))); err != nil {
				return out, err
			}
		}
		return table{}, nil
	case bricksDrop.MatchString(q), bricksRename.MatchString(q):
		if b.plain[regexp.MustCompile("`weir`\\.`([^`]+)`").FindStringSubmatch(q)[1]] {
			return out, &bricksError{"0AKDC", "[DELTA_UNSUPPORTED_DROP_COLUMN] DROP COLUMN is not supported for your Delta table."}
		}
		return run(b.duck(q))
	case bricksGone.MatchString(q), bricksUpdate.MatchString(q), bricksDelete.MatchString(q):
		return run(b.duck(q))
	case bricksProps.MatchString(q):
		mode := "name"
		if name := bricksProps.FindStringSubmatch(q)[1]; b.plain[name] {
			mode = "Table analytics.weir." + name + " does not have property: delta.columnMapping.mode"
		}
		return table{names: []string{"key", "value"}, types: []string{"VARCHAR", "VARCHAR"}, rows: [][]any{{"delta.columnMapping.mode", mode}}}, nil
	case q == "select current_user()":
		return table{names: []string{"current_user()"}, types: []string{"VARCHAR"}, rows: [][]any{{"11-22"}}}, nil
	case q == "select volume_name from `analytics`.information_schema.volumes where volume_schema = 'weir' and volume_name = 'stage'":
		out = table{names: []string{"volume_name"}, types: []string{"VARCHAR"}}
		if b.volume {
			out.rows = [][]any{{"stage"}}
		}
		return out, nil
	case bricksMerge.MatchString(q), strings.HasPrefix(q, "select * from (select c00000 from read_files("):
		from, done, err := b.read(q)
		if err != nil {
			return out, err
		}
		defer done()
		q = b.duck(bricksFiles.ReplaceAllLiteralString(q, "(__files)"))
		q = strings.Replace(q, "(__files)", from, 1)
		if strings.HasPrefix(q, "select") {
			return b.query(q)
		}
		twice, err := b.query("select 1 from " + from + " s group by " + regexp.MustCompile(`= s\.(c\d{5})`).FindStringSubmatch(q)[1] + " having count(*) > 1")
		if err == nil && len(twice.rows) > 0 {
			err = &bricksError{"21506", "[DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE]"}
		}
		if err != nil {
			return out, err
		}
		return run(q)
	case bricksReads.MatchString(q):
		for from, to := range bricksCatalog {
			q = strings.ReplaceAll(q, from, to)
		}
		return b.query(b.duck(q))
	}
	return out, &bricksError{"42601", "[PARSE_SYNTAX_ERROR] this is no statement of the documentation's: " + q}
}

var bricksCatalog = map[string]string{
	"`analytics`.information_schema.schemata": "(select schema_name from information_schema.schemata where catalog_name = 'analytics') x",
	"`analytics`.information_schema.tables":   "(select table_schema, table_name, case when table_type = 'BASE TABLE' then 'MANAGED' else table_type end as table_type from information_schema.tables where table_catalog = 'analytics') x",
	"`analytics`.information_schema.columns": `(select table_schema, table_name, column_name, ordinal_position, case data_type when 'VARCHAR' then 'strin' || 'g' when 'INTEGER' then 'int' when 'TIMESTAMP WITH TIME ZONE' then 'time' || 'stamp' when 'TIMESTAMP' then 'time' || 'stamp_ntz'
		else lower(data_type) end as full_data_type from information_schema.columns where table_catalog = 'analytics') x`,
}

// read brings the files that read_files names to where DuckDB reads them, when their columns
// are those of its schema.
func (b *bricks) read(q string) (from string, done func(), err error) {
	m := bricksFiles.FindStringSubmatch(q)
	if m == nil {
		return "", nil, &bricksError{"42601", "[PARSE_SYNTAX_ERROR] no read_files of the documentation's"}
	}
	var names []string
	done = func() {
		for _, n := range names {
			_ = os.Remove(n)
		}
	}
	for path, file := range b.files {
		if !strings.HasPrefix(path, m[2]) {
			continue
		}
		f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return "", done, err
		}
		var is []string
		for _, c := range f.Root().Columns() {
			typ, ok := map[parquet.Kind]string{parquet.Int64: "bigint", parquet.Double: "double", parquet.Boolean: "boolean", parquet.ByteArray: "string"}[c.Type().Kind()]
			if !ok || strings.HasPrefix(c.Type().String(), "TIMESTAMP") {
				return "", done, fmt.Errorf("column %s has the type %s", c.Name(), c.Type())
			}
			is = append(is, c.Name()+" "+typ)
		}
		if has := strings.Join(is, ", "); has != m[3] {
			return "", done, &bricksError{"KD001", "the file has " + has + ", the schema says " + m[3]}
		}
		name := filepath.Join(b.dir, fmt.Sprint(b.lake.files.Add(1), ".parquet"))
		if err := os.WriteFile(name, file, 0o600); err != nil {
			return "", done, err
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return "", done, &bricksError{"42K03", "[CF_EMPTY_DIR_FOR_SCHEMA_INFERENCE] no file below " + m[2]}
	}
	return "(select " + m[1] + " from read_parquet(['" + strings.Join(names, "', '") + "']))", done, nil
}

// TestDatabricksTells wants of a connection test which right is missing, a stopped SQL
// warehouse started, and nothing left in the volume.
func TestDatabricksTells(t *testing.T) {
	t.Parallel()
	setup, b := bricksSetup(t)
	test := func(secrets map[string]secret.String) error {
		o, err := deltalake.Kind().Open([]byte(setup.Settings), secrets)
		if err != nil {
			t.Fatal(err)
		}
		w, err := o.Open(t.Context(), setup.Deps)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = w.Close() }()
		return w.Test(t.Context())
	}
	b.stopped = true
	if err := test(setup.Secrets); err != nil || b.stopped {
		t.Fatalf("a stopped SQL warehouse: %v", err)
	}
	for what, c := range map[string]struct {
		deny      string
		files     bool
		noVolume  bool
		warehouse int
		secret    string
		says      string
	}{
		"no tables":       {deny: "create table", says: "grant use schema, create table, select, modify on schema `analytics`.`weir`"},
		"no volume":       {deny: "create volume", noVolume: true, says: "read volume, write volume on volume `analytics`.`weir`.`stage`, or create volume on schema"},
		"no reading":      {deny: "select * from", says: "grant read volume on volume `analytics`.`weir`.`stage`"},
		"no writing":      {files: true, says: "grant read volume, write volume on volume `analytics`.`weir`.`stage`"},
		"no catalog":      {deny: "select schema_name", says: "use catalog on catalog `analytics`"},
		"not for it":      {warehouse: 403, says: "give the sign-in CAN USE"},
		"no warehouse":    {warehouse: 404, says: "check warehouseId"},
		"no such sign-in": {secret: "other", says: "check clientId and clientSecret"},
	} {
		b.mu.Lock()
		b.deny, b.denyFiles, b.volume, b.noWarehouse = c.deny, c.files, !c.noVolume, c.warehouse
		b.mu.Unlock()
		secrets := setup.Secrets
		if c.secret != "" {
			secrets = map[string]secret.String{"clientSecret": secret.NewString(c.secret)}
		}
		if err := test(secrets); warehouse.CodeOf(err) != warehouse.CodeAuth || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: the test says %v, want %q", what, err, c.says)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.files) > 0 || len(b.directories) > 0 {
		t.Errorf("the volume still has %d files and the directories %v", len(b.files), b.directories)
	}
	for settings, want := range map[string]string{
		`{"host":"h","warehouseId":"w","catalog":"c"}`:                "secret token",
		`{"host":"h","warehouseId":"w","catalog":"c","clientId":"i"}`: "clientSecret",
		`{"host":"h","warehouseId":"w","catalog":"a/b"}`:              "catalog",
	} {
		if _, err := deltalake.Kind().Open([]byte(settings), nil); err == nil || !strings.Contains(fmt.Sprintf("%+v", err), want) {
			t.Errorf("%s: %v, want %q in it", settings, err, want)
		}
	}
}

// TestDatabricksWidens wants a column of a table without column mapping to stay, with the
// statement that would let it widen, and its values beside it.
func TestDatabricksWidens(t *testing.T) {
	t.Parallel()
	setup, b := bricksSetup(t)
	b.owner("create table pages (id varchar, n bigint)")
	b.plain["pages"] = true
	o, err := deltalake.Kind().Open([]byte(setup.Settings), setup.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	w, err := o.Open(t.Context(), setup.Deps)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	change := []warehouse.Change{{Table: "pages", Column: "n", From: "int", To: "string"}}
	if err := w.Alter(t.Context(), change); warehouse.CodeOf(err) != warehouse.CodeSchema || !strings.Contains(err.Error(), "alter table `analytics`.`weir`.`pages` set tblproperties ('delta.columnMapping.mode' = 'name')") {
		t.Errorf("without column mapping: %v", err)
	}
	b.plain["pages"] = false
	b.owner("insert into pages values ('1', 7); alter table pages add column n__wider varchar; update pages set n__wider = '7'; alter table pages drop column n") // as a crash leaves it
	for range 2 {
		if err := w.Alter(t.Context(), change); err != nil {
			t.Fatal(err)
		}
	}
	have, err := w.Schema(t.Context(), []string{"pages"})
	if c := have["pages"].Columns; err != nil || c["n"].Type != "string" || len(c) != 2 {
		t.Errorf("after a crash the columns are %v, error %v", c, err)
	}
}
