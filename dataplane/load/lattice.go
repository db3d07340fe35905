package load

import (
	"fmt"
	"hash/crc32"
	"math"
	"strconv"
	"strings"
	"time"

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
		if !floats(c.Raw) {
			return layout.String
		}
	case layout.Boolean:
		if c.Raw != "true" && c.Raw != "false" {
			return layout.String
		}
	case layout.Datetime:
		if _, ok := millis(c.Raw); !ok {
			return layout.String
		}
	}
	return c.Type
}

// sureDigits is how many significant digits every double keeps.
const sureDigits = 15

// floats says whether the shortest text of the double nearest to a number is
// that number again.
func floats(s string) bool {
	if len(s) <= sureDigits+1 && !strings.ContainsAny(s, "eE") {
		return true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) || f == 0 && math.Signbit(f) {
		return false
	}
	digits, exponent, ok := scientific(s)
	back, backExponent, _ := scientific(strconv.FormatFloat(f, 'e', -1, 64))
	return ok && digits == back && exponent == backExponent
}

// scientific writes a JSON number as digits without zeros at both ends and the
// power of ten that 0.digits is multiplied with.
func scientific(s string) (digits string, exponent int, ok bool) {
	mantissa := strings.TrimPrefix(s, "-")
	if i := strings.IndexAny(mantissa, "eE"); i >= 0 {
		n, err := strconv.Atoi(strings.TrimPrefix(mantissa[i+1:], "+"))
		if err != nil {
			return "", 0, false
		}
		mantissa, exponent = mantissa[:i], n
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	all := whole + fraction
	digits = strings.TrimLeft(all, "0")
	exponent += len(whole) - (len(all) - len(digits))
	if digits = strings.TrimRight(digits, "0"); digits == "" {
		exponent = 0
	}
	return digits, exponent, true
}

// timeForm is how layouts write times.
const timeForm = "2006-01-02T15:04:05.000Z"

// millis reads a time as layouts write it, in Unix milliseconds.
func millis(s string) (int64, bool) {
	if len(s) != len(timeForm) || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' || s[19] != '.' || s[23] != 'Z' {
		return 0, false
	}
	good := true
	num := func(from, to int) int {
		n := 0
		for i := from; i < to; i++ {
			good = good && s[i] >= '0' && s[i] <= '9'
			n = n*10 + int(s[i]-'0')
		}
		return n
	}
	year, month, day := num(0, 4), num(5, 7), num(8, 10)
	hour, minute, second, ms := num(11, 13), num(14, 16), num(17, 19), num(20, 23)
	if !good || year < 1 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	return t.UnixMilli() + int64(ms), t.Day() == day
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

// AppendTime writes Unix milliseconds of the years 1 to 9999 as layouts do.
func AppendTime(b []byte, millis int64) []byte {
	t := time.UnixMilli(millis).UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	pad := func(n, width int, end byte) {
		for unit := [...]int{1, 10, 100, 1000}[width-1]; unit > 0; unit /= 10 {
			b = append(b, byte('0'+n/unit%10))
		}
		b = append(b, end)
	}
	pad(year, 4, '-')
	pad(int(month), 2, '-')
	pad(day, 2, 'T')
	pad(hour, 2, ':')
	pad(minute, 2, ':')
	pad(second, 2, '.')
	pad(t.Nanosecond()/int(time.Millisecond), 3, 'Z')
	return b
}

// rawName is the nth name, from 1, for a column's sibling for values that do not
// fit it.
func rawName(column string, n int) string { return short(column + numbered("__raw", n)) }

func numbered(name string, n int) string {
	if n > 1 {
		name += "_" + strconv.Itoa(n)
	}
	return name
}

// short makes names fit; a cut one gets a checksum so that it stays apart.
func short(name string) string {
	if len(name) <= maxName {
		return name
	}
	end := ""
	if i := strings.LastIndex(name, "__raw"); i >= 0 && len(name)-i < 12 {
		end = name[i:]
	}
	sum := fmt.Sprintf("_%08x", crc32.ChecksumIEEE([]byte(name)))
	return strings.ToValidUTF8(name[:maxName-len(sum)-len(end)], "") + sum + end
}
