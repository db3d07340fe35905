package stage

import (
	"math"
	"strconv"
	"strings"

	"weir/dataplane/layout"
	"weir/dataplane/layout/timestamp"
)

// Long is the type of whole numbers that a float cannot hold exactly. Columns
// for it are those of layout.Int.
const Long layout.Type = "long"

// exact is the largest whole number up to which floats have every one.
const exact = 1 << 53

// typeOf returns the narrowest type that holds a value without changing it.
func typeOf(c *layout.Column) layout.Type {
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
		if _, ok := timestamp.Parse(c.Raw); !ok {
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

// spelling returns how the event spelled a value, empty when that is what a reader
// makes of the value in a file; t is typeOf it.
func spelling(c *layout.Column, t layout.Type) string {
	if c.Sent == "" && t == layout.Float && !plain(c.Raw) {
		return c.Raw
	}
	return c.Sent
}

// plain says whether every program writes the double nearest to s as s: few digits,
// no exponent, no zero at the end, and not close to zero.
func plain(s string) bool {
	return len(s) <= sureDigits+1 && s[len(s)-1] != '0' && !strings.ContainsAny(s, "eE") && !strings.HasPrefix(strings.TrimPrefix(s, "-"), "0.000")
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
