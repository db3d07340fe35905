package loadtest

import (
	"context"

	"weir/dataplane/warehouse"
	"weir/shared/fault"
)

// open opens the warehouse beside the engine's loads, for use.
func (w *harness) open(use func(warehouse.Warehouse)) {
	w.t.Helper()
	opened, err := w.opened.Open(context.Background(), w.deps)
	if err != nil {
		w.t.Fatal(err)
	}
	use(opened)
	if err := opened.Close(); err != nil {
		w.t.Error(err)
	}
}

// execs makes a table of a loaded one and changes it: all statements count or none.
func execs(w *harness) {
	ctx := context.Background()
	w.load(track("1", `{"n":1}`), track("2", `{"n":2}`))
	some := []string{"drop table if exists doubled", "create table doubled as select id, 2 * n as n from order_done", "update doubled set n = n + 1"}
	begins := []string{"create table a (x int)", "delete from doubled"}
	switch w.setup.Undoes {
	case UndoesNone:
		w.open(func(x warehouse.Warehouse) {
			if _, err := x.Exec(ctx, some); warehouse.CodeOf(err) != warehouse.CodeUnsupported || fault.KindOf(err) != fault.Invalid {
				w.t.Errorf("Exec: %v, want %s", err, warehouse.CodeUnsupported)
			}
		})
		return
	case UndoesRows:
		w.open(func(x warehouse.Warehouse) {
			for _, q := range some[:2] {
				if _, err := x.Exec(ctx, []string{"delete from order_done", q}); fault.KindOf(err) != fault.Invalid {
					w.t.Errorf("Exec of %s: %v, want it refused", q, err)
				}
			}
		})
		w.want(`select count(*) as c from order_done`, `[{"c":2}]`)
		w.exec("create table doubled as select id, n from order_done where 1 = 2")
		some = []string{"delete from doubled", "insert into doubled select id, 2 * n from order_done", "update doubled set n = n + 1"}
		begins = []string{"delete from doubled"}
	}
	w.open(func(x warehouse.Warehouse) {
		for range 2 { // as after a crash
			rows, err := x.Exec(ctx, some)
			if err != nil || rows != 2 {
				w.t.Fatalf("Exec changed %d rows, error %v, want 2", rows, err)
			}
		}
		if rows, err := x.Exec(ctx, []string{"delete from doubled", "insert into doubled select id, none from order_done"}); err == nil {
			w.t.Errorf("Exec with a column that is not there changed %d rows", rows)
		}
		if err := x.Query(ctx, "delete from doubled", func([]byte) error { return nil }); err == nil {
			w.t.Error("Query deletes after Exec")
		}
		if _, err := x.Exec(ctx, nil); err != nil {
			w.t.Errorf("Exec of nothing: %v", err)
		}
	})
	w.want(`select id, n from doubled order by id`, `[{"id":"1","n":3},{"id":"2","n":5}]`)
	for _, q := range []string{"begin", "start transaction", "commit", "rollback", "/* it ends */ ; commit", "commit; begin", "create table b (x int); commit"} {
		w.open(func(x warehouse.Warehouse) {
			_, err := x.Exec(ctx, append(begins[:len(begins):len(begins)], q, "create table b (x int)"))
			if err == nil || fault.KindOf(err) != fault.Invalid {
				w.t.Errorf("Exec with %q: error %v, want the customer's", q, err)
			}
			for _, table := range []string{"a", "b"} {
				if err := x.Query(ctx, "select * from "+table, func([]byte) error { return nil }); err == nil {
					w.t.Errorf("after Exec with %q table %s is there", q, table)
				}
			}
		})
		w.want(`select count(*) as c from doubled`, `[{"c":2}]`)
	}
}

// outside asks for what is not in the warehouse; before and after each statement
// the warehouse has the same rows.
func outside(w *harness) {
	ctx := context.Background()
	if len(w.setup.Outside) == 0 {
		w.t.Error("the setup says nothing that reaches outside")
	}
	w.load(track("1", `{"n":1}`))
	for _, q := range w.setup.Outside {
		err := w.engine.Query(ctx, dest, q, func(row []byte) error { w.t.Errorf("%s gives %s", q, row); return nil })
		if err == nil || fault.KindOf(err) != fault.Invalid {
			w.t.Errorf("%s: error %v, want the customer's", q, err)
		}
		w.want(`select id, n from order_done`, `[{"id":"1","n":1}]`)
	}
}
