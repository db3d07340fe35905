package loadtest

import (
	"fmt"
	"strings"

	"weir/dataplane/warehouse"
)

// numbers are n properties, from p<from> on.
func numbers(from, n int) string {
	var props []string
	for i := from; i < from+n; i++ {
		props = append(props, fmt.Sprintf(`"p%d":%d`, i, i*1000))
	}
	return "{" + strings.Join(props, ",") + "}"
}

// broad loads wide events: 600 properties have columns, and of more every value is
// there, whatever a table and a row can have.
func broad(w *harness) {
	w.load(track("1", numbers(0, 600)))
	for _, row := range w.query("select * from order_done") {
		for i := range 600 {
			if got := fmt.Sprint(row[fmt.Sprint("p", i)]); got != fmt.Sprint(i*1000) {
				w.t.Fatalf("p%d is %s", i, got)
			}
		}
	}
	w.load(track("2", numbers(0, 1700)))
	for _, row := range w.query("select * from order_done where id = '2'") {
		for i := range 1700 {
			if got := fmt.Sprint(w.value(row, fmt.Sprint("p", i))); got != fmt.Sprint(i*1000) {
				w.t.Fatalf("p%d is %s", i, got)
			}
		}
	}
	if n := len(w.kept); n > 0 || len(w.query("select id from order_done")) != 2 {
		w.t.Errorf("%d events are refused, of the rest there are %v", n, w.query("select id from order_done"))
	}
}

// traits gives one user more traits, little by little, than a row can have.
func traits(w *harness) {
	for i := range 4 {
		w.load(identify(fmt.Sprint(i), numbers(i*300, 300)))
	}
	rows := w.query("select * from users")
	if len(rows) != 1 || len(w.kept) > 0 {
		w.t.Fatalf("%d rows, %d events are refused", len(rows), len(w.kept))
	}
	for i := range 1200 {
		if got := fmt.Sprint(w.value(rows[0], fmt.Sprint("p", i))); got != fmt.Sprint(i*1000) {
			w.t.Fatalf("p%d is %s; %s is %.200v", i, got, warehouse.MoreColumn, rows[0][warehouse.MoreColumn])
		}
	}
}

// keptNames has names that a server may keep to itself, for columns and for tables:
// events with them are loaded, at once and again, and where a table has another name
// the load says so.
func keptNames(w *harness) {
	w.exec(`create table other (id varchar(9)); create view order_done as select id from other; create index pages on other (id); create sequence screens`)
	w.exec(`create type aliases as enum ('a')`)
	for i, props := range []string{`{"a":1}`, `{"xmin":1.5,"xmax":1,"cmin":1,"cmax":1,"ctid":"x","oid":1,"tableoid":1,"rowid":1}`} {
		w.load(track(fmt.Sprint(i), props), page, `{"type":"screen","messageId":"s"}`, `{"type":"alias","messageId":"a","userId":"v","previousId":"u"}`)
		for _, t := range w.engine.Loads(dest)[0].Tables {
			name, _, _ := strings.Cut(t.Name, " ")
			want := 1
			if strings.HasSuffix(name, "order_done") || name == "tracks" {
				want = i + 1
			}
			if rows := w.query("select * from " + name); len(rows) != want {
				w.t.Errorf("table %s has the rows %v, want %d", t.Name, rows, want)
			}
		}
	}
	for _, row := range w.query("select * from _order_done where id = '1'") {
		for _, name := range []string{"xmin", "xmax", "cmin", "cmax", "ctid", "oid", "tableoid", "rowid"} {
			if row[name] == nil && row["_"+name] == nil {
				w.t.Errorf("%s is in no column of %v", name, row)
			}
		}
	}
	if said := fmt.Sprint(w.engine.Loads(dest)[0].Tables); !strings.Contains(said, "_order_done (order_done is no table)") || len(w.kept) > 0 {
		w.t.Errorf("the load says %s; refused are %v", said, w.kept)
	}
}
