package load_test

import (
	"encoding/json"
	"testing"
	"time"

	"weir/infra/weir/bench/load"
)

func TestAnEventIsAKilobyteOfJSONWithItsOwnID(t *testing.T) {
	t.Parallel()
	e := load.AppendEvent(nil, 3, 77, time.Now().UTC())
	var m map[string]any
	if err := json.Unmarshal(e, &m); err != nil {
		t.Fatalf("%v: %s", err, e)
	}
	if len(e) < 950 || len(e) > 1300 {
		t.Errorf("an event has %d bytes, want about 1 KB", len(e))
	}
	phase, seq, ok := load.ParseID(m["messageId"].(string))
	if !ok || phase != 3 || seq != 77 {
		t.Errorf("parseID(%v) = %d, %d, %v, want 3, 77, true", m["messageId"], phase, seq, ok)
	}
	if _, _, ok := load.ParseID("5d3c1f0e-9a70-4c1b-8a4e-000000000001"); ok {
		t.Error("a foreign id was taken for the bench's")
	}
}
