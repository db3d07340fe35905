package columns

import (
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"weir/dataplane/layout"
	"weir/dataplane/load/stage"
)

// columnType is the type of a new column for values of a type.
func columnType(t layout.Type) layout.Type {
	if t == stage.Long {
		return layout.Int
	}
	return t
}

// holds says whether a column of type has takes every value of type t as it is.
func holds(has, t layout.Type) bool {
	switch has {
	case layout.String, layout.Text:
		return true
	case layout.Int:
		return t == layout.Int || t == stage.Long
	case layout.Float:
		return t == layout.Float || t == layout.Int
	}
	return has != "" && has == t
}

// rawName is the nth name, from 1, for a column's sibling for values that do not
// fit it, of at most limit bytes.
func rawName(column string, n, limit int) string { return short(column+numbered("__raw", n), limit) }

func numbered(name string, n int) string {
	if n > 1 {
		name += "_" + strconv.Itoa(n)
	}
	return name
}

// short makes names fit a limit in bytes, 0 for none; a cut one gets a checksum so
// that it stays apart.
func short(name string, limit int) string {
	if len(name) <= limit || limit == 0 {
		return name
	}
	end := ""
	if i := strings.LastIndex(name, "__raw"); i >= 0 && len(name)-i < 12 {
		end = name[i:]
	}
	sum := fmt.Sprintf("_%08x", crc32.ChecksumIEEE([]byte(name)))
	return strings.ToValidUTF8(name[:limit-len(sum)-len(end)], "") + sum + end
}
