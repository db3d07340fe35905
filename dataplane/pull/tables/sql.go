package tables

import (
	"fmt"
	"strings"
)

// Dialect is how a server's SQL is written.
type Dialect struct {
	Quote func(name string) string
	// Value is a position as a statement has it, with its argument, the n-th from 1; nil: the
	// text has the value.
	Value func(n int, c Column, position string) (text string, arg any, err error)
	// Read is how a column is read.
	Read func(c Column) string
}

// Statement writes a query as a statement with its arguments. Errors are those of Value.
func (d Dialect) Statement(q Query) (text string, args []any, err error) {
	var columns, order, where []string
	value := func(c Column, position string) string {
		v, arg, bad := d.Value(len(args)+1, c, position)
		if bad != nil && err == nil {
			err = bad
		}
		if arg != nil {
			args = append(args, arg)
		}
		return v
	}
	for _, c := range q.Table.Columns {
		columns = append(columns, d.Read(c))
	}
	for _, c := range q.By {
		order = append(order, d.Quote(c.Name))
	}
	for _, b := range q.Where {
		if strings.HasPrefix(b.Is, "is ") {
			where = append(where, d.Quote(b.Column.Name)+" "+b.Is)
			continue
		}
		where = append(where, fmt.Sprintf("%s %s %s", d.Quote(b.Column.Name), b.Is, value(b.Column, b.Value)))
	}
	if len(q.After) == len(q.By) && len(q.After) > 0 {
		// The first condition is what an index finds its place by.
		if len(q.By) > 1 {
			where = append(where, order[0]+" >= "+value(q.By[0], q.After[0]))
		}
		var any []string
		for i := range q.By {
			var all []string
			for j := range i {
				all = append(all, order[j]+" = "+value(q.By[j], q.After[j]))
			}
			any = append(any, "("+strings.Join(append(all, order[i]+" > "+value(q.By[i], q.After[i])), " and ")+")")
		}
		where = append(where, "("+strings.Join(any, " or ")+")")
	}
	text = "select " + strings.Join(columns, ", ") + " from " + q.Table.Name
	if len(where) > 0 {
		text += " where " + strings.Join(where, " and ")
	}
	return text + fmt.Sprintf(" order by %s limit %d", strings.Join(order, ", "), q.Limit), args, err
}

// Greatest writes the statement that reads the greatest value of a column.
func (d Dialect) Greatest(t *Table, c Column) string {
	q := d.Quote(c.Name)
	return fmt.Sprintf("select %s from %s where %s is not null order by %s desc limit 1", d.Read(c), t.Name, q, q)
}
