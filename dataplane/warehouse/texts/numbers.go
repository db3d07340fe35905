package texts

import (
	"regexp"
	"strconv"
	"strings"
)

// decimal is 0.digits times ten to the power of exponent; digits have no zero at
// either end, and are empty for 0.
type decimal struct {
	minus    bool
	digits   string
	exponent int
}

// jsonNumber is a number as JSON has it, with an exponent of at most five digits.
var jsonNumber = regexp.MustCompile(`^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,5}))?$`)

// decimalOf reads a JSON number.
func decimalOf(s string) (d decimal, ok bool) {
	m := jsonNumber.FindStringSubmatch(s)
	if m == nil {
		return d, false
	}
	if m[4] != "" {
		d.exponent, _ = strconv.Atoi(m[4]) // it has five digits at most
	}
	all := m[2] + m[3]
	d.digits = strings.TrimLeft(all, "0")
	d.exponent += len(m[2]) - (len(all) - len(d.digits))
	if d.digits = strings.TrimRight(d.digits, "0"); d.digits == "" {
		return decimal{}, true
	}
	d.minus = m[1] != ""
	return d, true
}

// scale is how many digits the number has behind the point; negative for zeros
// before it.
func (d *decimal) scale() int { return len(d.digits) - d.exponent }

// Whole is the digits of a JSON number that is whole and fits an integer of some bits;
// false for others.
func Whole(s string, bits int) (string, bool) {
	d, ok := decimalOf(s)
	if !ok || d.scale() > 0 && d.digits != "" || d.exponent > 19 {
		return s, false
	}
	digits := d.digits + strings.Repeat("0", -d.scale())
	if d.minus {
		digits = "-" + digits
	}
	if digits == "" {
		digits = "0"
	}
	_, err := strconv.ParseInt(digits, 10, bits)
	return digits, err == nil
}

// Float says whether the shortest text of the float of some bits nearest to a JSON
// number is that number again.
func Float(s string, bits int) bool {
	d, ok := decimalOf(s)
	f, err := strconv.ParseFloat(s, bits)
	if !ok || err != nil {
		return false
	}
	back, ok := decimalOf(strconv.FormatFloat(f, 'e', -1, bits))
	return ok && back.digits == d.digits && (d.digits == "" || back.exponent == d.exponent)
}

// Numeric says whether a JSON number has at most before digits before the point and
// scale digits behind it.
func Numeric(s string, before, scale int) bool {
	d, ok := decimalOf(s)
	if !ok || d.digits == "" {
		return ok
	}
	return d.scale() <= scale && d.exponent <= before
}

// Arguments are the whole numbers in the brackets of a type such as decimal(10,2), with
// the type before the brackets and what is behind them.
func Arguments(native string) (name string, args []int) {
	m := nativeType.FindStringSubmatch(native)
	if m == nil {
		return "", nil
	}
	for _, s := range m[2:4] {
		if n, err := strconv.Atoi(s); err == nil {
			args = append(args, n)
		}
	}
	return m[1] + m[4], args
}

// nativeType is a type such as numeric(10,2), timestamp(3) without time zone and
// bigint(20) unsigned.
var nativeType = regexp.MustCompile(`^([^()]*?)(?:\((-?\d+)(?:,\s*(-?\d+))?\))?( [a-z ]+)?$`)
