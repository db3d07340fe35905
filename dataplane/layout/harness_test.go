package layout_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"weir/dataplane/layout"
)

// warehouses is the folder of all kinds of warehouses.
const warehouses = "../warehouses"

// kinds lists the kinds of warehouses in order.
var kinds = sync.OnceValue(func() []string {
	files, err := filepath.Glob(filepath.Join(warehouses, "*", "layout.yaml"))
	if err != nil || len(files) == 0 {
		panic("no layouts in " + warehouses)
	}
	var names []string
	for _, f := range files {
		names = append(names, filepath.Base(filepath.Dir(f)))
	}
	return names
})

var dialects sync.Map // by kind

// dialect reads the layout of a kind, once.
func dialect(t testing.TB, kind string) *layout.Dialect {
	t.Helper()
	if d, ok := dialects.Load(kind); ok {
		return d.(*layout.Dialect)
	}
	d, err := layout.Read(os.DirFS(filepath.Join(warehouses, kind)))
	if err != nil {
		t.Fatal(err)
	}
	if d.Kind() != kind {
		t.Fatalf("the layout in folder %s is named %s", kind, d.Kind())
	}
	dialects.Store(kind, d)
	return d
}
