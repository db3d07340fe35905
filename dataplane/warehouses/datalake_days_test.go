package warehouses_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/layout"
	"weir/dataplane/load/stage"
	"weir/dataplane/warehouse"
	localdatalake "weir/dataplane/warehouses/local_datalake"
)

// TestDatalakeDays brings rows of more days than files are open at once into a lake, in no
// order of time, with ids that come again, one without a time, values of other types than
// their column and texts with NUL; and the same load again.
func TestDatalakeDays(t *testing.T) {
	t.Parallel()
	const days, rows = 60, 3000
	ctx := t.Context()
	blobs, err := blob.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	staged := stage.New(blobs, "load")
	add := func(event int64, id, price string) {
		row := layout.Row{Table: "order_done", Columns: []layout.Column{{Name: "id", Type: layout.String, Raw: id}, {Name: "note", Type: layout.String, Raw: "a\x00" + id}}}
		if price != "" {
			row.Columns = append(row.Columns, layout.Column{Name: "price", Type: layout.Float, Raw: price, Sent: price})
		}
		if event > 1 { // the first one has no time
			at := start.AddDate(0, 0, int(event*7%days)).Format("2006-01-02T15:04:05.000Z")
			row.Columns = append(row.Columns, layout.Column{Name: "received_at", Type: layout.Datetime, Raw: at})
		}
		if err := staged.Add(ctx, event, []layout.Row{row}); err != nil {
			t.Fatal(err)
		}
	}
	for i := int64(1); i <= rows; i++ {
		add(i, fmt.Sprint("id-", i), []string{"", "1.50", "2"}[i%3])
	}
	for i := int64(1); i <= 10; i++ {
		add(rows+i, fmt.Sprint("id-", i*100), "7.25")
	}
	add(rows+11, "id-\x00", "1")
	add(rows+12, "id-\uFFFD", "3")
	tables, err := staged.Finish(ctx)
	if err != nil || len(tables) != 1 {
		t.Fatal(tables, err)
	}
	var files []warehouse.Staged
	for _, f := range tables[0].Files {
		files = append(files, warehouse.Staged{Ref: f.Ref, Columns: f.Columns})
	}

	for _, prices := range []warehouse.Target{
		{Name: "price", Native: "double", Type: layout.Float},
		{Name: "price", Native: "string", Type: layout.String},
		{Name: "price", Native: "bigint", Type: layout.Float, Guard: true, Raw: "price__raw"},
	} {
		s, r := localDatalake(t)
		s.Deps.Blobs = blobs
		into := warehouse.Table{Name: "order_done", Load: "load-1", Columns: []warehouse.Target{
			{Name: "id", Native: "string", Type: layout.String}, {Name: "note", Native: "string", Type: layout.String}, prices, {Name: "received_at", Native: "timestamp", Type: layout.Datetime}}}
		var former []string
		for range 2 {
			err := withOpened(t, localdatalake.Kind(), s, func(w warehouse.Warehouse) error {
				m, err := w.Merge(ctx, into, files)
				if m.Rows != rows+1 {
					t.Errorf("%v: %d rows were merged, want %d", prices, m.Rows, rows+1)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			names := names(t, r.folder())
			if former != nil && !slices.Equal(names, former) {
				t.Errorf("a repetition writes other files: %v, first %v", names, former)
			}
			former = names
		}
		if len(former) < days+1 {
			t.Errorf("there are %d files, want one for each of %d days and of no time", len(former), days)
		}
		price := map[string]string{"double": "price = 1.5", "string": "price = '1.50'", "bigint": "price__raw = '1.50'"}[prices.Native]
		newer := map[string]string{"double": "price = 7.25", "string": "price = '7.25'", "bigint": "price__raw = '7.25'"}[prices.Native]
		db := r.open(raw)
		for q, want := range map[string]int{
			"select count(*) from order_done":           rows + 1,
			"select count(distinct id) from order_done": rows + 1,
			"select count(*) from order_done where strftime(received_at, '%Y-%m-%d') = strftime(cast(received_day as date), '%Y-%m-%d')": rows,
			"select count(*) from order_done where received_at is null":                                                                  1,
			"select count(*) from order_done where note = 'a\uFFFD' || id":                                                               rows + 1,
			"select count(*) from order_done where load_id = 'load-1'":                                                                   rows + 1,
			"select count(*) from order_done where " + price:                                                                             rows/3 - 4,
			"select count(*) from order_done where " + newer:                                                                             10,
			"select count(*) from order_done where id = 'id-\uFFFD' and cast(price as text) in ('3', '3.0')":                             1,
		} {
			var n int
			if err := db.QueryRow(q).Scan(&n); err != nil || n != want {
				t.Errorf("%v: %s: %d, want %d (%v)", prices, q, n, want, err)
			}
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// names are the files of rows below a folder.
func names(t *testing.T, folder string) (all []string) {
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(name, ".parquet") {
			all = append(all, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
