package rows

import (
	"context"
	"fmt"
	"strings"

	"weir/dataplane/blob"
	"weir/dataplane/warehouse"
)

// Loading is how a kind brings files of rows into its table.
type Loading struct {
	Next   func(ctx context.Context) error              // makes an empty place for files
	Put    func(ctx context.Context, file []byte) error // as in Sink, into the place
	Merge  func(ctx context.Context) error              // merges what is in the place; it may be repeated
	Former func(ctx context.Context, ids []string) (map[string]string, error)
}

// Load writes the rows of staged files and merges them: all at once, or, of a table that
// keeps values, each file by itself in their order. Errors are those of Write and of by.
func (t *Table) Load(ctx context.Context, blobs blob.Store, files []warehouse.Staged, by Loading) error {
	empty := true
	put := func(ctx context.Context, file []byte) error {
		if empty || t.Keep() {
			if err := by.Next(ctx); err != nil {
				return err
			}
		}
		empty = false
		if err := by.Put(ctx, file); err != nil || !t.Keep() {
			return err
		}
		return by.Merge(ctx)
	}
	if err := t.Write(ctx, blobs, files, Sink{Put: put, Former: by.Former}); err != nil || t.Keep() || empty {
		return err
	}
	return by.Merge(ctx)
}

// idsAtOnce is how many ids one statement names.
const idsAtOnce = 500

// Former is Sink.Former for rows of from, a quoted table: ask returns the rows of a query as
// texts, and text writes a text as SQL has it.
func (t *Table) Former(d Dialect, from string, text func(string) string, ask func(ctx context.Context, sql string) ([][]string, error)) func(context.Context, []string) (map[string]string, error) {
	id, more := d.Quote("id"), d.Quote(t.into.More)
	return func(ctx context.Context, ids []string) (map[string]string, error) {
		all := map[string]string{}
		for len(ids) > 0 {
			n := min(len(ids), idsAtOnce)
			named := make([]string, n)
			for i, id := range ids[:n] {
				named[i] = text(id)
			}
			found, err := ask(ctx, fmt.Sprintf("select %s, %[2]s from %s where %[2]s is not null and %[1]s in (%[4]s)", id, more, from, strings.Join(named, ", ")))
			if err != nil {
				return nil, err
			}
			for _, row := range found {
				all[row[0]] = row[1]
			}
			ids = ids[n:]
		}
		return all, nil
	}
}
