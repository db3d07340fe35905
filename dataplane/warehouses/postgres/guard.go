package postgres

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"weir/dataplane/layout/timestamp"
)

// guard tells of values whether a column of somebody's making holds them. Values are
// compared, not their spelling. It knows the types that people use most; a column of
// another type holds none.
type guard struct {
	name string // of the type, without what is in brackets
	args []int  // what is in brackets
}

// nativeType is a type as format_type writes it, such as numeric(10,2) and
// timestamp(3) without time zone.
var nativeType = regexp.MustCompile(`^([^()]*?)(?:\((-?\d+)(?:,(-?\d+))?\))?( with(?:out)? time zone)?$`)

func guardOf(native string) guard {
	m := nativeType.FindStringSubmatch(native)
	if m == nil {
		return guard{}
	}
	g := guard{name: m[1] + m[4]}
	for _, s := range m[2:4] {
		if n, err := strconv.Atoi(s); err == nil {
			g.args = append(g.args, n)
		}
	}
	return g
}

// arg is the nth argument, or none when the type has fewer.
func (g *guard) arg(n, none int) int {
	if n < len(g.args) {
		return g.args[n]
	}
	return none
}

// fit returns a value, given as its text, as COPY's text for the column; false when
// the column would hold another value.
func (g *guard) fit(s string) (string, bool) {
	switch g.name {
	case "smallint":
		return whole(s, 16)
	case "integer":
		return whole(s, 32)
	case "bigint":
		return whole(s, 64)
	case "real":
		return s, float(s, 32)
	case "double precision":
		return s, float(s, 64)
	case "numeric":
		return s, g.numeric(s)
	case "boolean":
		return s, s == "true" || s == "false"
	case "timestamp with time zone", "timestamp without time zone":
		ms, ok := timestamp.Parse(s)
		unit := int64(math.Pow10(max(0, 3-g.arg(0, 6))))
		return s, ok && ms%unit == 0
	case "date":
		ms, ok := timestamp.Parse(s)
		return s[:min(len(s), len("2006-01-02"))], ok && ms%(24*60*60*1000) == 0
	case "text", "citext":
		return s, true
	case "character varying":
		n := g.arg(0, -1)
		return s, n < 0 || utf8.RuneCountInString(s) <= n
	case "character": // trailing blanks do not count in it
		return s, utf8.RuneCountInString(s) <= g.arg(0, 1) && !strings.HasSuffix(s, " ")
	case "uuid":
		return s, uuidText.MatchString(s)
	case "json":
		return s, json.Valid([]byte(s)) && !strings.Contains(s, `\u`)
	case "jsonb":
		return s, jsonFits(s)
	}
	return s, false
}

var uuidText = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

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

// whole is a whole number of some bits in its digits.
func whole(s string, bits int) (string, bool) {
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

// float says whether the shortest text of the nearest float is the number again:
// that is what the server writes.
func float(s string, bits int) bool {
	d, ok := decimalOf(s)
	f, err := strconv.ParseFloat(s, bits)
	if !ok || err != nil {
		return false
	}
	back, ok := decimalOf(strconv.FormatFloat(f, 'e', -1, bits))
	return ok && back.digits == d.digits && (d.digits == "" || back.exponent == d.exponent)
}

// Limits of a numeric without precision, in digits before and behind the point.
// Source: https://www.postgresql.org/docs/current/datatype-numeric.html
const (
	maxBefore = 131072
	maxBehind = 16383
)

func (g *guard) numeric(s string) bool {
	d, ok := decimalOf(s)
	if !ok || d.digits == "" {
		return ok
	}
	if len(g.args) == 0 {
		return d.exponent <= maxBefore && d.scale() <= maxBehind
	}
	scale := g.arg(1, 0)
	return d.scale() <= scale && d.exponent <= g.args[0]-scale
}
