package loadtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/layout"
	"weir/dataplane/load"
)

// previewed sends seeded events of any form through the door, and wants of each the
// rows that the layout shows for it, column for column, or none where it shows none.
func previewed(w *harness) {
	seed := rand.Uint64()
	w.t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	value := func() string {
		return pick(`1`, `"text"`, `2.5`, `true`, `null`, `""`, `{}`, `[]`, `[1,"a"]`, `{"a":{"b":1}}`, `"2026-01-02"`, `-7`, `"日本"`, `{"userId":"t","user_id":5}`)
	}
	type sent struct {
		text string
		rows []layout.Row
	}
	var all []sent
	var texts []string
	for i := range 60 {
		typ := pick("track", "Track", "TRACK", "identify", "Identify", "page", "screen", "gROUP", "alias", "Extract", "merge", "Merge", "odd", " track", "trac\u212a")
		fields := []string{fmt.Sprintf(`"type":%q,"messageId":"m%d"`, typ, i)}
		if rng.IntN(2) == 0 {
			fields = append(fields, fmt.Sprintf(`"userId":"u%d"`, i))
		} else {
			fields = append(fields, fmt.Sprintf(`"anonymousId":"u%d"`, i))
		}
		if rng.IntN(4) > 0 {
			fields = append(fields, `"event":`+pick(`"Order Done"`, `"order_done"`, `"注文完了"`, `"users"`, value()))
		}
		if rng.IntN(4) > 0 {
			fields = append(fields, fmt.Sprintf(`"recordId":"r%d"`, i))
		}
		for _, name := range []string{"channel", "name", "groupId", "previousId", "sentAt", "context", "traits", "properties", "userProperties"} {
			switch rng.IntN(3) {
			case 0:
				fields = append(fields, fmt.Sprintf(`%q:%s`, name, value()))
			case 1:
				fields = append(fields, fmt.Sprintf(`%q:{"traits":%s,"plan":%s,"userId":%s,"channel":%s,"ip":%s,"deep":{"er":%s}}`, name, value(), value(), value(), value(), value(), value()))
			}
		}
		s := sent{text: "{" + strings.Join(fields, ",") + "}"}
		var p event.Parser
		p.Begin(event.Stamp{ReceivedAt: time.UnixMilli(1767323045678), RequestIP: "127.0.0.1"}, nil, len(s.text), 1)
		e, code := p.Event([]byte(s.text))
		if code != "" {
			continue // the door keeps it
		}
		rows, drop, err := w.opened.Layout.Rows(&w.opened.Options, layout.Meta{SourceID: "src_web", SourceName: "web", SourceType: "http", DestinationID: string(dest), DestinationType: w.kind.Spec.Name, Now: time.Now()}, e.JSON)
		if refused := load.Refuses(e); refused != drop {
			w.t.Errorf("seed %d: %s is refused with %q, and the layout says %q", seed, s.text, refused, drop)
		}
		if s.rows = rows; drop == "" && err == nil {
			texts = append(texts, string(e.JSON))
		}
		all = append(all, s)
	}
	w.load(texts...)
	tables := map[string][]map[string]any{}
	rows := 0
	for _, s := range all {
		for _, r := range s.rows {
			if tables[r.Table] == nil {
				tables[r.Table] = w.query(`select * from "` + r.Table + `"`)
			}
			w.holds(seed, s.text, r, tables[r.Table])
			rows++
		}
	}
	for _, in := range tables {
		rows -= len(in)
	}
	if rows != 0 {
		w.t.Errorf("seed %d: the layout has %d more rows than the warehouse", seed, rows)
	}
}

// holds wants a row of the layout among those of its table, and nothing more in it.
func (w *harness) holds(seed uint64, text string, r layout.Row, table []map[string]any) {
	w.t.Helper()
	want := map[string]string{}
	for _, c := range r.Columns {
		want[c.Name] = c.Raw
	}
	for _, row := range table {
		if fmt.Sprint(row["id"]) != want["id"] {
			continue
		}
		for name, got := range row {
			sent, ok := want[name]
			if stem, isRaw := strings.CutSuffix(name, "__raw"); isRaw && !ok && row[stem] == nil {
				sent, ok = want[stem]
			}
			if name == "uuid_ts" || name == "loaded_at" || got == nil && (!ok || row[name+"__raw"] != nil) || ok && same(got, sent) {
				continue
			}
			w.t.Errorf("seed %d: %s: %s.%s is %v, want %q", seed, text, r.Table, name, got, sent)
		}
		return
	}
	w.t.Errorf("seed %d: %s has no row in %s", seed, text, r.Table)
}
