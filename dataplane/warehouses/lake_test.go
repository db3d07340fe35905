package warehouses_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	driver "github.com/duckdb/duckdb-go/v2"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/parquet-go/parquet-go"
)

// lake keeps the tables of stand-ins whose vendors speak HTTP: a DuckDB in memory, with the
// schema weir of the database analytics.
type lake struct {
	t     testing.TB
	db    *sql.DB
	dir   string
	files atomic.Int64
}

func newLake(t testing.TB, more ...string) *lake {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	l := &lake{t: t, db: db, dir: t.TempDir()}
	for _, q := range append([]string{"attach ':memory:' as analytics", "create schema analytics.weir", "use analytics.weir", "set timezone = 'UTC'", "set threads = 1"}, more...) {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	return l
}

// owner runs statements as the owner of the warehouse.
func (l *lake) owner(q string) {
	if _, err := l.db.Exec(q); err != nil {
		l.t.Fatalf("%s: %v", q, err)
	}
}

// table is what a query gives.
type table struct {
	names, types []string
	rows         [][]any
}

func (l *lake) query(q string) (out table, err error) {
	rows, err := l.db.Query(q)
	if err != nil {
		return out, err
	}
	return tableOf(rows)
}

// tableOf reads rows and closes them.
func tableOf(rows *sql.Rows) (out table, err error) {
	defer func() { _ = rows.Close() }()
	if out.names, err = rows.Columns(); err != nil {
		return out, err
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return out, err
	}
	for _, t := range types {
		out.types = append(out.types, t.DatabaseTypeName())
	}
	for rows.Next() {
		values, into := make([]any, len(types)), make([]any, len(types))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return out, err
		}
		for i, v := range values {
			if d, ok := v.(driver.Decimal); ok {
				values[i] = d.String()
			}
		}
		out.rows = append(out.rows, values)
	}
	return out, rows.Err()
}

// load inserts a Parquet file into a table, when its columns are those of the table.
func (l *lake) load(into string, file []byte) error {
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return err
	}
	have, err := l.query("select * from " + into + " limit 0")
	if err != nil {
		return err
	}
	columns := f.Root().Columns()
	if len(columns) != len(have.names) {
		return fmt.Errorf("the file has %d columns, the table %d", len(columns), len(have.names))
	}
	name := filepath.Join(l.dir, fmt.Sprint(l.files.Add(1), ".parquet"))
	if err := os.WriteFile(name, file, 0o600); err != nil {
		return err
	}
	defer func() { _ = os.Remove(name) }()
	var names []string
	for i, c := range columns {
		if !strings.EqualFold(c.Name(), have.names[i]) {
			return fmt.Errorf("column %s of the file is %s of the table", c.Name(), have.names[i])
		}
		names = append(names, c.Name())
	}
	list := strings.Join(names, ",")
	_, err = l.db.Exec("insert into " + into + " (" + list + ") select " + list + " from read_parquet('" + name + "')")
	return err
}

// words matches what is neither a text nor a quoted name.
var pieces = regexp.MustCompile("'(?:[^'\\\\]|''|\\\\.)*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|[^'\"`]+")

// spelled writes each text, each quoted name and all between them anew.
func spelled(sql string, text, name, rest func(string) string) string {
	return pieces.ReplaceAllStringFunc(sql, func(p string) string {
		f := rest
		switch p[0] {
		case '\'':
			f = text
		case '"', '`':
			f = name
		}
		if f == nil {
			return p
		}
		return f(p)
	})
}

// fakeBucket is a bucket named files.
type fakeBucket struct {
	*httptest.Server
	backend *s3mem.Backend
}

func newBucket(t testing.TB) *fakeBucket {
	backend := s3mem.New()
	if err := backend.CreateBucket("files"); err != nil {
		t.Fatal(err)
	}
	b := &fakeBucket{backend: backend, Server: httptest.NewServer(gofakes3.New(backend, gofakes3.WithoutVersioning(), gofakes3.WithTimeSkewLimit(0)).Server())}
	t.Cleanup(b.Close)
	return b
}

// objects are those whose keys begin with a prefix.
func (b *fakeBucket) objects(prefix string) (all [][]byte, err error) {
	list, err := b.backend.ListBucket("files", &gofakes3.Prefix{HasPrefix: true, Prefix: prefix}, gofakes3.ListBucketPage{})
	if err != nil {
		return nil, err
	}
	for _, c := range list.Contents {
		o, err := b.backend.GetObject("files", c.Key, nil)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(o.Contents)
		_ = o.Contents.Close()
		if err != nil {
			return nil, err
		}
		all = append(all, body)
	}
	return all, nil
}
