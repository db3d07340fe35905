// Package quoting writes names and texts as the SQL of a warehouse has them: as the standard
// says, or by the methods Quote and Text of one that differs.
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
