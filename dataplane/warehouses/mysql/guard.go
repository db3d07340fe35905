package mysql

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"weir/dataplane/layout/timestamp"
	"weir/dataplane/warehouse/texts"
)

// charsetMark comes before the character set in the type of a column that does not hold
// every text.
const charsetMark = " charset "

// fit says of values whether a column of a type holds them. Values are compared, not
// their spelling. It knows the types that people use most; a column of another type
// holds none.
func fit(native string) texts.Fit {
	native, charset, _ := strings.Cut(native, charsetMark)
	name, args := texts.Arguments(native)
	arg := func(n, none int) int {
		if n < len(args) {
			return args[n]
		}
		return none
	}
	within := func(most int, count func(string) int, end string) texts.Fit {
		return func(s string) (string, bool) {
			return s, count(s) <= most && (end == "" || !strings.HasSuffix(s, end)) && inCharset(s, charset)
		}
	}
	bytes := func(s string) int { return len(s) }
	switch name {
	case "tinyint":
		if arg(0, 0) == 1 {
			return func(s string) (string, bool) { return s, s == "true" || s == "false" }
		}
		return whole(8)
	case "smallint":
		return whole(16)
	case "mediumint":
		return whole(24)
	case "int":
		return whole(32)
	case "bigint":
		return whole(64)
	case "tinyint unsigned", "smallint unsigned", "mediumint unsigned", "int unsigned", "bigint unsigned":
		most := map[string]uint64{"tinyint": math.MaxUint8, "smallint": math.MaxUint16, "mediumint": 1<<24 - 1, "int": math.MaxUint32, "bigint": math.MaxInt64}[strings.TrimSuffix(name, " unsigned")]
		return func(s string) (string, bool) {
			digits, ok := texts.Whole(s, 64)
			n, err := strconv.ParseUint(digits, 10, 64)
			return digits, ok && err == nil && n <= most
		}
	case "float":
		return func(s string) (string, bool) { return s, len(args) == 0 && texts.Float(s, 32) }
	case "double":
		return func(s string) (string, bool) { return s, len(args) == 0 && texts.Float(s, 64) }
	case "decimal":
		return func(s string) (string, bool) { return s, texts.Numeric(s, arg(0, 10)-arg(1, 0), arg(1, 0)) }
	case "date":
		return func(s string) (string, bool) {
			ms, ok := timestamp.Parse(s)
			return s[:min(len(s), len("2006-01-02"))], ok && ms%(24*60*60*1000) == 0
		}
	case "datetime":
		return instant(arg(0, 0), math.MinInt64, math.MaxInt64)
	case "timestamp": // it ends in 2038, and 0 is no time in it
		return instant(arg(0, 0), 1000, math.MaxInt32*1000)
	case "varchar":
		return within(arg(0, 0), utf8.RuneCountInString, "")
	case "char": // trailing blanks do not count in it
		return within(arg(0, 1), utf8.RuneCountInString, " ")
	case "tinytext":
		return within(math.MaxUint8, bytes, "")
	case "text":
		return within(math.MaxUint16, bytes, "")
	case "mediumtext":
		return within(1<<24-1, bytes, "")
	case "longtext":
		return within(math.MaxInt, bytes, "")
	case "uuid":
		return func(s string) (string, bool) { return s, uuidText.MatchString(s) }
	case "json": // MySQL keeps numbers in 64 bits; MariaDB has no such type
		return func(s string) (string, bool) {
			return s, json.Valid([]byte(s)) && texts.JSONFits(s, func(n string) bool {
				_, isInt := texts.Whole(n, 64)
				return isInt || texts.Float(n, 64)
			})
		}
	}
	return func(s string) (string, bool) { return s, false }
}

func whole(bits int) texts.Fit {
	return func(s string) (string, bool) {
		digits, ok := texts.Whole(s, 64)
		n, err := strconv.ParseInt(digits, 10, 64)
		return digits, ok && err == nil && n >= -1<<(bits-1) && n <= 1<<(bits-1)-1
	}
}

var uuidText = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// instant holds times of a number of digits of a second.
func instant(digits int, least, most int64) texts.Fit {
	unit := int64(math.Pow10(max(0, 3-digits)))
	return func(s string) (string, bool) {
		ms, ok := timestamp.Parse(s)
		if !ok || ms%unit != 0 || ms < least || ms > most {
			return s, false
		}
		return string(moment(timestamp.Append(nil, ms))), true
	}
}

// inCharset says whether a column of a character set holds a text: of UTF-8 in three
// bytes nothing beyond them, of others what is ASCII.
func inCharset(s, charset string) bool {
	most := rune(utf8.RuneSelf - 1)
	switch charset {
	case "":
		return true
	case "utf8", "utf8mb3":
		most = 0xFFFF
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r > most })
}

// moment is a time as layouts write it, as MySQL reads it: in place, without the zone.
func moment(iso []byte) []byte {
	if len(iso) > 10 && iso[10] == 'T' && iso[len(iso)-1] == 'Z' {
		iso = iso[:len(iso)-1]
		iso[10] = ' '
	}
	return iso
}
