package loadtest

import (
	"fmt"
	"slices"
	"strings"
)

// names loads events whose names do not go into a table's name whole: each has a
// table of its own, in loads and restarts of any order, and rows of a table that is
// older stay together.
func names(w *harness) {
	long := w.long()
	events := []string{"注文完了", "支払い完了", long + "first", long + "second", "Größe M", "Grüße M", "注文 1", "支払い 1", "größe-m", long + "FIRST"}
	same := map[string]string{"größe-m": "Größe M", long + "FIRST": long + "first"} // other spellings of one name
	sent := map[string]int{}
	say := func(event string) string {
		sent[event]++
		return fmt.Sprintf(`{"type":"track","messageId":"%s %d","event":%q,"properties":{"n":1,"価格":%d}}`, event, sent[event], event, len(event))
	}
	w.load(say(events[2]), say(events[4]))
	for range 2 {
		for _, e := range events {
			w.load(say(e))
		}
		w.restart()
	}
	slices.Reverse(events)
	var all []string
	for _, e := range events {
		all = append(all, say(e), say(e))
	}
	w.load(all...)
	tables := map[string]string{} // by event
	for _, row := range w.query(`select table_name as t from information_schema.columns where column_name = 'n' and table_schema not in ('pg_catalog', 'information_schema')`) {
		table := fmt.Sprint(row["t"])
		for _, r := range w.query(fmt.Sprintf(`select event_text as e, count(*) as c, count(%s) as p from "%s" group by event_text`, w.opened.Layout.Column("価格", &w.opened.Options), table)) {
			event := fmt.Sprint(r["e"])
			if tables[event] != "" {
				w.t.Errorf("%s is in the tables %s and %s", event, tables[event], table)
			}
			tables[event] = table
			if want := fmt.Sprint(sent[event]); fmt.Sprint(r["c"]) != want || fmt.Sprint(r["p"]) != want {
				w.t.Errorf("%s has %v rows with %v prices in %s, want %s", event, r["c"], r["p"], table, want)
			}
		}
	}
	events = nil
	of := map[string]string{} // events by table
	for event := range sent {
		table := tables[event]
		if other := of[table]; table == "" || other != "" && same[event] != other && same[other] != event {
			w.t.Errorf("%s is in the table %q, as is %q", event, table, other)
		}
		of[table] = event
	}
	defined := w.opened.Layout.Table(long+"first", &w.opened.Options)
	if got := tables[long+"first"]; got != defined.Shared && (defined.Shared != "" || got != defined.Out) {
		w.t.Errorf("the first event is in %s, want the name that the layout defines", got)
	}
	if got := tables["注文完了"]; !strings.HasPrefix(got, "zhu_wen_wan_") {
		w.t.Errorf("the event in Japanese is in %s", got)
	}
	told := map[string]string{}
	for _, t := range w.engine.Loads(dest)[len(w.engine.Loads(dest))-1].Tables {
		told[t.Name] = t.Event
	}
	for event, table := range tables {
		if of := told[table]; table == defined.Out && defined.Shared == "" {
			continue // no other event has a name for this table
		} else if of != event && same[event] != of && same[of] != event {
			w.t.Errorf("of table %s the load says that it is of %q, want %q", table, of, event)
		}
	}
}

// former has a table from before names were told apart, with rows of two events.
func former(w *harness) {
	long := w.long()
	shared := w.opened.Layout.Table(long+"first", &w.opened.Options).Shared
	w.exec(fmt.Sprintf(`create table %s (id varchar, event_text varchar); insert into %[1]s values ('1', '%[2]sfirst'), ('2', '%[2]ssecond')`, shared, long))
	for i, name := range []string{"first", "second", "third"} {
		w.load(fmt.Sprintf(`{"type":"track","messageId":"%d","event":"%s%s"}`, 3+i, long, name))
	}
	w.want(fmt.Sprintf(`select count(*) as c from %s`, shared), `[{"c":4}]`)
	w.want(fmt.Sprintf(`select id from %s`, w.opened.Layout.Table(long+"third", &w.opened.Options).Out), `[{"id":"5"}]`)
}

// ownNames has properties with the names of columns that staged files have for
// themselves, as far as a casing keeps them.
func ownNames(w *harness) {
	w.opened.Options.UseBlendoCasing = true
	w.restart()
	w.load(track("1", `{"$seq":"a","#seq":"b","n#sent":"c","n":1e2}`), track("2", `{"$seq":2}`), track("1", `{"$seq":"newest"}`),
		`{"type":"identify","messageId":"3","userId":"u","traits":{"$seq":"t","plan":"pro"}}`, `{"type":"identify","messageId":"4","userId":"u","traits":{"$seq":"newer"}}`)
	w.want(`select id, "$seq" from order_done order by id`, `[{"$seq":"newest","id":"1"},{"$seq":"2","id":"2"}]`)
	w.want(`select id, "$seq", plan from users`, `[{"$seq":"newer","id":"u","plan":"pro"}]`)
}

// long is the beginning of names that are longer than the kind's may be.
func (w *harness) long() string {
	const some = "a very long name that goes on "
	return strings.Repeat(some, w.opened.Layout.MaxName/len(some)+1)
}
