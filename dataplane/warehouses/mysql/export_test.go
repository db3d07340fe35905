package mysql

import (
	"strings"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/texts"
)

// Alter is the statements of a change; of the type datetime or boolean those that go by
// values.
func Alter(table, jsons string, c warehouse.Change) string {
	switch {
	case c.Column == "":
		return create(table, "utf8mb4_0900_bin")
	case c.From == "boolean" || c.From == "datetime":
		return strings.Join(rewrite(table, c.Column, native(c.From, jsons), true), "\n")
	}
	return "alter table " + quote(table) + " " + part(c, jsons)
}

// Merge is the statements of a merge.
func Merge(t warehouse.Table) []string {
	s := texts.Of(t, text, fit)
	if t.Keep {
		return merge(t, s, "utf8mb4_0900_bin")
	}
	return []string{deletion(t.Name, "utf8mb4_0900_bin", []string{literal("a'b"), literal(`c\`)}), load(t.Name, "weir1", s.Columns)}
}

// Fits says whether a column of a type takes a value, and as what.
func Fits(native, value string) (string, bool) { return fit(native)(value) }

// Query and Exec say whether a statement may be run.
func Query(q string) bool { return mayQuery(q) }
func Exec(q string) bool  { return mayExec(q) }
