package warehouses_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
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
	"weir/dataplane/warehouses/snowflake"
	"weir/shared/secret"
)

// snow is a stand-in of Snowflake's SQL API: it takes statements of the forms that the
// documentation has and the kind needs, and keeps tables in a lake.
// Sources: https://docs.snowflake.com/en/developer-guide/sql-api/reference and
// https://docs.snowflake.com/en/developer-guide/sql-api/handling-responses
type snow struct {
	*lake
	api    *httptest.Server
	bucket *fakeBucket
	key    *rsa.PublicKey

	mu        sync.Mutex
	answers   map[string]snowAnswer // by handle
	suspended bool
	deny      string // what a statement begins with that the role may not run
}

type snowAnswer struct {
	status int
	body   map[string]any
	parts  [][][]*string
}

// snowKey is the key pair of every test: making one takes long.
var snowKey = sync.OnceValues(func() (*rsa.PrivateKey, string) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	b, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b}))
})

func ofSnowflake(t testing.TB) loadtest.Setup {
	s, _ := snowSetup(t)
	return s
}

func snowSetup(t testing.TB) (loadtest.Setup, *snow) {
	key, text := snowKey()
	s := &snow{bucket: newBucket(t), key: &key.PublicKey, answers: map[string]snowAnswer{}, lake: newLake(t,
		"create macro parse_json(x) as x::json",
		"create macro convert_timezone(z, x) as timezone(z, x)",
		"create macro to_char(x, f) as lpad(year(x)::varchar, 4, '0') || strftime(x, '-%m-%dT%H:%M:%S.%gZ')")}
	s.api = httptest.NewServer(s)
	t.Cleanup(s.api.Close)
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		to := s.api
		if strings.HasPrefix(addr, "s3.") {
			to = s.bucket.Server
		}
		return (&net.Dialer{}).DialContext(ctx, network, to.Listener.Addr().String())
	}
	return loadtest.Setup{
		Settings: `{"account":"org-acc","user":"weir","role":"loader","warehouse":"wh","database":"analytics","schema":"weir","bucket":"files","region":"eu-central-1","bucketUrl":"http://s3.example.com","baseUrl":"http://snow.example.com"}`,
		Secrets:  map[string]secret.String{"privateKey": secret.NewString(text), "accessKey": secret.NewString("AKIA"), "secretKey": secret.NewString("hush")},
		Deps:     warehouse.Deps{Dial: dial, Now: time.Now},
		Exec:     s.owner,
		SQL:      func(q string) string { return spelled(q, nil, strings.ToUpper, nil) },
		Upper:    true,
		Undoes:   loadtest.UndoesNone,
		Outside: []string{
			"insert into order_done (id) values ('2')", "delete from order_done", "create table x (a int)", "copy into 's3://files/x' from order_done", "copy into @%order_done from order_done",
			"put file:///etc/passwd @~", "get @~ file:///tmp", "call system$wait(1)", "execute immediate 'delete from order_done'", "begin", "use role accountadmin", "grant role a to user b",
			"select 1; delete from order_done", "/* */ delete from order_done", "-- x\ndrop table order_done", "alter warehouse wh suspend", "set x = 1",
		},
		Lacks: []string{"uuid", "timestamp(0)", "real", "smallint", "integer", "bigint"},
		// Names of the lake's own catalog are in any case, and its tables slow with many columns.
		Without: []string{"backslash", "names", "former", "mixed", "wide", "broad", "traits"},
	}, s
}

func (s *snow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	say := func(status int, body map[string]any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(body); err != nil {
			s.t.Error(err)
		}
	}
	if err := s.signed(r); err != nil {
		say(http.StatusUnauthorized, map[string]any{"code": "390144", "message": err.Error()})
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/api/v2/statements")
	switch {
	case r.Method == http.MethodPost && path == "":
		var q struct {
			Statement, Database, Schema, Warehouse, Role string
			Timeout                                      int
			Parameters                                   map[string]string
		}
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if err := d.Decode(&q); err != nil || r.URL.Query().Get("requestId") == "" || q.Warehouse != "WH" || q.Role != "LOADER" || q.Database != "ANALYTICS" || q.Timeout < 1 {
			say(http.StatusBadRequest, map[string]any{"code": "391902", "message": fmt.Sprint("bad request: ", err)})
			return
		}
		a := s.statements(q.Statement, q.Parameters["MULTI_STATEMENT_COUNT"])
		handle := fmt.Sprintf("01-%d", len(s.answers))
		a.body["statementHandle"] = handle
		s.answers[handle] = a
		if len(s.answers)%8 == 0 && strings.Contains(q.Statement, "merge into") { // it takes longer
			say(http.StatusAccepted, map[string]any{"code": "333334", "statementHandle": handle, "statementStatusUrl": "/api/v2/statements/" + handle})
			return
		}
		say(a.status, a.body)
	case r.Method == http.MethodGet:
		a, ok := s.answers[strings.TrimPrefix(path, "/")]
		p, _ := strconv.Atoi(r.URL.Query().Get("partition"))
		switch {
		case !ok:
			say(http.StatusNotFound, map[string]any{"message": "no such statement"})
		case p > 0:
			say(http.StatusOK, map[string]any{"data": a.parts[p]})
		default:
			say(a.status, a.body)
		}
	default:
		say(http.StatusNotFound, map[string]any{"message": "no such endpoint"})
	}
}

// signed wants the token that the documentation describes.
func (s *snow) signed(r *http.Request) error {
	if r.Header.Get("X-Snowflake-Authorization-Token-Type") != "KEYPAIR_JWT" || r.Header.Get("User-Agent") == "" {
		return errors.New("no token of a key pair")
	}
	t, err := jwt.Parse(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), func(*jwt.Token) (any, error) { return s.key, nil }, jwt.WithValidMethods([]string{"RS256"}), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	if err != nil {
		return errors.New("JWT token is invalid")
	}
	public, err := x509.MarshalPKIXPublicKey(s.key)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(public)
	claims := t.Claims.(jwt.MapClaims)
	if claims["sub"] != "ORG-ACC.WEIR" || claims["iss"] != "ORG-ACC.WEIR.SHA256:"+base64.StdEncoding.EncodeToString(sum[:]) {
		return errors.New("JWT token is invalid")
	}
	return nil
}

// Forms of statements. T is a table's name, C a column's, Y a type.
var (
	snowForm = func(form string) *regexp.Regexp {
		for word, is := range map[string]string{
			"T": `("ANALYTICS"\."WEIR"\."[^"a-z]+")`, "C": `"([^"a-z]+)"`,
			"Y": `(number\(38,0\)|float|boolean|timestamp_tz|variant|varchar)`,
		} {
			form = regexp.MustCompile(`\b`+word+`\b`).ReplaceAllLiteralString(form, is)
		}
		return regexp.MustCompile(`(?s)^` + form + `$`)
	}
	snowSchema = snowForm(`create schema if not exists "ANALYTICS"\."WEIR"`)
	snowTable  = snowForm(`create table if not exists T \(C Y\)`)
	snowTemp   = snowForm(`create temporary table T \((c\d{5} Y(?:, c\d{5} Y)*)\)`)
	snowAdd    = snowForm(`alter table T add column (?:(if not exists) )?(C Y(?:, C Y)*)`)
	snowDrop   = snowForm(`alter table T drop column C`)
	snowRename = snowForm(`alter table T rename column C to C`)
	snowUpdate = snowForm(`update T set C = .*`)
	snowMerge  = snowForm(`merge into T t using T s on t\."ID" = s\.c\d{5} (?:when matched then update set .* )?when not matched then insert \(.*\) values \(.*\)`)
	snowCopy   = snowForm(`copy into T from 's3://files/([^']+)' (?:storage_integration = "\w+"|credentials = \(aws_key_id = '(\w+)' aws_secret_key = '(\w+)'\)) file_format = \(type = parquet\) match_by_column_name = case_insensitive`)
	snowResume = snowForm(`alter warehouse "WH" resume if suspended`)
	snowDelete = regexp.MustCompile(`(?s)^delete from "[^"]+"\."[^"]+"\."[^"]+" where .+`)
	snowReads  = regexp.MustCompile(`(?is)^\s*(select|with|show|describe|explain|values)\b`)
)

// snowError is what Snowflake says against a statement.
type snowError struct{ code, state, message string }

func (e *snowError) Error() string { return e.message }

// statements runs what one request has.
func (s *snow) statements(sql, count string) snowAnswer {
	all := strings.Split(sql, ";\n")
	if n := len(strings.Split(spelled(sql, func(string) string { return "" }, func(string) string { return "" }, nil), ";")); fmt.Sprint(n) != count {
		return snowAnswer{status: http.StatusUnprocessableEntity, body: map[string]any{"code": "000008", "sqlState": "0A000", "message": fmt.Sprintf("Actual statement count %d did not match the desired statement count %s.", n, count)}}
	}
	var temporary []string
	defer func() {
		for _, t := range temporary {
			s.owner("drop table if exists " + t)
		}
	}()
	var out table
	for _, q := range all {
		var err error
		if m := snowTemp.FindStringSubmatch(q); m != nil {
			temporary = append(temporary, m[1])
		}
		if out, err = s.one(q); err != nil {
			e := snowErrorOf(err)
			return snowAnswer{status: http.StatusUnprocessableEntity, body: map[string]any{"code": e.code, "sqlState": e.state, "message": e.message}}
		}
	}
	return snowResult(out)
}

func snowErrorOf(err error) *snowError {
	var e *snowError
	if errors.As(err, &e) {
		return e
	}
	var d *driver.Error
	if errors.As(err, &d) {
		switch d.Type {
		case driver.ErrorTypeCatalog:
			return &snowError{"002003", "42S02", d.Msg}
		case driver.ErrorTypeParser, driver.ErrorTypeSyntax:
			return &snowError{"001003", "42000", d.Msg}
		case driver.ErrorTypeBinder:
			return &snowError{"000904", "42000", d.Msg}
		}
		return &snowError{"100072", "22000", d.Msg}
	}
	return &snowError{"100038", "22018", err.Error()}
}

var (
	snowTypes = []struct {
		from *regexp.Regexp
		to   string
	}{
		{regexp.MustCompile(`\bnumber\(38,0\)`), "hugeint"}, {regexp.MustCompile(`\bnumber\(`), "decimal("}, {regexp.MustCompile(`\bfloat\b`), "double"},
		{regexp.MustCompile(`\bvariant\b`), "json"}, {regexp.MustCompile(`\btimestamp_tz\b`), "timestamptz"}, {regexp.MustCompile(`\btimestamp_ntz\b`), "timestamp"},
	}
	snowLacks   = regexp.MustCompile(`(?i)::|\btry_cast\b|\bread_parquet\b|\bfilter\s*\(`)
	snowCatalog = map[string]string{
		`"ANALYTICS".information_schema.schemata`: `(select upper(schema_name) as schema_name from information_schema.schemata where catalog_name = 'analytics') x`,
		`"ANALYTICS".information_schema.tables`:   `(select upper(table_schema) as table_schema, upper(table_name) as table_name, table_type from information_schema.tables where table_catalog = 'analytics') x`,
		`"ANALYTICS".information_schema.columns`: `(select upper(table_schema) as table_schema, upper(table_name) as table_name, upper(column_name) as column_name,
			case when data_type in ('HUGEINT', 'BIGINT', 'INTEGER', 'SMALLINT') or data_type like 'DECIMAL%' then 'NUMBER' when data_type = 'DOUBLE' then 'FLOAT' when data_type = 'VARCHAR' then 'TEXT'
				when data_type = 'TIMESTAMP WITH TIME ZONE' then 'TIMESTAMP_TZ' when data_type = 'TIMESTAMP' then 'TIMESTAMP_NTZ' when data_type = 'JSON' then 'VARIANT' else data_type end as data_type,
			case when data_type = 'VARCHAR' then 16777216 end as character_maximum_length,
			case data_type when 'HUGEINT' then 38 when 'BIGINT' then 18 when 'INTEGER' then 9 when 'SMALLINT' then 4 else numeric_precision end as numeric_precision,
			case when data_type like 'DECIMAL%' then numeric_scale else 0 end as numeric_scale from information_schema.columns where table_catalog = 'analytics') x`,
	}
)

// one runs one statement.
func (s *snow) one(sql string) (table, error) {
	for _, name := range regexp.MustCompile(`"[^"]*"`).FindAllString(spelled(sql, func(string) string { return "''" }, nil, nil), -1) {
		if name != strings.ToUpper(name) {
			return table{}, &snowError{"000904", "42000", "invalid identifier " + name}
		}
	}
	if m := snowLacks.FindString(spelled(sql, func(string) string { return "''" }, nil, nil)); m != "" {
		return table{}, &snowError{"001003", "42000", "syntax error: " + m}
	}
	if s.deny != "" && strings.HasPrefix(sql, s.deny) {
		return table{}, &snowError{"003001", "42501", "SQL access control error: Insufficient privileges"}
	}
	resume := snowResume.MatchString(sql)
	if s.suspended && !resume {
		return table{}, &snowError{"000606", "57P03", "No active warehouse selected in the current session."}
	}
	run := func(q string) (table, error) {
		q = spelled(q, func(text string) string { return strings.ReplaceAll(text, `\\`, `\`) }, nil, func(rest string) string {
			for _, r := range snowTypes {
				rest = r.from.ReplaceAllString(rest, r.to)
			}
			return rest
		})
		_, err := s.db.Exec(q)
		return table{names: []string{"status"}, types: []string{"VARCHAR"}, rows: [][]any{{"done"}}}, err
	}
	switch {
	case resume:
		s.suspended = false
		return table{}, nil
	case sql == "select current_role(), current_warehouse(), current_database()":
		return table{names: []string{"R", "W", "D"}, types: []string{"VARCHAR", "VARCHAR", "VARCHAR"}, rows: [][]any{{"LOADER", "WH", "ANALYTICS"}}}, nil
	case snowTemp.MatchString(sql):
		return run(strings.Replace(sql, "temporary ", "", 1))
	case snowSchema.MatchString(sql), snowTable.MatchString(sql), snowDrop.MatchString(sql), snowDelete.MatchString(sql), snowRename.MatchString(sql), snowUpdate.MatchString(sql), snowMerge.MatchString(sql):
		return run(sql)
	case snowAdd.MatchString(sql):
		m := snowAdd.FindStringSubmatch(sql)
		for _, c := range strings.Split(m[3], ", ") {
			if out, err := run("alter table " + m[1] + " add column " + m[2] + " " + c); err != nil {
				return out, err
			}
		}
		return table{}, nil
	case snowCopy.MatchString(sql):
		m := snowCopy.FindStringSubmatch(sql)
		if m[3] != "" && (m[3] != "AKIA" || m[4] != "hush") {
			return table{}, &snowError{"003167", "42601", "Failure using stage area. Access Denied (Status Code: 403)"}
		}
		files, err := s.bucket.objects(m[2])
		for _, f := range files {
			err = errors.Join(err, s.load(m[1], f))
		}
		return table{}, err
	case snowReads.MatchString(sql):
		for from, to := range snowCatalog {
			sql = strings.ReplaceAll(sql, from, to)
		}
		return s.query(sql)
	}
	return table{}, &snowError{"001003", "42000", "syntax error: this is no statement of the documentation's: " + sql}
}

// snowResult writes a result as the API does, in partitions of 25 rows.
func snowResult(t table) snowAnswer {
	types := map[string]string{"BIGINT": "fixed", "INTEGER": "fixed", "SMALLINT": "fixed", "HUGEINT": "fixed", "DOUBLE": "real", "BOOLEAN": "boolean", "TIMESTAMPTZ": "timestamp_tz", "TIMESTAMP": "timestamp_ntz", "DATE": "date", "JSON": "variant"}
	var columns []map[string]any
	for i, name := range t.names {
		typ := types[t.types[i]]
		if strings.HasPrefix(t.types[i], "DECIMAL") {
			typ = "fixed"
		}
		if typ == "" {
			typ = "text"
		}
		columns = append(columns, map[string]any{"name": strings.ToUpper(name), "type": typ, "nullable": true})
	}
	parts := [][][]*string{{}}
	for i, row := range t.rows {
		if i > 0 && i%25 == 0 {
			parts = append(parts, nil)
		}
		texts := make([]*string, len(row))
		for j, v := range row {
			var text string
			switch v := v.(type) {
			case nil:
				continue
			case time.Time:
				text = fmt.Sprintf("%d.%09d", v.Unix(), v.Nanosecond())
				if v.Unix() < 0 && v.Nanosecond() > 0 { // one number, with its sign
					text = fmt.Sprintf("-%d.%09d", -v.Unix()-1, 1_000_000_000-v.Nanosecond())
				}
				switch t.types[j] {
				case "DATE":
					text = fmt.Sprint(v.Unix() / (24 * 60 * 60))
				case "TIMESTAMPTZ":
					text += " 1440"
				}
			case map[string]any, []any:
				b, _ := json.Marshal(v)
				text = string(b)
			case float64:
				text = strconv.FormatFloat(v, 'g', -1, 64)
			default:
				text = fmt.Sprint(v)
			}
			texts[j] = &text
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], texts)
	}
	var info []map[string]any
	for _, p := range parts {
		info = append(info, map[string]any{"rowCount": len(p)})
	}
	return snowAnswer{status: http.StatusOK, parts: parts, body: map[string]any{
		"code": "090001", "message": "Statement executed successfully.", "data": parts[0],
		"resultSetMetaData": map[string]any{"numRows": len(t.rows), "format": "jsonv2", "rowType": columns, "partitionInfo": info},
	}}
}

// TestSnowflakeTells wants of a connection test which right is missing, a suspended
// warehouse resumed, and nothing left in the bucket.
func TestSnowflakeTells(t *testing.T) {
	t.Parallel()
	setup, s := snowSetup(t)
	test := func(secrets map[string]secret.String) error {
		o, err := snowflake.Kind().Open([]byte(setup.Settings), secrets)
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
	s.suspended = true
	if err := test(setup.Secrets); err != nil || s.suspended {
		t.Fatalf("a suspended warehouse: %v", err)
	}
	for deny, want := range map[string]string{
		"create temporary table": `grant usage, create table on schema "ANALYTICS"."WEIR" to role LOADER`,
		"copy into":              "s3:GetObject",
		"select current_role":    "Insufficient privileges",
	} {
		s.deny = deny
		if err := test(setup.Secrets); warehouse.CodeOf(err) != warehouse.CodeAuth || !strings.Contains(err.Error(), want) {
			t.Errorf("when the role may not %s, the test says %v, want %q", deny, err, want)
		}
	}
	s.deny = ""
	s.suspended = true
	s.deny = "alter warehouse"
	if err := test(setup.Secrets); warehouse.CodeOf(err) != warehouse.CodeAuth || !strings.Contains(err.Error(), "operate on warehouse wh") {
		t.Errorf("when the warehouse cannot be resumed, the test says %v", err)
	}
	s.deny, s.suspended = "", false
	s.mu.Lock()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s.key = &key.PublicKey
	s.mu.Unlock()
	if err := test(setup.Secrets); warehouse.CodeOf(err) != warehouse.CodeAuth || !strings.Contains(err.Error(), "rsa_public_key") {
		t.Errorf("with another key the test says %v", err)
	}
	if left, err := s.bucket.objects(""); err != nil || len(left) > 0 {
		t.Errorf("the bucket still has %d objects, error %v", len(left), err)
	}
	_, err = snowflake.Kind().Open([]byte(`{"account":"a","user":"u","warehouse":"w","database":"d","bucket":"files","region":"r"}`), map[string]secret.String{"privateKey": secret.NewString("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")})
	for _, want := range []string{"secrets.privateKey", "secrets.accessKey", "secrets.secretKey"} {
		if !strings.Contains(fmt.Sprintf("%+v", err), strings.TrimPrefix(want, "secrets.")) {
			t.Errorf("settings without keys: %v, want %s in it", err, want)
		}
	}
}
