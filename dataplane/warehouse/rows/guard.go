package rows

import (
	"math/big"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"weir/dataplane/layout/timestamp"
	"weir/dataplane/warehouse/texts"
)

// Guard returns a value, given as its text, as the text that a column's type reads;
// false when the column would hold another value. Values are compared, not their
// spelling.
type Guard func(text string) (string, bool)

// Whole holds whole numbers of some bits.
func Whole(bits int) Guard {
	return func(s string) (string, bool) { return texts.Whole(s, bits) }
}

// Float holds what is the shortest text of the nearest float of some bits.
func Float(bits int) Guard {
	return func(s string) (string, bool) { return s, texts.Float(s, bits) }
}

// Decimal holds numbers of precision digits, scale of them behind the point, and writes
// them without an exponent.
func Decimal(precision, scale int) Guard {
	return func(s string) (string, bool) {
		if !texts.Numeric(s, precision-scale, scale) {
			return s, false
		}
		r, ok := new(big.Rat).SetString(s) // it is no larger than the type
		if !ok {
			return s, false
		}
		return r.FloatString(max(0, scale)), true
	}
}

// Boolean holds true and false.
func Boolean(s string) (string, bool) { return s, s == "true" || s == "false" }

// Instant holds times in UTC of whole units.
func Instant(unit time.Duration) Guard {
	return func(s string) (string, bool) {
		ms, ok := timestamp.Parse(s)
		return s, ok && ms%max(1, unit.Milliseconds()) == 0
	}
}

// Day holds midnights in UTC, as their date.
func Day(s string) (string, bool) {
	ms, ok := timestamp.Parse(s)
	return s[:min(len(s), len("2006-01-02"))], ok && ms%(24*time.Hour).Milliseconds() == 0
}

// Bytes holds texts of at most so many bytes; below 0 of any length.
func Bytes(most int) Guard {
	return func(s string) (string, bool) { return s, most < 0 || len(s) <= most }
}

// Characters holds texts of at most so many characters; below 0 of any length.
func Characters(most int) Guard {
	return func(s string) (string, bool) { return s, most < 0 || utf8.RuneCountInString(s) <= most }
}

// Fixed holds texts of at most so many characters that do not end with a blank, which
// does not count in them.
func Fixed(most int) Guard {
	return func(s string) (string, bool) {
		return s, utf8.RuneCountInString(s) <= most && !strings.HasSuffix(s, " ")
	}
}

var uuidText = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// UUID holds what is written as one.
func UUID(s string) (string, bool) { return s, uuidText.MatchString(s) }

// JSON holds JSON texts that lose nothing in a parsed form: no escapes of characters, no
// key twice in an object, and of numbers those that a float or a 64-bit integer holds.
func JSON(s string) (string, bool) {
	return s, texts.JSONFits(s, func(n string) bool {
		_, whole := texts.Whole(n, 64)
		return whole || texts.Float(n, 64)
	})
}
