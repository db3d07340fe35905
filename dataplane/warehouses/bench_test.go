package warehouses_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	driver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"

	"weir/dataplane/load/loadtest"
	"weir/dataplane/warehouses/clickhouse"
	"weir/dataplane/warehouses/duckdb"
	localdatalake "weir/dataplane/warehouses/local_datalake"
	"weir/dataplane/warehouses/mysql"
	"weir/dataplane/warehouses/postgres"
)

// columns is twenty typed expressions over a row number i.
const columns = `'m-' || i as id, now() as received_at, now() as uuid_ts, i as c1, i * 0.5::float8 as c2, 'text of a column' as c3, true as c4, now() as c5, i as c6,
	'x' as c7, 'yes' as c8, 'u' as c9, 'src_web' as c10, 'http' as c11, 'dst_test' as c12, 'duckdb' as c13, 'Order Done' as c14, 'order_done' as c15, now() as c16, 'y' as c17`

// BenchmarkDuckDB's bare driver reads typed Parquet into a table.
func BenchmarkDuckDB(b *testing.B) {
	dir := b.TempDir()
	db, err := sql.Open("duckdb", filepath.Join(dir, "bare.duckdb")+"?threads=2")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	file := filepath.Join(dir, "bare.parquet")
	if _, err := db.Exec(fmt.Sprintf("copy (select %s from range(100000) t(i)) to '%s' (format parquet)", columns, file)); err != nil {
		b.Fatal(err)
	}
	loadtest.Bench(b, duckdb.Kind(), setups["duckdb"], func(string, int) {
		if _, err := db.Exec(fmt.Sprintf("create or replace table bare as select * from read_parquet('%s')", file)); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkLocalDatalake's bare driver is DuckDB, which writes typed Parquet into folders by
// day and hour.
func BenchmarkLocalDatalake(b *testing.B) {
	dir := b.TempDir()
	db, err := sql.Open("duckdb", "?threads=2")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	file := filepath.Join(dir, "bare.parquet")
	if _, err := db.Exec(fmt.Sprintf("copy (select %s from range(100000) t(i)) to '%s' (format parquet)", columns, file)); err != nil {
		b.Fatal(err)
	}
	loadtest.Bench(b, localdatalake.Kind(), setups["local_datalake"], func(string, int) {
		q := fmt.Sprintf("copy (select *, cast(received_at as date) as received_day, hour(received_at) as received_hour from read_parquet('%s')) to '%s' (format parquet, partition_by (received_day, received_hour), overwrite_or_ignore)", file, filepath.Join(dir, "bare"))
		if _, err := db.Exec(q); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkPostgres's bare driver copies ready lines into a table.
func BenchmarkPostgres(b *testing.B) {
	ctx := context.Background()
	if err := server.Database(ctx, "bare"+b.Name()+fmt.Sprint(databases.Add(1))); err != nil {
		b.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, server.URL("postgres"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, "drop table if exists bare; create table bare as select "+columns+" from generate_series(1, 0) i"); err != nil {
		b.Fatal(err)
	}
	const at = "2026-01-02T03:04:05.678Z"
	var lines strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&lines, "m-%d\t%s\t%s\t%d\t%d.5\ttext of a column\ttrue\t%s\t%d\tx\tyes\tu\tsrc_web\thttp\tdst_test\tduckdb\tOrder Done\torder_done\t%s\ty\n", i, at, at, i, i, at, i, at)
	}
	loadtest.Bench(b, postgres.Kind(), setups["postgres"], func(string, int) {
		if _, err := conn.PgConn().CopyFrom(ctx, strings.NewReader(lines.String()), "copy bare from stdin"); err != nil {
			b.Fatal(err)
		}
	})
}

// twenty are the columns of the benchmarks' lines, as types that MySQL and ClickHouse have.
func twenty(text, whole, float, boolean, moment string) string {
	all := []string{"id " + text, "received_at " + moment, "uuid_ts " + moment, "c1 " + whole, "c2 " + float, "c3 " + text, "c4 " + boolean, "c5 " + moment, "c6 " + whole}
	for i := 7; i <= 15; i++ {
		all = append(all, fmt.Sprintf("c%d %s", i, text))
	}
	return strings.Join(append(all, "c16 "+moment, "c17 "+text), ", ")
}

// twentyLines are 100,000 ready lines of them.
func twentyLines(at string) string {
	var lines strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&lines, "m-%d\t%s\t%s\t%d\t%d.5\ttext of a column\t1\t%s\t%d\tx\tyes\tu\tsrc_web\thttp\tdst_test\tduckdb\tOrder Done\torder_done\t%s\ty\n", i, at, at, i, i, at, i, at)
	}
	return lines.String()
}

// BenchmarkMySQL's bare driver brings ready lines in by LOAD DATA LOCAL.
func BenchmarkMySQL(b *testing.B) {
	name := mysqlUser(b, allGrants)
	mariadb.exec(b, "create table "+name+".bare ("+twenty("longtext", "bigint", "double", "tinyint(1)", "datetime(3)")+") character set utf8mb4 collate utf8mb4_nopad_bin")
	lines := twentyLines("2026-01-02 03:04:05.678")
	driver.RegisterReaderHandler("bare", func() io.Reader { return strings.NewReader(lines) })
	defer driver.DeregisterReaderHandler("bare")
	loadtest.Bench(b, mysql.Kind(), setups["mysql"], func(string, int) {
		mariadb.exec(b, "load data local infile 'Reader::bare' into table "+name+".bare character set utf8mb4")
	})
}

// BenchmarkClickHouse's bare driver inserts ready lines into a table in the order of id.
func BenchmarkClickHouse(b *testing.B) {
	name := clickHouse.database(b)
	null := func(typ string) string { return "Nullable(" + typ + ")" }
	columns := strings.Replace(twenty(null("String"), null("Int64"), null("Float64"), null("UInt8"), null("FixedString(24)")), "id Nullable(String)", "id String", 1)
	clickHouse.ask(b, name, "create table bare ("+columns+") engine = ReplacingMergeTree() order by id")
	lines := "insert into bare format TabSeparated\n" + twentyLines("2026-01-02T03:04:05.678Z")
	loadtest.Bench(b, clickhouse.Kind(), setups["clickhouse"], func(string, int) { clickHouse.ask(b, name, lines) })
}
