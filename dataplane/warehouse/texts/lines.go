package texts

import "bufio"

// Escape writes a value of a line whose values are separated by tabs and ended by a line
// feed, with a backslash before what would be read as another; NUL, which few columns
// hold, as U+FFFD. So COPY of Postgres, LOAD DATA of MySQL and the format TabSeparated of
// ClickHouse read it. What is written shows its errors at Flush.
func Escape(out *bufio.Writer, v []byte) {
	start := 0
	for i, c := range v {
		if c > '\\' || c >= ' ' && c != '\\' {
			continue
		}
		var by string
		switch c {
		case '\\':
			by = `\\`
		case '\n':
			by = `\n`
		case '\r':
			by = `\r`
		case '\t':
			by = `\t`
		case 0:
			by = "\uFFFD"
		default:
			continue
		}
		_, _ = out.Write(v[start:i])
		_, _ = out.WriteString(by)
		start = i + 1
	}
	_, _ = out.Write(v[start:])
}

// Line writes a line of values; nil is null.
func Line(out *bufio.Writer, values [][]byte) error {
	for i, v := range values {
		if i > 0 {
			_ = out.WriteByte('\t')
		}
		if v == nil {
			_, _ = out.WriteString(`\N`)
			continue
		}
		Escape(out, v)
	}
	return out.WriteByte('\n')
}
