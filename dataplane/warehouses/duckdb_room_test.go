package warehouses_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"weir/dataplane/blob"
	"weir/dataplane/layout"
	"weir/dataplane/load/stage"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/duckdb"
)

// TestDuckDBGivesRoomBack brings in rows again: the room of those in whose place they come is
// used again when they are many, and one that comes alone leaves the file as it is.
func TestDuckDBGivesRoomBack(t *testing.T) {
	t.Parallel()
	const rows, group = 130_000, 122_880
	ctx, setup := t.Context(), setups["duckdb"](t)
	var err error
	if setup.Deps.Blobs, err = blob.Open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	into := warehouse.Table{Name: "order_done", Columns: []warehouse.Target{{Name: "id", Native: "VARCHAR", Type: layout.String}, {Name: "n", Native: "BIGINT", Type: layout.Int}}}
	load := func(name string, step int) {
		staged := stage.New(setup.Deps.Blobs, blob.Ref(name))
		for i := 0; i < rows; i += step {
			row := layout.Row{Table: into.Name, Columns: []layout.Column{{Name: "id", Type: layout.String, Raw: fmt.Sprint("id-", i)}, {Name: "n", Type: layout.Int, Raw: fmt.Sprint(step)}}}
			if err := staged.Add(ctx, int64(i+1), []layout.Row{row}); err != nil {
				t.Fatal(err)
			}
		}
		tables, err := staged.Finish(ctx)
		if err != nil || len(tables) != 1 {
			t.Fatal(tables, err)
		}
		var files []warehouse.Staged
		for _, f := range tables[0].Files {
			files = append(files, warehouse.Staged{Ref: f.Ref, Columns: f.Columns})
		}
		err = withOpened(t, duckdb.Kind(), setup, func(w warehouse.Warehouse) error {
			if err := w.Alter(ctx, []warehouse.Change{{Table: into.Name, To: layout.String}, {Table: into.Name, Column: "n", To: layout.Int}}); err != nil {
				return err
			}
			_, err := w.Merge(ctx, into, files)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	type found struct{ N, Sum, Groups int64 }
	look := func() (f found) {
		const q = `select count(*) as "N", sum(n)::bigint as "Sum", (select count(distinct row_group_id) from pragma_storage_info('order_done')) as "Groups" from order_done`
		err := withOpened(t, duckdb.Kind(), setup, func(w warehouse.Warehouse) error {
			return w.Query(ctx, q, func(row []byte) error { return json.Unmarshal(row, &f) })
		})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	load("first", 1)
	if f := look(); f.N != rows || f.Sum != rows {
		t.Errorf("after the first load: %+v", f)
	}
	load("few", 1000)
	if f := look(); f.N != rows || f.Sum != rows+rows/1000*999 {
		t.Errorf("after few rows came again: %+v", f)
	}
	load("half", 2)
	const most = (rows + group - 1) / group
	if f := look(); f.N != rows || f.Sum != rows/2+rows/2*2 || f.Groups > most {
		t.Errorf("after half of the rows came again: %+v, want %d rows in %d groups at most", f, rows, most)
	}
}
