package loadtest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"weir/dataplane/load/history"
)

// refusals returns what was kept as refused since the last call, sorted: the code and
// the messageId of each event.
func (w *harness) refusals() (all []string) {
	w.t.Helper()
	for _, e := range w.kept {
		id := strings.SplitN(strings.SplitN(string(e.JSON), `"messageId":"`, 2)[1], `"`, 2)[0]
		if !strings.HasPrefix(e.Detail, "table order_done: ") || len(e.Detail) < 30 {
			w.t.Errorf("%s is refused without a reason: %q", id, e.Detail)
		}
		all = append(all, e.Quarantine+" "+id)
	}
	slices.Sort(all)
	w.kept = nil
	return all
}

const page = `{"type":"page","messageId":"p","name":"home"}`

// refused has a table that does not take some rows: they are kept, each with its
// reason, and all others are loaded.
func refused(w *harness) {
	w.exec(`create table order_done (id varchar(500), mail varchar(500) unique)`)
	var events []string
	for i := range 40 {
		events = append(events, track(fmt.Sprint(100+i), fmt.Sprintf(`{"mail":"m%d"}`, i-i%20/19))) // 119 and 139 are those before once more
	}
	w.load(append(events, page)...)
	w.want(`select count(*) as n, count(distinct mail) as m from order_done`, `[{"m":38,"n":38}]`)
	w.want(`select count(*) as n from pages`, `[{"n":1}]`)
	w.want(`select count(*) as n from tracks`, `[{"n":40}]`)
	if got := strings.Join(w.refusals(), ","); got != "row_refused 119,row_refused 139" {
		w.t.Errorf("kept %s", got)
	}
	l := w.engine.Loads(dest)[0]
	if l.State != history.Done || l.Code != "table_refused" || !strings.Contains(l.Detail, "table order_done refused 2 of 40 rows") || !slices.Equal(w.engine.Refusing(dest), []string{"order_done"}) {
		w.t.Errorf("load %+v, refusing %v", l, w.engine.Refusing(dest))
	}
	w.load(track("119", `{"mail":"new"}`)) // as a replay does once its row fits
	w.want(`select id from order_done where mail = 'new'`, `[{"id":"119"}]`)
	if l := w.engine.Loads(dest)[0]; l.Code != "" || len(w.engine.Refusing(dest)) != 0 || len(w.refusals()) != 0 {
		w.t.Errorf("load %+v, refusing %v", l, w.engine.Refusing(dest))
	}
}

// shut has a table that takes no row: others are loaded at once, and its events are
// kept after a few attempts, and without them while it stays so.
func shut(w *harness) {
	w.exec(`create table order_done (id integer, n integer)`)
	w.exec(`create view ids as select id from order_done`)
	w.stage(track("a", `{"n":1}`), track("b", `{"n":1}`), page)
	for attempt := 1; ; attempt++ {
		err := w.engine.LoadNow(context.Background(), dest)
		w.want(`select count(*) as n from pages`, `[{"n":1}]`)
		if err == nil {
			break
		}
		if attempt == 20 || len(w.kept) > 0 {
			w.t.Fatalf("attempt %d: %v, kept %v", attempt, err, w.refusals())
		}
	}
	w.load(track("c", `{"n":1}`), page)
	if got := strings.Join(w.refusals(), ","); got != "table_refused a,table_refused b,table_refused c" {
		w.t.Errorf("kept %s", got)
	}
	w.exec(`drop view ids; drop table order_done`)
	w.load(track("a", `{"n":1}`), track("d", `{"n":1}`))
	w.want(`select id from order_done order by id`, `[{"id":"a"},{"id":"d"}]`)
	if tables := w.engine.Refusing(dest); len(tables) != 0 {
		w.t.Errorf("refusing %v", tables)
	}
}
