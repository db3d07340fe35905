package mssql

import (
	"encoding/json"
	"slices"

	"github.com/parquet-go/parquet-go"

	"weir/dataplane/warehouse/rows"
)

// Limits of tables and rows.
// Sources: https://learn.microsoft.com/en-us/sql/sql-server/maximum-capacity-specifications-for-sql-server and
// https://learn.microsoft.com/en-us/sql/relational-databases/databases/estimate-the-size-of-a-heap
const (
	maxColumns  = 1000 // of 1,024; dropped ones count until the table is rebuilt
	rowBytes    = 8060
	headerBytes = 4 + 2 + 1024/8 + 2 + 60 // of a row, with the bitmap of its columns; and what a version of it needs
	farBytes    = 24                      // of a text that lies elsewhere
	rootBytes   = 72                      // of one that needs several links
	longBytes   = 8000                    // from which on it does
	lengthBytes = 2                       // of a value of any length
	mostFixed   = 9                       // of the columns of a fixed length that loads make
)

// mostBytes is the most that a column takes of a row. One of a fixed length takes it without
// a value too.
func (c *column) mostBytes() int {
	if c.bytes < 0 {
		return farBytes + lengthBytes
	}
	return c.bytes
}

// room is how many columns a table takes, and how many a row has room for.
func room(have []column) (table, row int) {
	fixed, most := rowBytes-headerBytes, rowBytes-headerBytes
	for i := range have {
		most -= have[i].mostBytes()
		fixed -= max(have[i].bytes, lengthBytes)
	}
	table = max(0, min(maxColumns-len(have), fixed/mostFixed))
	return table, min(table, most/(farBytes+lengthBytes))
}

// narrow lets rows be within what a row takes: further texts go into the column more. Values
// of a fixed length stay, as they take their room in any case.
func narrow(t *rows.Table, more string, have []column, values [][]parquet.Value) error {
	at := slices.IndexFunc(t.Columns, func(c rows.Column) bool { return c.Name == more })
	if _, row := room(have); at < 0 || row > 0 {
		return nil
	}
	fixed := map[string]bool{}
	least := headerBytes + farBytes + lengthBytes
	for i := range have {
		if have[i].bytes >= 0 {
			fixed[have[i].name] = true
			least += have[i].mostBytes()
		}
	}
	for _, row := range values {
		size := least
		for i, c := range t.Columns {
			if !fixed[c.Name] && i != at {
				size += sizeOf(row[i])
			}
		}
		if size <= rowBytes {
			continue
		}
		rest := map[string]string{}
		if !row[at].IsNull() {
			if err := json.Unmarshal(row[at].ByteArray(), &rest); err != nil {
				return err
			}
		}
		for i := len(t.Columns) - 1; i >= 0 && size > rowBytes; i-- {
			c := t.Columns[i]
			if row[i].IsNull() || i == at || fixed[c.Name] || c.Name == "id" {
				continue
			}
			size -= sizeOf(row[i])
			rest[c.Name] = string(row[i].ByteArray())
			row[i] = parquet.Value{}
		}
		b, err := json.Marshal(rest)
		if err != nil {
			return err
		}
		row[at] = parquet.ByteArrayValue(b)
	}
	return nil
}

// sizeOf is what a text takes of a row at most.
func sizeOf(v parquet.Value) int {
	if v.IsNull() || v.Kind() != parquet.ByteArray {
		return 0
	}
	size := 2 * len(v.ByteArray())
	if size > longBytes {
		return rootBytes + lengthBytes
	}
	return min(size, farBytes) + lengthBytes
}
