package mysql

import (
	"slices"
	"strings"

	"weir/dataplane/warehouse/texts"
)

// Limits of tables and rows of InnoDB.
// Source: https://dev.mysql.com/doc/refman/8.0/en/innodb-limits.html and
// https://dev.mysql.com/doc/refman/8.0/en/column-count-limit.html
const (
	maxColumns  = 1010   // of 1,017; columns that were dropped at once count for a while
	headerBytes = 200    // of a row, with the bitmap of its columns
	inlineBytes = 40     // a longer text may lie elsewhere
	lengthBytes = 2      // before a text
	textBytes   = 12     // of a column of texts in the server's own row
	serverBytes = 65_000 // of 65,535 of that row
)

// rowBytes is what the values of a row may take on pages of a size.
func rowBytes(page int) int { return min(page, 32<<10)/2 - 66 - headerBytes }

// mostBytes is the most that a value of the column takes in a row of InnoDB.
func (c *column) mostBytes() int {
	switch c.data {
	case "tinyint":
		return 1
	case "smallint", "year":
		return 2
	case "mediumint", "date":
		return 3
	case "int", "float", "timestamp", "time":
		return 7
	case "bigint", "double", "datetime":
		return 8
	}
	if c.octets > 0 && c.octets < inlineBytes {
		return c.octets + lengthBytes
	}
	return inlineBytes + lengthBytes
}

// room is how many columns a table takes, and how many a row has room for.
func (s *server) room(have []column) (table, row int) {
	own, wide := s.rowBytes, serverBytes
	for i := range have {
		c := &have[i]
		own -= c.mostBytes()
		switch c.data {
		case "varchar", "char", "varbinary", "binary":
			wide -= c.octets + lengthBytes
		default:
			wide -= textBytes
		}
	}
	table = min(maxColumns-len(have), wide/textBytes)
	row = min(table, own/(inlineBytes+lengthBytes))
	if s.strict {
		return row, row
	}
	return table, row
}

// narrow lets rows of s be within what InnoDB takes, if they could be larger.
func (s *server) narrow(shape *texts.Shape, have []column) {
	if shape.More < 0 {
		return
	}
	sizes := make([]int, len(shape.Columns))
	total := 0
	for _, c := range have {
		total += c.mostBytes()
		if i := slices.Index(shape.Columns, c.name); i >= 0 {
			sizes[i] = c.mostBytes()
		}
	}
	if total <= s.rowBytes {
		return
	}
	most := s.rowBytes - inlineBytes - lengthBytes
	shape.Narrow = func(values [][]byte, rest map[string]string) map[string]string {
		size := 0
		for i, v := range values {
			size += bytesOf(v, sizes[i])
		}
		for i := len(values) - 1; i > 0 && size > most; i-- {
			if values[i] == nil || i == shape.More || slices.Contains(firstColumns, shape.Columns[i]) {
				continue
			}
			if rest == nil {
				rest = map[string]string{}
			}
			size -= bytesOf(values[i], sizes[i])
			rest[shape.Columns[i]] = strings.ReplaceAll(string(values[i]), "\x00", "\uFFFD")
			values[i] = nil
		}
		return rest
	}
}

// bytesOf is what a value takes in a row, of at most so many bytes.
func bytesOf(v []byte, most int) int {
	switch {
	case v == nil:
		return 0
	case most > 8: // a text
		return min(len(v)+lengthBytes, most)
	}
	return most
}

// firstColumns stay in the row.
var firstColumns = []string{"id", "received_at", "uuid_ts"}
