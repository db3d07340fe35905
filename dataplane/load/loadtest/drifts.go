package loadtest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"weir/dataplane/load"
	"weir/dataplane/load/drift"
	"weir/dataplane/warehouse"
)

// met tells the changes that loads met, sorted.
func (w *harness) met() string {
	w.t.Helper()
	t, _, err := w.engine.Tables(dest)
	if err != nil {
		w.t.Fatal(err)
	}
	return said(t.Met())
}

func said(changes []drift.Change) string {
	var all []string
	for _, c := range changes {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s", c.Code, c.Table, c.Column)))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// look tells what the warehouse has that differs from what loads left.
func (w *harness) look() string {
	w.t.Helper()
	t, open, err := w.engine.Tables(dest)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx := context.Background()
	c, err := open(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	seen, err := t.Look(ctx, c, "")
	if err != nil {
		w.t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		w.t.Fatal(err)
	}
	var all []drift.Change
	for _, s := range seen {
		all = append(all, s.Changes...)
	}
	return said(all)
}

// drifts has somebody change tables between loads, and within them: each change is told
// once, what can be mended is, and every row that is sent after it is there.
func drifts(w *harness) {
	same := func(what, got, want string) {
		w.t.Helper()
		if got != want {
			w.t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	w.load(track("1", `{"n":1,"price":2,"s":"x"}`), page)
	w.load(track("2", `{"n":1.5}`)) // widened by a load
	same("nobody changed anything", w.met()+w.look(), "")

	w.exec(`drop table order_done; create table order_done (id varchar, n boolean, cost bigint)`)
	changed := "column_changed order_done n"
	renamed := "column_renamed order_done price"
	if slices.Contains(w.setup.Lacks, "bigint") {
		renamed = "column_dropped order_done price"
	}
	look := w.look()
	if !strings.HasPrefix(look, changed) || !strings.Contains(look, renamed) || !strings.Contains(look, "column_dropped order_done s") {
		w.t.Errorf("before a load: %s, want %s, %s and others", look, changed, renamed)
	}
	w.restart() // what is expected outlives the process
	w.load(track("3", `{"n":3,"price":4,"s":"y"}`))
	same("what a load met", w.met(), look)
	w.want(`select id, n, price, s, cost from order_done`, `[{"cost":null,"id":"3","n":"3","price":4,"s":"y"}]`)
	w.load(track("4", `{"n":3,"price":4,"s":"y"}`))
	same("what a load met is told once", w.met()+w.look(), look)

	w.exec(`drop table order_done`)
	same("a table is gone", w.look(), "table_dropped order_done")
	w.load(track("5", `{"price":4}`))
	w.want(`select id, price from order_done`, `[{"id":"5","price":4}]`)
	w.exec(`drop table order_done; create view order_done as select id from tracks`)
	same("a view has its name", w.look(), "table_replaced order_done")
	w.load(track("6", `{"price":4}`))
	w.want(`select id, price from _order_done`, `[{"id":"6","price":4}]`)
	if got := w.met(); !strings.HasSuffix(got, "table_dropped order_done, table_replaced order_done") {
		w.t.Errorf("met %s", got)
	}
	same("it is settled", w.look(), "")

	if w.opened.File != "" {
		return // nobody else can write into a file during a load
	}
	for i, q := range []string{`drop table pages`, `alter table pages drop column name`} {
		w.reach = func(s load.Step) error {
			if s == load.StepAltered {
				w.exec(q)
				w.reach = nil
			}
			return nil
		}
		w.stage(fmt.Sprintf(`{"type":"page","messageId":"p%d","name":"home"}`, i))
		first := w.engine.LoadNow(context.Background(), dest)
		w.reach = nil
		if err := w.engine.LoadNow(context.Background(), dest); err != nil {
			w.t.Fatalf("%s during a load: %v, then %v", q, first, err)
		}
		w.want(fmt.Sprintf(`select id, name from pages where id = 'p%d'`, i), fmt.Sprintf(`[{"id":"p%d","name":"home"}]`, i))
	}
	if w.setup.Revoke != "" {
		w.exec(w.setup.Revoke)
		w.stage(`{"type":"page","messageId":"denied","name":"home"}`)
		if err := w.engine.LoadNow(context.Background(), dest); warehouse.CodeOf(err) != warehouse.CodeAuth || !strings.Contains(w.met(), "table_denied pages") {
			w.t.Errorf("without the right to fill it: %v, met %s", err, w.met())
		}
		w.exec(w.setup.Grant)
		w.load()
		w.want(`select name from pages where id = 'denied'`, `[{"name":"home"}]`)
	}
	if len(w.kept) > 0 {
		w.t.Errorf("%d events are refused, the first %s: %s", len(w.kept), w.kept[0].Quarantine, w.kept[0].Detail)
	}
}
