package warehouses_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	driver "github.com/duckdb/duckdb-go/v2"
	"github.com/golang-jwt/jwt/v5"

	"weir/dataplane/load/loadtest"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/bq"
	"weir/shared/secret"
)

// bigQuery is a stand-in of BigQuery's REST interface: it takes statements of the forms that the
// documentation has and the kind needs, and keeps tables in a lake.
// Source: https://cloud.google.com/bigquery/docs/reference/rest
type bigQuery struct {
	*lake
	api *httptest.Server

	mu   sync.Mutex
	jobs map[string]bigJob
	deny string // a path of what the account may not do
	busy int    // how many requests are refused for their rate
}

// bigJob is a job and what it gave.
type bigJob struct {
	out table
	err *bigError
}

type bigError struct {
	status          int
	reason, message string
}

func (e *bigError) Error() string { return e.message }

func ofBigQuery(t testing.TB) loadtest.Setup {
	s, _ := bigSetup(t)
	return s
}

func bigSetup(t testing.TB) (loadtest.Setup, *bigQuery) {
	b := &bigQuery{jobs: map[string]bigJob{}, lake: newLake(t,
		"create macro parse_json(x) as x::json",
		"create macro format_timestamp(f, x, z) as lpad(year(timezone(z, x))::varchar, 4, '0') || strftime(timezone(z, x), '-%m-%dT%H:%M:%S.%gZ')")}
	b.api = httptest.NewServer(b)
	t.Cleanup(b.api.Close)
	_, key := snowKey()
	if p, _ := pem.Decode([]byte(key)); p == nil {
		t.Fatal("no key")
	}
	credentials, err := json.Marshal(map[string]string{"type": "service_account", "client_email": "weir@analytics.iam.gserviceaccount.com", "private_key": key, "private_key_id": "k1", "token_uri": "http://oauth2.example.com/token"})
	if err != nil {
		t.Fatal(err)
	}
	return loadtest.Setup{
		Settings: `{"project":"analytics","dataset":"weir","location":"EU","baseUrl":"http://bigquery.example.com"}`,
		Secrets:  map[string]secret.String{"credentials": secret.NewString(string(credentials))},
		Deps: warehouse.Deps{Now: time.Now, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, b.api.Listener.Addr().String())
		}},
		Exec: b.owner,
		SQL: func(q string) string {
			return spelled(q, nil, func(name string) string {
				switch name = strings.Trim(name, `"`); name { // reserved words of BigQuery
				case "at":
					return "`_at` as `at`"
				case "groups":
					name = "_groups"
				}
				return "`" + name + "`"
			}, func(rest string) string {
				return strings.NewReplacer("as varchar)", "as string)", "as integer)", "as int64)").Replace(rest)
			})
		},
		Undoes: loadtest.UndoesNone,
		Outside: []string{
			"insert into order_done (id) values ('2')", "delete from order_done where true", "create table x (a int64)", "export data options (uri = 'gs://files/*', format = 'CSV') as select * from order_done",
			"load data into x from files (format = 'CSV', uris = ['gs://files/x'])", "call x()", "begin transaction", "select 1; delete from order_done where true", "execute immediate 'delete from order_done where true'",
			"truncate table order_done", "grant `roles/bigquery.dataViewer` on schema weir to 'user:a@example.com'", "declare x int64", "drop table order_done", "/* */ drop table order_done",
		},
		Lacks: []string{"uuid", "timestamp(0)", "real", "smallint", "integer"},
		// Names of types in the parts names and former are Postgres's; the lake is slow with many columns.
		Without: []string{"names", "former", "mixed", "wide", "broad", "traits"},
	}, b
}

func (b *bigQuery) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out, err := b.answer(r)
	var e *bigError
	w.Header().Set("Content-Type", "application/json")
	if errors.As(err, &e) {
		if e.status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "0")
		}
		w.WriteHeader(e.status)
		out = map[string]any{"error": map[string]any{"code": e.status, "message": e.message, "errors": []map[string]string{{"reason": e.reason, "message": e.message}}}}
	} else if err != nil {
		b.t.Error(err)
	}
	if err := json.NewEncoder(w).Encode(out); err != nil {
		b.t.Error(err)
	}
}

const bigToken = "ya29.token"

func (b *bigQuery) answer(r *http.Request) (any, error) {
	if r.URL.Path == "/token" {
		return b.tokens(r)
	}
	if r.Header.Get("Authorization") != "Bearer "+bigToken {
		return nil, &bigError{http.StatusUnauthorized, "authError", "Invalid Credentials"}
	}
	if b.busy > 0 {
		b.busy--
		return nil, &bigError{http.StatusTooManyRequests, "rateLimitExceeded", "too many requests"}
	}
	path := r.Method + " " + strings.NewReplacer("/bigquery/v2/projects/analytics", "", "/upload/bigquery/v2/projects/analytics", "upload").Replace(r.URL.Path)
	if b.deny != "" && strings.HasPrefix(path, b.deny) {
		return nil, &bigError{http.StatusForbidden, "accessDenied", "Access Denied"}
	}
	location := r.URL.Query().Get("location")
	last := path[strings.LastIndex(path, "/")+1:]
	switch {
	case path == "GET /datasets/weir":
		return map[string]string{"id": "analytics:weir"}, nil
	case strings.HasPrefix(path, "GET /datasets/weir/tables/"):
		return b.described(last)
	case strings.HasPrefix(path, "DELETE /datasets/weir/tables/weir_"):
		_, err := b.db.Exec("drop table if exists weir." + last)
		return map[string]string{}, err
	case path == "POST /jobs":
		return b.insert(r)
	case path == "POST upload/jobs":
		return b.upload(r)
	case strings.HasPrefix(path, "GET /jobs/") && location == "EU":
		j, ok := b.jobs[last]
		if !ok {
			break
		}
		status := map[string]any{"state": "DONE"}
		if j.err != nil {
			status["errorResult"] = map[string]string{"reason": j.err.reason, "message": j.err.message}
		}
		return map[string]any{"status": status}, nil
	case strings.HasPrefix(path, "GET /queries/") && location == "EU":
		j, ok := b.jobs[last]
		if !ok {
			break
		}
		if j.err != nil {
			return nil, j.err
		}
		from, _ := strconv.Atoi(r.URL.Query().Get("pageToken"))
		return bigPage(j.out, from), nil
	}
	return nil, &bigError{http.StatusNotFound, "notFound", "Not found: " + path}
}

// tokens gives a token for a good assertion.
func (b *bigQuery) tokens(r *http.Request) (any, error) {
	key, _ := snowKey()
	if err := r.ParseForm(); err != nil || r.Form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		return nil, &bigError{http.StatusBadRequest, "unsupported_grant_type", "no grant"}
	}
	t, err := jwt.Parse(r.Form.Get("assertion"), func(*jwt.Token) (any, error) { return &key.PublicKey, nil }, jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience("http://oauth2.example.com/token"), jwt.WithIssuer("weir@analytics.iam.gserviceaccount.com"))
	if err != nil || t.Claims.(jwt.MapClaims)["scope"] != "https://www.googleapis.com/auth/bigquery" {
		return nil, &bigError{http.StatusBadRequest, "invalid_grant", "no good assertion"}
	}
	return map[string]any{"access_token": bigToken, "expires_in": 3600, "token_type": "Bearer"}, nil
}

// described is a table as tables.get has it.
func (b *bigQuery) described(name string) (any, error) {
	if views, err := b.query("select 1 from duckdb_views() where database_name = 'analytics' and schema_name = 'weir' and view_name = '" + name + "'"); err != nil || len(views.rows) > 0 {
		return map[string]any{"type": "VIEW"}, err
	}
	columns, err := b.query("select column_name, data_type, coalesce(numeric_precision, 0), coalesce(numeric_scale, 0) from duckdb_columns() where database_name = 'analytics' and schema_name = 'weir' and table_name = '" + name + "'")
	if err != nil {
		return nil, err
	}
	if len(columns.rows) == 0 {
		return nil, &bigError{http.StatusNotFound, "notFound", "Not found: Table " + name}
	}
	types := map[string]string{"BIGINT": "INTEGER", "DOUBLE": "FLOAT", "VARCHAR": "STRING", "TIMESTAMP WITH TIME ZONE": "TIMESTAMP", "TIMESTAMP": "DATETIME"}
	var fields []map[string]string
	for _, c := range columns.rows {
		f := map[string]string{"name": fmt.Sprint(c[0]), "type": fmt.Sprint(c[1]), "mode": "NULLABLE"}
		switch typ := f["type"]; {
		case types[typ] != "":
			f["type"] = types[typ]
		case typ == "SMALLINT":
			f["type"], f["precision"] = "NUMERIC", "4"
		case typ == "INTEGER":
			f["type"], f["precision"] = "NUMERIC", "9"
		case strings.HasPrefix(typ, "DECIMAL"):
			f["type"], f["precision"], f["scale"] = "NUMERIC", fmt.Sprint(c[2]), fmt.Sprint(c[3])
		}
		fields = append(fields, f)
	}
	return map[string]any{"type": "TABLE", "schema": map[string]any{"fields": fields}}, nil
}

// insert runs a query job.
func (b *bigQuery) insert(r *http.Request) (any, error) {
	var q struct {
		JobReference  struct{ ProjectID, JobID, Location string }
		Configuration struct {
			DryRun       bool
			JobTimeoutMs string
			Labels       map[string]string
			Query        struct {
				Query          string
				UseLegacySQL   *bool
				DefaultDataset struct{ ProjectID, DatasetID string }
			}
		}
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(&q)
	id := q.JobReference.JobID
	if _, taken := b.jobs[id]; err != nil || taken || id == "" || q.JobReference.Location != "EU" || q.Configuration.Query.UseLegacySQL == nil || *q.Configuration.Query.UseLegacySQL {
		return nil, &bigError{http.StatusBadRequest, "invalid", fmt.Sprint("bad request: ", err)}
	}
	sql := q.Configuration.Query.Query
	if q.Configuration.DryRun {
		typ, err := b.kind(sql)
		return map[string]any{"status": map[string]any{"state": "DONE"}, "statistics": map[string]any{"query": map[string]string{"statementType": typ}}}, err
	}
	out, err := b.statement(sql)
	j := bigJob{out: out}
	if err != nil {
		j.err = bigErrorOf(err)
	}
	b.jobs[id] = j
	return map[string]any{"status": map[string]any{"state": "RUNNING"}}, nil
}

// upload runs a load job of a multipart upload.
func (b *bigQuery) upload(r *http.Request) (any, error) {
	typ, args, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || typ != "multipart/related" || r.URL.Query().Get("uploadType") != "multipart" {
		return nil, &bigError{http.StatusBadRequest, "invalid", "no multipart upload"}
	}
	parts := multipart.NewReader(r.Body, args["boundary"])
	var texts [][]byte
	for {
		p, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(p)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	var q struct {
		JobReference  struct{ ProjectID, JobID, Location string }
		Configuration struct {
			Load struct {
				DestinationTable                                  struct{ ProjectID, DatasetID, TableID string }
				SourceFormat, CreateDisposition, WriteDisposition string
			}
		}
	}
	l := &q.Configuration.Load
	if len(texts) != 2 || json.Unmarshal(texts[0], &q) != nil || l.SourceFormat != "PARQUET" || l.DestinationTable.DatasetID != "weir" || l.WriteDisposition != "WRITE_APPEND" || q.JobReference.Location != "EU" {
		return nil, &bigError{http.StatusBadRequest, "invalid", "no load job of Parquet"}
	}
	j := bigJob{}
	if err := b.load("weir."+l.DestinationTable.TableID, texts[1]); err != nil {
		j.err = bigErrorOf(err)
	}
	b.jobs[q.JobReference.JobID] = j
	return map[string]any{"status": map[string]any{"state": "RUNNING"}}, nil
}

func bigErrorOf(err error) *bigError {
	var e *bigError
	if errors.As(err, &e) {
		return e
	}
	var d *driver.Error
	if errors.As(err, &d) {
		switch d.Type {
		case driver.ErrorTypeCatalog:
			return &bigError{http.StatusNotFound, "notFound", d.Msg}
		case driver.ErrorTypeParser, driver.ErrorTypeSyntax, driver.ErrorTypeBinder:
			return &bigError{http.StatusBadRequest, "invalidQuery", d.Msg}
		}
		return &bigError{http.StatusBadRequest, "invalidQuery", "Bad value: " + d.Msg}
	}
	return &bigError{http.StatusBadRequest, "invalid", err.Error()}
}

// Forms of statements. T is a table's name, C a column's, Y a type.
var (
	bigForm = func(form string) *regexp.Regexp {
		for word, is := range map[string]string{
			"T": "(`analytics`\\.`weir`\\.`[^`]+`)", "C": "`([^`]+)`", "Y": `(int64|float64|bool|timestamp|json|string)`,
		} {
			form = regexp.MustCompile(`\b`+word+`\b`).ReplaceAllLiteralString(form, is)
		}
		return regexp.MustCompile(`(?s)^` + form + `$`)
	}
	bigTable  = bigForm("create table if not exists T \\((C Y, `received_at` timestamp)\\) partition by timestamp_trunc\\(`received_at`, day\\) cluster by `id`")
	bigStage  = bigForm(`create table T (\(c\d{5} Y(?:, c\d{5} Y)*\)) options \(expiration_timestamp = timestamp_add\(current_timestamp\(\), interval \d+ hour\)\)`)
	bigAdd    = bigForm(`alter table T (add column (?:if not exists )?C Y(?:, add column C Y)*)`)
	bigDrop   = bigForm(`alter table T drop column C`)
	bigRename = bigForm(`alter table T rename column C to C`)
	bigUpdate = bigForm(`update T set C = .* where true`)
	bigMerge  = bigForm("merge into T t using T s on t\\.`id` = s\\.c\\d{5} (?:when matched then update set .* )?when not matched then insert \\(.*\\) values \\(.*\\)")
	bigDelete = regexp.MustCompile("(?s)^delete from `[^`]+`\\.`[^`]+`\\.`[^`]+` where .+")
	bigReads  = regexp.MustCompile(`(?is)^\s*(select|with|\()`)
	bigLacks  = regexp.MustCompile(`(?i)::|\bvarchar\b|\btry_cast\b|\bread_parquet\b|\btimestamptz\b|\bfilter\s*\(`)
	bigTypes  = []struct {
		from *regexp.Regexp
		to   string
	}{
		{regexp.MustCompile(`\bdatetime\b`), "timestamp_of_day"}, {regexp.MustCompile(`\btimestamp\b`), "timestamptz"}, {regexp.MustCompile(`\btimestamp_of_day\b`), "timestamp"},
		{regexp.MustCompile(`\bint64\b`), "bigint"}, {regexp.MustCompile(`\bfloat64\b`), "double"}, {regexp.MustCompile(`\bbool\b`), "boolean"}, {regexp.MustCompile(`\bstring\b`), "varchar"},
		{regexp.MustCompile(`\bas numeric\)`), "as decimal(38,9))"},
	}
)

// kind is the type of one statement, or why it is none.
func (b *bigQuery) kind(sql string) (string, error) {
	bare := spelled(sql, func(string) string { return "''" }, func(string) string { return "x" }, nil)
	bare = regexp.MustCompile(`(?s)/\*.*?\*/|--[^\n]*`).ReplaceAllString(bare, "")
	switch {
	case strings.Contains(strings.TrimRight(strings.TrimSpace(bare), ";"), ";"):
		return "SCRIPT", nil
	case strings.Contains(spelled(sql, func(string) string { return "''" }, nil, nil), `"`):
		return "", &bigError{http.StatusBadRequest, "invalidQuery", "Syntax error: a text in double quotes is no name"}
	case bigLacks.MatchString(bare):
		return "", &bigError{http.StatusBadRequest, "invalidQuery", "Syntax error: " + bigLacks.FindString(bare)}
	case bigReads.MatchString(bare):
		return "SELECT", nil
	}
	word, _, _ := strings.Cut(strings.TrimSpace(bare), " ")
	return strings.ToUpper(word), nil
}

// statement runs one statement.
func (b *bigQuery) statement(sql string) (table, error) {
	kind, err := b.kind(sql)
	if err != nil {
		return table{}, err
	}
	translated := func(q string) string {
		return spelled(q, func(t string) string {
			return "'" + strings.NewReplacer(`\\`, `\`, `\'`, `''`, `\n`, "\n", `\r`, "\r").Replace(t[1:len(t)-1]) + "'"
		}, func(name string) string { return `"` + strings.Trim(name, "`") + `"` }, func(rest string) string {
			for _, t := range bigTypes {
				rest = t.from.ReplaceAllString(rest, t.to)
			}
			return rest
		})
	}
	run := func(q string) (table, error) {
		_, err := b.db.Exec(translated(q))
		return table{}, err
	}
	switch {
	case kind == "SELECT":
		return b.query(translated(sql))
	case bigTable.MatchString(sql):
		m := bigTable.FindStringSubmatch(sql)
		return run("create table if not exists " + m[1] + " (" + m[2] + ")")
	case bigStage.MatchString(sql):
		m := bigStage.FindStringSubmatch(sql)
		return run("create table " + m[1] + " " + m[2])
	case bigAdd.MatchString(sql):
		m := bigAdd.FindStringSubmatch(sql)
		for _, c := range strings.Split(m[2], ", ") {
			if _, err := run("alter table " + m[1] + " " + c); err != nil {
				return table{}, err
			}
		}
		return table{}, nil
	case bigDrop.MatchString(sql), bigDelete.MatchString(sql), bigRename.MatchString(sql), bigUpdate.MatchString(sql), bigMerge.MatchString(sql):
		return run(sql)
	}
	return table{}, &bigError{http.StatusBadRequest, "invalidQuery", "Syntax error: this is no statement of the documentation's: " + sql}
}

// bigPage writes a page of 25 rows as getQueryResults does.
func bigPage(t table, from int) map[string]any {
	types := map[string]string{"BIGINT": "INTEGER", "HUGEINT": "INTEGER", "INTEGER": "INTEGER", "SMALLINT": "INTEGER", "DOUBLE": "FLOAT", "BOOLEAN": "BOOLEAN", "TIMESTAMPTZ": "TIMESTAMP", "TIMESTAMP": "DATETIME", "DATE": "DATE", "JSON": "JSON"}
	var fields []map[string]string
	for i, name := range t.names {
		typ := types[t.types[i]]
		if strings.HasPrefix(t.types[i], "DECIMAL") {
			typ = "NUMERIC"
		}
		if typ == "" {
			typ = "STRING"
		}
		fields = append(fields, map[string]string{"name": name, "type": typ, "mode": "NULLABLE"})
	}
	out := map[string]any{"jobComplete": true, "schema": map[string]any{"fields": fields}, "totalRows": fmt.Sprint(len(t.rows))}
	to := min(from+25, len(t.rows))
	if to < len(t.rows) {
		out["pageToken"] = fmt.Sprint(to)
	}
	var rows []map[string]any
	for _, row := range t.rows[from:to] {
		var f []map[string]any
		for i, v := range row {
			switch x := v.(type) {
			case nil:
			case time.Time:
				v = fmt.Sprint(x.UnixMicro())
				switch t.types[i] {
				case "DATE":
					v = x.Format("2006-01-02")
				case "TIMESTAMP":
					v = x.Format("2006-01-02T15:04:05.999999")
				}
			case map[string]any, []any:
				text, _ := json.Marshal(x)
				v = string(text)
			case float64:
				v = strconv.FormatFloat(x, 'g', -1, 64)
			default:
				v = fmt.Sprint(x)
			}
			f = append(f, map[string]any{"v": v})
		}
		rows = append(rows, map[string]any{"f": f})
	}
	out["rows"] = rows
	return out
}

// TestBigQueryTells wants of a connection test which right is missing, waits for a rate, and
// nothing left of a load's tables.
func TestBigQueryTells(t *testing.T) {
	t.Parallel()
	setup, b := bigSetup(t)
	test := func() error {
		o, err := bq.Kind().Open([]byte(setup.Settings), setup.Secrets)
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
	b.busy = 2
	if err := test(); err != nil {
		t.Fatal(err)
	}
	for deny, want := range map[string]string{
		"POST /jobs":     "roles/bigquery.jobUser on the project analytics",
		"GET /datasets":  "roles/bigquery.dataEditor on the dataset weir",
		"POST upload/jo": "roles/bigquery.dataEditor on the dataset weir",
	} {
		b.deny = deny
		if err := test(); warehouse.CodeOf(err) != warehouse.CodeAuth || !strings.Contains(err.Error(), want) {
			t.Errorf("when the account may not %s, the test says %v, want %q", deny, err, want)
		}
	}
	b.deny, b.busy = "", 100
	if err := test(); warehouse.CodeOf(err) != warehouse.CodeUnreachable {
		t.Errorf("past a quota the test says %v", err)
	}
	b.busy = 0
	if left, err := b.query("select table_name from duckdb_tables() where database_name = 'analytics' and table_name like 'weir%'"); err != nil || len(left.rows) > 0 {
		t.Errorf("the dataset still has %v, error %v", left.rows, err)
	}
	for what, c := range map[string]struct{ settings, credentials, want string }{
		"no credentials":    {`{"project":"p","dataset":"d"}`, "", "credentials"},
		"no key in them":    {`{"project":"p","dataset":"d"}`, `{"type":"service_account"}`, "credentials"},
		"both":              {`{"project":"p","dataset":"d","machineRole":true}`, "x", "credentials"},
		"a dataset of dots": {`{"project":"p","dataset":"a.b","machineRole":true}`, "", "dataset"},
	} {
		secrets := map[string]secret.String{}
		if c.credentials != "" {
			secrets["credentials"] = secret.NewString(c.credentials)
		}
		if _, err := bq.Kind().Open([]byte(c.settings), secrets); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", what, err, c.want)
		}
	}
}
