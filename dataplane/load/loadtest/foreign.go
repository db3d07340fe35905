package loadtest

import (
	"context"
	"fmt"
	"strings"

	"weir/dataplane/warehouse"
)

// ids meets a column id that does not take texts: the load says so and nothing is lost.
func ids(w *harness) {
	w.exec(`create table order_done (id integer, n integer)`)
	w.exec(`create view ids as select id from order_done`)
	w.stage(track("no number", `{"n":1}`))
	err := w.engine.LoadNow(context.Background(), dest)
	if warehouse.CodeOf(err) != warehouse.CodeSchema || !strings.Contains(err.Error(), `the column "id" of table order_done`) {
		w.t.Fatalf("got %v", err)
	}
	if l := w.engine.Loads(dest); len(l) != 1 || l[0].Code != warehouse.CodeSchema || l[0].Detail == "" || strings.Contains(l[0].Detail, "no number") {
		w.t.Errorf("loads %+v", l)
	}
	w.exec(`drop view ids; drop table order_done`)
	w.load()
	w.want(`select id from order_done`, `[{"id":"no number"}]`)
}

func identify(id, traits string) string {
	return fmt.Sprintf(`{"type":"identify","messageId":%q,"userId":"u","traits":%s}`, id, traits)
}

// users keeps a value with its sibling, from load to load and within one.
func users(w *harness) {
	w.exec(`create table users (id varchar, small smallint)`)
	w.exec(`create view seen as select small from users`)
	want := func(small, raw string) {
		w.t.Helper()
		w.want(`select small, small__raw from users`, fmt.Sprintf(`[{"small":%s,"small__raw":%s}]`, small, raw))
	}
	w.load(identify("1", `{"small":7}`), identify("2", `{"small":70000}`))
	want("null", `"70000"`)
	w.load(identify("3", `{"other":1}`))
	want("null", `"70000"`)
	w.load(identify("4", `{"small":8}`))
	want("8", "null")
	w.load(identify("5", `{"small":70001}`), identify("6", `{"small":9}`), identify("7", `{"other":2}`))
	want("9", "null")
	w.load(identify("8", `{"__more":"first"}`), identify("9", `{"x":1}`))
	if s := strings.ReplaceAll(fmt.Sprint(w.query(`select __more from users`)), " ", ""); s != `[map[__more:{"__more":"first"}]]` {
		w.t.Errorf("got %s", s)
	}
	w.exec(`update users set __more = '{"a":"1","__more":"old"}'`)
	w.load(identify("10", `{"__more":"second"}`))
	rows := w.query(`select __more from users`)
	if s := strings.ReplaceAll(fmt.Sprint(rows), " ", ""); !strings.Contains(s, `"a":"1"`) || !strings.Contains(s, `"__more":"second"`) {
		w.t.Errorf("got %s", s)
	}
}

// taken meets names of siblings that have another type.
func taken(w *harness) {
	w.exec(`create table order_done (id varchar, n smallint, n__raw smallint, __more smallint)`)
	w.exec(`create view seen as select n, n__raw, __more from order_done`)
	w.load(track("1", `{"n":"text","__more":"kept"}`))
	w.want(`select n, n__raw, n__raw_2, __more, __more_2 from order_done`,
		`[{"__more":null,"__more_2":"{\"__more\":\"kept\"}","n":null,"n__raw":null,"n__raw_2":"text"}]`)
}

// exactly reads numbers back that a double only just holds, or does not.
func exactly(w *harness) {
	sent := []string{"0.1234567890123456", "0.30000000000000004", "0.10000000000000000555", "12345678901234.5678", "9007199254740993.5", "5e-324", "1e-400", "1.7976931348623157e308"}
	for i, n := range sent {
		w.load(track(fmt.Sprint(i), fmt.Sprintf(`{"n%d":%s}`, i, n)))
		if rows := w.query(fmt.Sprintf("select n%d as n from order_done where id = '%d'", i, i)); len(rows) != 1 || !same(rows[0]["n"], n) {
			w.t.Errorf("sent %s, got %v", n, rows)
		}
	}
}

// mixed has a column with another type in each staged file.
func mixed(w *harness) {
	fill := fmt.Sprintf("%q", strings.Repeat("x", 900_000))
	if most := w.setup.MaxText; most > 0 { // in several columns
		var parts []string
		for i := 0; i < 900_000; i += most {
			parts = append(parts, fmt.Sprintf(`"f%d":%q`, i, strings.Repeat("x", most)))
		}
		fill = "{" + strings.Join(parts, ",") + "}"
	}
	var events []string
	values := []string{"7", "1.5", "true", `"2020-02-03T04:05:06.007Z"`, "9007199254740993"}
	for i := range 40 * len(values) {
		events = append(events, track(fmt.Sprint(i), fmt.Sprintf(`{"v":%s,"fill":%s}`, values[i/40], fill)))
		if len(events) == 5 {
			w.stage(events...)
			events = nil
		}
	}
	w.load()
	for i, v := range values {
		rows := w.query(fmt.Sprintf("select v, count(*) as c from order_done where cast(id as integer) between %d and %d group by v", i*40, i*40+39))
		if len(rows) != 1 || !same(rows[0]["v"], v) || fmt.Sprint(rows[0]["c"]) != "40" {
			w.t.Errorf("sent %s 40 times, got %v", v, rows)
		}
	}
}
