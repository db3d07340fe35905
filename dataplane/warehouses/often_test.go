package warehouses_test

import (
	"testing"
	"time"

	"weir/dataplane/warehouses/duckdb"
)

func TestADestinationIsLoadedAsOftenAsItsSettingsSay(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"1s": time.Second, "2s": 2 * time.Second, "1h": time.Hour} {
		o, err := duckdb.Kind().Open([]byte(`{"path":"often.duckdb","syncEvery":"`+text+`"}`), nil)
		if err != nil || o.SyncEvery != want {
			t.Errorf("syncEvery %s: loaded every %v, %v, want %v", text, o.SyncEvery, err, want)
		}
	}
}
