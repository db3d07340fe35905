package layout_test

import (
	"testing"
	"time"

	"weir/dataplane/layout"
	"weir/shared/fault"
)

func TestRows(t *testing.T) {
	t.Parallel()
	pg := dialect(t, "postgres")
	m := layout.Meta{Now: time.Unix(0, 0)}
	rows, drop, err := pg.Rows(&layout.Options{}, m, []byte(`{"type":"track","messageId":"m","event":"Order Done","properties":{"n":12345678901234567890123,"a":{"b":true},"z":"a\u0000b","id":"mine"}}`))
	if err != nil || drop != "" || len(rows) != 2 || rows[1].Table != "order_done" {
		t.Fatalf("rows %v, drop %q, err %v", rows, drop, err)
	}
	got := map[string]string{}
	for _, c := range rows[1].Columns {
		got[c.Name] = c.Raw
	}
	for k, want := range map[string]string{"n": "12345678901234567890123", "a_b": "true", "z": "a\uFFFDb", "z__raw": `"a\u0000b"`, "id": "m", "event": "order_done"} {
		if got[k] != want {
			t.Errorf("%s = %q, want %q", k, got[k], want)
		}
	}
	if _, drop, _ = pg.Rows(&layout.Options{}, m, []byte(`{"type":"merge"}`)); drop != "unsupported_event" {
		t.Errorf("merge: drop %q", drop)
	}
	if _, _, err = pg.Rows(&layout.Options{}, m, []byte(`[1]`)); fault.KindOf(err) != fault.Invalid {
		t.Errorf("array: err %v", err)
	}
}
