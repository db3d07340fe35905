package rows

import (
	"fmt"
	"slices"
	"strings"
)

// Dialect is how a kind writes the SQL that brings the rows of a table s, with the columns
// InFile, into a table.
type Dialect struct {
	Quote func(name string) string
	// Cast is the expression of a value of a column in its native type, where value is
	// that of the file's type.
	Cast func(c Column, value string) string
	// Old names the row of the table that there is: t, or the table itself.
	Old string
}

// Names are the names of the columns, quoted.
func (t *Table) Names(d Dialect) (all []string) {
	for _, c := range t.Columns {
		all = append(all, d.Quote(c.Name))
	}
	return all
}

// Values are the values of a new row, in the order of Names.
func (t *Table) Values(d Dialect) (all []string) {
	for i, c := range t.Columns {
		all = append(all, d.Cast(c, "s."+InFile(i)))
	}
	return all
}

// ID is the condition by which a row s of a file is that of the table.
func (t *Table) ID(d Dialect) string { return d.Old + "." + d.Quote("id") + " = s." + InFile(t.id) }

// Sets are what a row of the table takes over from a row of the same id: of one that keeps
// values what is new, of another all, and null in the rest of the columns that it has.
func (t *Table) Sets(d Dialect, all []string) (sets []string) {
	values := t.Values(d)
	for i := range t.Columns {
		c := &t.Columns[i]
		q := d.Quote(c.Name)
		switch {
		case c.Name == "id":
		case !t.Keep():
			sets = append(sets, q+" = "+values[i])
		case t.paired(c):
			sibling := slices.IndexFunc(t.Columns, func(o Column) bool { return o.Name == c.Sibling })
			sets = append(sets, fmt.Sprintf("%s = case when s.%s is not null or s.%s is not null then %s else %s.%s end", q, InFile(i), InFile(sibling), values[i], d.Old, q))
		default:
			sets = append(sets, fmt.Sprintf("%s = coalesce(%s, %s.%s)", q, values[i], d.Old, q))
			if c.Sibling != "" {
				other := d.Quote(c.Sibling)
				sets = append(sets, fmt.Sprintf("%s = case when s.%s is null then %s.%s end", other, InFile(i), d.Old, other))
			}
		}
	}
	if t.Keep() {
		return sets
	}
	for _, name := range all {
		if !slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Name == name }) {
			sets = append(sets, d.Quote(name)+" = null")
		}
	}
	return sets
}

// Merge is the statement that brings the rows of the table or query from into the table
// into, which has the columns all.
func (t *Table) Merge(d Dialect, into, from string, all []string) string {
	update := ""
	if sets := t.Sets(d, all); len(sets) > 0 {
		update = " when matched then update set " + strings.Join(sets, ", ")
	}
	return fmt.Sprintf("merge into %s %s using %s s on %s%s when not matched then insert (%s) values (%s)",
		into, d.Old, from, t.ID(d), update, strings.Join(t.Names(d), ", "), strings.Join(t.Values(d), ", "))
}
