package warehouses_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/dataplane/layout"
	"weir/dataplane/load/loadtest"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses"
	"weir/shared/catalog"
	"weir/shared/catalog/form/formtest"
	"weir/shared/postgrestest"
	"weir/shared/secret"
)

// server listens on address too.
var (
	server  *postgrestest.Server
	address = postgrestest.Loopback()
)

func TestMain(m *testing.M) {
	warehouses.Tasks().Divert()
	var err error
	if server, err = postgrestest.Start(context.Background(), address); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := errors.Join(server.Close(), mariadb.close(), clickHouse.close()); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

var databases atomic.Int64

// setups has one for every kind.
var setups = map[string]func(testing.TB) loadtest.Setup{"duckdb": duckDB, "mssql": ofMSSQL, "deltalake": ofDatabricks, "mysql": ofMySQL, "postgres": ofPostgres, "bq": ofBigQuery, "clickhouse": ofClickHouse, "rs": ofRedshift, "snowflake": ofSnowflake, "local_datalake": ofLocalDatalake, "s3_datalake": ofS3Datalake, "gcs_datalake": ofGCSDatalake, "azure_datalake": ofAzureDatalake, "iceberg": ofIceberg}

func duckDB(t testing.TB) loadtest.Setup {
	data := t.TempDir()
	dir := filepath.Join(data, "warehouses", "ws_test")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	lake := filepath.Join(dir, "lake.duckdb")
	other, near := filepath.Join(dir, "other.duckdb"), filepath.Join(dir, "near.csv")
	exec := func(file, q string) {
		db, err := sql.Open("duckdb", file)
		if err == nil {
			_, err = db.Exec(q)
			err = errors.Join(err, db.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	exec(other, "create table hush as select 'hush' as a")
	if err := os.WriteFile(near, []byte("a\nhush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return loadtest.Setup{
		Settings: `{"path":"lake.duckdb"}`,
		Deps:     warehouse.Deps{DataDir: data, Owners: &warehouse.Owners{}, Workspace: "ws_test", Now: time.Now},
		Exec:     func(q string) { exec(lake, q) },
		Outside: []string{
			"select * from read_csv('" + near + "')", "select * from read_text('" + near + "')", "select * from read_blob('/etc/passwd')", "select * from '" + near + "'",
			"select * from glob('" + dir + "/*')", "select * from sniff_csv('" + near + "')", "select * from read_parquet('x')", "select * from read_json('x')",
			"attach '" + other + "'", "select * from read_duckdb('" + other + "')", "select * from '" + other + "'", "import database '" + dir + "'",
			"copy (select 1) to '" + near + "2'", "copy order_done from '" + near + "'", "export database '" + dir + "/dump'", "create persistent secret s (type http)",
			"install httpfs", "load httpfs", "select * from 'https://127.0.0.1:1/x.csv'", "select * from read_csv('s3://a/b')", "select * from postgres_scan('a','b','c')",
			"set enable_external_access=true", "set access_mode='READ_WRITE'", "pragma enable_profiling='json'", "pragma profiling_output='" + near + "'",
			"call enable_logging(level='trace', storage='file', storage_path='" + dir + "/log'); select 1", "from Enable_Logging(storage='file', storage_path='" + dir + "/log')",
			"from query('from enable' || '_logging(level=''trace'', storage=''file'', storage_path=''" + dir + "/log'')')",
			`from "query"/* /* */ */ ('from enable' || '_logging()')`, "from json_execute_serialized_sql(json_serialize_sql('from enable' || '_logging()'))",
			"insert into order_done (id) values ('2') returning id", "explain analyze insert into order_done (id) values ('2')", "update order_done set n = 2", "select 1; delete from order_done",
			"copy (select 1) to '" + lake + ".tmp/x'", "copy (select 1) to '" + lake + "'", "copy (select 1) to '" + lake + ".wal'", "attach '" + lake + ".tmp/y'", "attach ':memory:' as m", "select 1; copy (select 1) to '" + lake + ".tmp/x'",
			"explain analyze copy (select 1) to '" + lake + ".tmp/x'", "explain (analyze, format json) copy (select 1) to '" + lake + ".tmp/x'", "/* */ explain /* */ analyze copy (select 1) to '" + lake + ".tmp/x'",
			"prepare p as copy (select 1) to '" + lake + ".tmp/x'", "set temp_directory='" + dir + "'", "set allowed_directories=['/']", "set allowed_paths=['/etc/passwd']", "set home_directory='/'", "set extension_directory='" + dir + "'",
			"set secret_directory='" + dir + "'", "set profiling_output='" + near + "'", "set log_query_path='" + near + "'", "set custom_extension_repository='http://127.0.0.1:1'", "load '" + near + "'", "install '" + near + "'", "reset lock_configuration",
			"attach 'https://127.0.0.1:1/x.duckdb'", "attach 'host=127.0.0.1' as p (type postgres)", "create secret s (type s3)", "create macro f() as (select content from read_text('/etc/passwd'))", "create temp view v as select * from read_text('/etc/passwd')",
			"select * from duckdb_secrets()", "select * from read_ndjson_objects('x')", "select * from read_json_auto('x')", "select * from parquet_metadata('x')", "select * from parquet_scan(['/etc/passwd'])", "select * from read_csv_auto('/dev/stdin')",
			"select * from '/etc/passwd'", "from 'file:///etc/passwd'", "select * from glob('/**')", "select * from sqlite_scan('x','y')", "select * from iceberg_scan('x')", "select getenv('HOME')", "call pragma_version()", "checkpoint", "begin", "use memory",
		},
	}
}

// ofPostgres gives an ordinary role a database: what a query may not do must not
// depend on what a superuser may.
func ofPostgres(t testing.TB) loadtest.Setup { return postgresBehind(t, server.Dial) }

// postgresBehind is a database that is reached by dial.
func postgresBehind(t testing.TB, dial func(context.Context, string, string) (net.Conn, error)) loadtest.Setup {
	name := fmt.Sprintf("d%d", databases.Add(1))
	role := "owner_" + name // roles belong to the server, not to the database
	if err := server.Database(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	exec := func(q string) { execPostgres(t, name, q) }
	exec("create role " + role + " login password 'hush'; grant create on database " + name + " to " + role + "; create table public.hush as select 'hush' as a")
	return loadtest.Setup{
		Settings: `{"host":"db","database":"` + name + `","user":"` + role + `","schema":"weir","sslMode":"disable"}`,
		Secrets:  map[string]secret.String{"password": secret.NewString("hush")},
		Deps:     warehouse.Deps{Dial: dial, Now: time.Now},
		Revoke:   "revoke insert on pages from current_user", Grant: "grant insert on pages to current_user",
		Exec: func(q string) {
			exec("set role " + role + "; create schema if not exists weir; set search_path = weir; " + q)
		},
		Outside: []string{
			"copy order_done from program 'echo 1'", "copy (select 1) to program 'cat'", "copy order_done from '/etc/passwd'", "copy (select 1) to '/tmp/x'",
			"select pg_read_file('/etc/passwd')", "select pg_read_binary_file('/etc/passwd')", "select pg_ls_dir('/')", "select pg_stat_file('/etc/passwd')",
			"select lo_import('/etc/passwd')", "select * from dblink('host=127.0.0.1', 'select 1') as t(a int)", "create extension dblink",
			"select * from public.hush", "select rolpassword from pg_authid", "set role postgres", "set session authorization postgres",
			"set transaction read write", "select set_config('transaction_read_only', 'off', true)", "load '/tmp/x.so'",
			"insert into order_done (id) values ('2') returning id", "with x as (delete from order_done returning id) select * from x", "explain analyze delete from order_done",
			"create temporary table x as select 1", "select 1 into x", "do $$ begin delete from order_done; end $$", "select nextval('pg_catalog.x')", "commit; delete from order_done",
		},
	}
}

// execPostgres runs statements as the superuser.
func execPostgres(t testing.TB, database, q string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.URL(database))
	if err == nil {
		_, err = conn.Exec(t.Context(), q)
		err = errors.Join(err, conn.Close(t.Context()))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestAll holds every folder to the contract of warehouses.
func TestAll(t *testing.T) {
	t.Parallel()
	folders := map[string]bool{}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			folders[e.Name()] = true
		}
	}
	for _, kind := range warehouses.All() {
		delete(folders, kind.Spec.Name)
		setup := setups[kind.Spec.Name]
		if setup == nil {
			t.Errorf("%s has no setup here", kind.Spec.Name)
			continue
		}
		t.Run(kind.Spec.Name, func(t *testing.T) { loadtest.Check(t, kind, setup) })
	}
	for name := range folders { // only its layout is known
		if _, err := os.Stat(filepath.Join(name, "spec.yaml")); err == nil {
			t.Errorf("folder %s is in no list: go run ./shared/catalog/gen", name)
		}
	}
}

// TestFormsRefuseWhatKindsRefuse is about what is needed one way or the other.
func TestFormsRefuseWhatKindsRefuse(t *testing.T) {
	t.Parallel()
	for _, kind := range warehouses.All() {
		if kind.Spec.Form == nil || len(kind.Spec.Form.Choices) == 0 {
			continue
		}
		setup, given := setups[kind.Spec.Name](t), map[string]string{}
		for name, s := range setup.Secrets {
			given[name] = s.Reveal()
		}
		formtest.Agree(t, formtest.Kind{Form: kind.Spec.Form, Secret: func(name string) bool {
			return slices.ContainsFunc(kind.Spec.Secrets, func(f catalog.Field) bool { return f.Name == name })
		}, Open: func(settings []byte, secrets map[string]string) error {
			sealed := map[string]secret.String{}
			for name, text := range secrets {
				sealed[name] = secret.NewString(text)
			}
			_, err := kind.Open(settings, sealed)
			return err
		}}, []byte(setup.Settings), given)
	}
}

// TestLayouts wants a layout named as its folder in every folder.
func TestLayouts(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, e := range entries {
		if e.IsDir() {
			want = append(want, e.Name())
		}
	}
	for _, d := range warehouses.Layouts() {
		got = append(got, d.Kind())
	}
	if !slices.Equal(got, want) {
		t.Errorf("layouts are named %v, want %v, the folders", got, want)
	}
	for _, name := range []string{"BigQuery", "bq"} {
		if d, ok := layout.Find(warehouses.Layouts(), name); !ok || d.Kind() != "bq" {
			t.Errorf("Find(%q) = %v, %v, want bq", name, d, ok)
		}
	}
	if _, ok := layout.Find(warehouses.Layouts(), "fax"); ok {
		t.Error("Find(fax) finds one")
	}
}
