package reading_test

import (
	"testing"

	"weir/dataplane/warehouses/clickhouse/reading"
)

// TestCheck holds what a query may have; the kit holds on a server what it may not.
func TestCheck(t *testing.T) {
	t.Parallel()
	for _, q := range []string{
		"select 1", "SELECT 1;", "(select 1)", "with 1 as x select x", "-- a\nselect 1", "/* a; b */ select ';drop table x'", "select * from system.columns", "select * from t as system", "select system.a from t as system where 1", "select a as format from t",
		"select format, x from t", "select `a;b`, \"c\"\"d\", 'it''s', 'it\\'s' from t", "select merge, file, url from t", "select URLHash(a) from t", "select format",
	} {
		err := reading.Check(q)
		if q == "select system.a from t as system where 1" { // it reads as the database does
			if err == nil {
				t.Errorf("%s is taken", q)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", q, err)
		}
	}
	for _, q := range []string{"", ";", "select '", "select `a", "select 1 /* ", "insert into t values (1)", "explain select 1", "select 1; select 2", "select 1 format JSON", "select 1 into outfile 'x'", "select * from url('x')", "select * from `file` ('x')",
		"select * from s3('x')", "select * from urlCluster('x')", "select dictGet('a', 'b', 1)", "select * from system.processes", "select * from `system`./* */`users`", "select * from information_schema.tables", "select * from executable('x', TSV, 'a')", "with x as (select 1) insert into t select 1; x"} {
		if reading.Check(q) == nil {
			t.Errorf("%s is taken", q)
		}
	}
}
