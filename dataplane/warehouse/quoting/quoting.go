// Package quoting writes names and texts as the SQL of a warehouse has them: as the standard
// says, or by the methods Quote, Text and First of one that differs.
package quoting

import "strings"

// Name writes a name.
func Name(w any, name string) string {
	if q, ok := w.(interface{ Quote(name string) string }); ok {
		return q.Quote(name)
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// Text writes a text.
func Text(w any, s string) string {
	if q, ok := w.(interface{ Text(s string) string }); ok {
		return q.Text(s)
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// First is a query for the first row of what follows select.
func First(w any, rest string) string {
	if q, ok := w.(interface{ First(rest string) string }); ok {
		return q.First(rest)
	}
	return "select " + rest + " limit 1"
}
