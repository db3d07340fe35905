package clickhouse

import (
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/texts"
)

// Alter is the statements of a change.
func Alter(c warehouse.Change) []string { return alters("`d`.`t`", []warehouse.Change{c}) }

// Merge is the statements of a merge into a table that has the columns all, by name and
// type.
func Merge(t warehouse.Table, all [][2]string) []string {
	m := merge{database: "d", into: t.Name, rows: "weir_rows_1_x", engine: oneFile, keep: t.Keep, shape: texts.Of(t, strs, fit)}
	for _, c := range all {
		m.all = append(m.all, column{c[0], c[1]})
	}
	createOld, fillOld, createNew, fillNew := m.changes()
	return []string{m.createRows(), m.fill("Native"), createOld, fillOld, createNew, fillNew, m.fresh(), m.renew(), m.stale(), m.remove(), removing("d", m.rows), m.absent()}
}

// Fits says whether a column of a type takes a value, and as what.
func Fits(native, value string) (string, bool) { return fit(native)(value) }

// Value is the expression of a value in a column of a type.
func Value(native string) string { return formOf(native).value("c1", native) }
