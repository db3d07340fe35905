package answers

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"weir/dataplane/profile"
	"weir/dataplane/tables"
	"weir/shared/fault"
)

// Column is a column of an input as the warehouse has it.
type Column struct {
	Name string      `json:"name"`
	Type tables.Type `json:"type"`
}

// Input is what an input has: no columns when its table is not there.
type Input struct {
	Name    string   `json:"name"`
	Columns []Column `json:"columns"`
}

// Inputs lists the columns of every input, for forms.
func Inputs(ctx context.Context, s tables.Session, c profile.Config) ([]Input, error) {
	p, err := profile.Open(ctx, s, c)
	if err != nil {
		return nil, err
	}
	all := []Input{}
	for _, in := range c.Plan.Inputs {
		_, columns := p.Rows(in.Name)
		one := Input{Name: in.Name, Columns: []Column{}}
		for _, name := range slices.Sorted(maps.Keys(columns)) {
			one.Columns = append(one.Columns, Column{name, columns[name]})
		}
		all = append(all, one)
	}
	return all, nil
}

// mostValues is how many values of a column are answered, mostLength how many characters of each.
const (
	mostValues = 30
	mostLength = 200
)

// Values lists the most frequent values of a column of an input, for forms. fault.Missing:
// there is no such input or column.
func Values(ctx context.Context, s tables.Session, c profile.Config, input, column string) ([]string, error) {
	p, err := profile.Open(ctx, s, c)
	if err != nil {
		return nil, err
	}
	relation, columns := p.Rows(input)
	if _, there := columns[column]; !there {
		return nil, fault.New(fault.Missing, "The warehouse has no column %s of %s.", column, input)
	}
	all := []string{}
	value := "cast(" + c.SQL.Quote(column) + " as varchar)"
	q := fmt.Sprintf("select %[1]s, count(*) from %[2]s where %[1]s is not null and length(%[1]s) <= %[3]d group by 1 order by 2 desc, 1 limit %[4]d", value, relation, mostLength, mostValues)
	err = s.Rows(ctx, q, func(v []any) error {
		all = append(all, fmt.Sprint(v[0]))
		return nil
	})
	return all, err
}
