// Package score writes scores as SQL over the features of golden records, equal on every
// warehouse to what the models of scores compute.
package score

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"weir/dataplane/tables"
	"weir/shared/workspace/profiles/scores"
)

// Formula is a score as an expression of double precision.
type Formula struct {
	SQL  string   // stands over Uses as the columns x0, x1 and on, each as Clean gives it
	Uses []string // features
}

// Logistic is the formula of a logistic score without problems.
func Logistic(s scores.Score) *Formula {
	weights, _ := s.Weighed() // it was checked
	return weighed(s.Intercept, weights)
}

// weighed is the formula of a logistic score.
func weighed(intercept float64, weights map[string]float64) *Formula {
	f := &Formula{}
	z := Literal(intercept)
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		z += fmt.Sprintf(" + %s * coalesce(%s, 0)", Literal(weights[name]), column(len(f.Uses)))
		f.Uses = append(f.Uses, name)
	}
	f.SQL = probability(z)
	return f
}

// probability is the logistic function.
func probability(z string) string {
	return fmt.Sprintf("1e0 / (1e0 + exp(- least(greatest(%s, -7e2), 7e2)))", z)
}

// column is the column of a formula's feature.
func column(i int) string { return "x" + strconv.Itoa(i) }

// Literal is a number of double precision.
func Literal(x float64) string {
	return "cast(" + strconv.FormatFloat(x, 'e', -1, 64) + " as double precision)"
}

// Number is a feature of any type as a number: true is 1, false 0, and what is none is null.
func Number(d tables.Dialect, x string) string {
	return fmt.Sprintf("case cast(%s as varchar) when 'true' then cast(1 as double precision) when 'false' then 0 else %s end", x, d.Number(x))
}

// Clean is a column of numbers as models take them, like scores.Clean.
func Clean(x string) string {
	return fmt.Sprintf("case when %[1]s is null or abs(%[1]s) >= %[5]s or abs(%[1]s) < %[6]s and %[1]s <> 0 then null when abs(%[1]s) < %[2]s then 0 else least(greatest(%[1]s, %[3]s), %[4]s) end",
		x, Literal(scores.Least), Literal(-scores.Most), Literal(scores.Most), Literal(scores.Beyond), Literal(scores.Within))
}

// Around puts a score around a query over columns, named as SQL quotes them. The numbers
// are computed once for each row: without "offset 0" Postgres writes them into each place of
// the formula that names them.
func (f Formula) Around(d tables.Dialect, query string, columns []string, name string) string {
	raw, clean := slices.Clone(columns), slices.Clone(columns)
	for i, u := range f.Uses {
		raw = append(raw, Number(d, d.Quote(u))+" as r"+strconv.Itoa(i))
		clean = append(clean, Clean("r"+strconv.Itoa(i))+" as "+column(i))
	}
	list := func(x []string) string { return strings.Join(x, ", ") }
	return fmt.Sprintf("select %s, %s as %s from (select %s from (select %s from (%s) s offset 0) s offset 0) s",
		list(columns), f.SQL, d.Quote(name), list(clean), list(raw), query)
}
