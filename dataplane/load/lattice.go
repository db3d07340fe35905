package load

import (
	"fmt"
	"hash/crc32"
	"math"
	"strconv"
	"strings"

	"weir/dataplane/layout"
)

// Long is the type of whole numbers that a float cannot hold exactly. Columns
// for it are those of layout.Int.
const Long layout.Type = "long"

// maxName is the longest name of a column or table, in bytes.
const maxName = 63

// exact is the largest whole number up to which floats have every one.
const exact = 1 << 53

// TypeOf returns the narrowest type that holds a value without changing it.
func TypeOf(c layout.Column) layout.Type {
	switch c.Type {
	case layout.Int:
		n, err := strconv.ParseInt(c.Raw, 10, 64)
		switch {
		case err != nil || c.Raw == "-0":
			return layout.String
		case n > exact || n < -exact:
			return Long
		}
	case layout.Float:
		f, err := strconv.ParseFloat(c.Raw, 64)
		mantissa, _, _ := strings.Cut(strings.ToLower(c.Raw), "e")
		digits := strings.TrimLeft(strings.NewReplacer(".", "", "-", "").Replace(mantissa), "0")
		if err != nil || math.IsInf(f, 0) || len(digits) > 15 && strconv.FormatFloat(f, 'g', -1, 64) != c.Raw && len(digits) > 17 || f == 0 && digits != "" {
			return layout.String
		}
	case layout.Boolean:
		if c.Raw != "true" && c.Raw != "false" {
			return layout.String
		}
	}
	return c.Type
}

// Join returns the narrowest type that holds the values of both.
func Join(a, b layout.Type) layout.Type {
	is := func(x, y layout.Type) bool { return a == x && b == y || a == y && b == x }
	switch {
	case a == b || b == "":
		return a
	case a == "":
		return b
	case is(layout.Int, Long):
		return Long
	case is(layout.Int, layout.Float):
		return layout.Float
	case a == layout.Text || b == layout.Text:
		return layout.Text
	}
	return layout.String
}

// holds says whether a column of type has takes every value of type t as it is.
func holds(has, t layout.Type) bool {
	switch has {
	case layout.String, layout.Text:
		return true
	case layout.Int:
		return t == layout.Int || t == Long
	case layout.Float:
		return t == layout.Float || t == layout.Int
	}
	return has != "" && has == t
}

// RawName is the name of a column's sibling for values that do not fit.
func RawName(column string) string { return short(column + "__raw") }

// short makes names fit; a cut one gets a checksum so that it stays apart.
func short(name string) string {
	if len(name) <= maxName {
		return name
	}
	end := ""
	if strings.HasSuffix(name, "__raw") {
		end = "__raw"
	}
	sum := fmt.Sprintf("_%08x", crc32.ChecksumIEEE([]byte(name)))
	return strings.ToValidUTF8(name[:maxName-len(sum)-len(end)], "") + sum + end
}
