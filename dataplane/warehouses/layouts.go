package warehouses

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/duckdb"
	"weir/shared/worker"
)

// Every folder has the layout of its kind. A folder of these two files alone is a
// kind whose rows can be previewed and not loaded yet.
//
//go:embed */layout.yaml */reserved.txt
var folders embed.FS

// Tasks returns what open warehouses run in processes of their own; the names begin with the
// kind's. A process finds its task here without reading a spec.
func Tasks() worker.Tasks { return duckdb.Tasks }

// Layouts returns the layout of every folder, in the order of their kinds.
var Layouts = sync.OnceValue(func() []*layout.Dialect {
	entries, err := fs.ReadDir(folders, ".") // in order
	if err != nil {
		panic(err) // it is compiled in
	}
	kinds := All()
	var all []*layout.Dialect
	for _, e := range entries {
		if i := slices.IndexFunc(kinds, func(k warehouse.Kind) bool { return k.Spec.Name == e.Name() }); i >= 0 {
			all = append(all, kinds[i].Layout)
			continue
		}
		folder, err := fs.Sub(folders, e.Name())
		if err != nil {
			panic(err)
		}
		d, err := layout.Read(folder)
		if err != nil {
			panic(fmt.Errorf("%s: %w", e.Name(), err))
		}
		all = append(all, d)
	}
	return all
})
