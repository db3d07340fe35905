package reading_test

import (
	"testing"

	"weir/dataplane/warehouses/mssql/reading"
)

func TestStatementsThatAreRun(t *testing.T) {
	t.Parallel()
	for q, want := range map[string][2]bool{ // as a query, in Exec
		"select 1": {true, true}, " -- a\n/* /* b */ */ SELECT 1 ;": {true, true}, "(select 1)": {true, true}, "with x as (select 1 as i) select * from x": {true, true}, "select [delete], \"into\", 'drop' from t": {true, true},
		"select a from t order by a offset 1 rows fetch next 2 rows only": {true, true}, "select @@version": {true, true}, "select a.b.c from a.b": {true, true}, "select 1.5, t.* from t": {true, true}, "select * from t for json path": {true, true},
		"insert into t values (1)": {false, true}, "merge into t using s on 1 = 1 when matched then delete;": {false, true}, "update t set a = 1": {false, true}, "select * into x from t": {false, true},
		"drop table t": {}, "create table t (i int)": {}, "select 1 drop table t": {}, "select 1; select 2": {}, "exec sp_who": {}, "sp_who": {}, "insert into t exec p": {}, "select 'a": {}, "select /* a": {}, "select [a": {}, "": {}, ";": {}, "(": {},
		"select * from a.b.c.d": {}, "select * from a..b": {}, "delete from a...b": {}, "select @a = 1": {}, "select\u00a0* from t": {}, "select 1\x00": {}, "select 1 commit": {}, "begin tran select 1": {}, "select next value for s": {},
	} {
		if got := [2]bool{reading.Query(q) == nil, reading.Exec(q) == nil}; got != want {
			t.Errorf("%q: a query %v, in Exec %v, want %v", q, got[0], got[1], want)
		}
	}
}
