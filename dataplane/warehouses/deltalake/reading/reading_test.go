package reading_test

import (
	"testing"

	"weir/dataplane/warehouses/deltalake/reading"
)

func TestQuery(t *testing.T) {
	t.Parallel()
	for q, want := range map[string]bool{
		"select 1": true, " -- a\n/* /* b */ */ SELECT 1 ;": true, "(select 1)": true, "with x as (select 1) select * from x": true, "values (1)": true, "show tables": true, "describe t": true, "explain select 1": true, "table t": true,
		"select `delete`, 'insert', \"into\" from t": true, `select r'\' from t`: true, `select 'a\'delete' from t`: true, "select a.json.b, parquet.x from parquet": true, "select json from delta": true, "select replace(a, 'x', 'y') from t": true,
		"insert into t values (1)": false, "with x as (select 1) insert into t select * from x": false, "from t insert into u select *": false, "select 1; select 2": false, "": false, ";": false, "(": false, "select 'a": false, "select `a": false, "select /* a": false,
		"select * from csv.`/etc/passwd`": false, "select * from `CSV` . `/etc/passwd`": false, "select read_files('x')": false, "select * from READ_FILES ('x')": false, "select `read_files`('x')": false, "select ai_query('m', 'x')": false, "select reflect('a', 'b')": false,
		`select r'\' insert into t select 'x'`: false, "select\u00a0* from t": false, "merge into t using s on true when matched then delete": false, "drop table t": false,
	} {
		if err := reading.Query(q); (err == nil) != want {
			t.Errorf("%q: %v, want it run: %v", q, err, want)
		}
	}
}
