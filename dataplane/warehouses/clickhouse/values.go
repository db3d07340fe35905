package clickhouse

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/layout/timestamp"
	"weir/dataplane/warehouse/rows"
	"weir/dataplane/warehouse/texts"
)

// form is how values of a native type come in.
type form struct {
	file string    // their type in the table of rows: Int64, Float64, UInt8 or String
	cast string    // the expression of a value in the type, where ? is that of file; "" for the value itself
	zero string    // what a column that takes no null gets for one
	fit  texts.Fit // nil for a type that loads never write
}

// wrapped is a type within another.
var wrapped = regexp.MustCompile(`^(Nullable|LowCardinality)\((.*)\)$`)

// plain is a native type without what is around it.
func plain(native string) string {
	for {
		m := wrapped.FindStringSubmatch(native)
		if m == nil {
			return native
		}
		native = m[2]
	}
}

func nullable(native string) bool {
	return strings.HasPrefix(native, "Nullable(") || strings.HasPrefix(native, "LowCardinality(Nullable(")
}

// quoted is the part of a type in quotes, such as a time zone.
var quoted = regexp.MustCompile(`,?\s*'[^']*'`)

const (
	castTo  = "CAST(? AS type)"
	asUUID  = "toUUID(?)"
	asMilli = "CAST(fromUnixTimestamp64Milli(?) AS type)"
	noUUID  = "'00000000-0000-0000-0000-000000000000'"
)

// formOf says of a native type how its values come in.
// Source: https://clickhouse.com/docs/en/sql-reference/data-types
func formOf(native string) form {
	typ := plain(native)
	if native == booleans {
		return form{"UInt8", "", "0", booleanFit}
	}
	if native == named {
		return form{"String", castTo, "'false'", booleanFit}
	}
	name, args := texts.Arguments(strings.TrimSuffix(quoted.ReplaceAllString(typ, ""), "()"))
	switch name {
	case "Int64":
		return form{"Int64", "", "0", whole(64)}
	case "Int8", "Int16", "Int32":
		bits, _ := strconv.Atoi(name[3:]) // it is digits
		return form{"Int64", castTo, "0", whole(bits)}
	case "UInt8", "UInt16", "UInt32", "UInt64":
		bits, _ := strconv.Atoi(name[4:]) // it is digits
		return form{"Int64", castTo, "0", unsigned(bits)}
	case "Float64":
		return form{"Float64", "", "0", texts.Fit(rows.Float(64))}
	case "Float32":
		return form{"Float64", castTo, "0", texts.Fit(rows.Float(32))}
	case "Bool":
		return form{"UInt8", castTo, "0", booleanFit}
	case "Decimal":
		if len(args) == 2 {
			return form{"String", castTo, "'0'", texts.Fit(rows.Decimal(args[0], args[1]))}
		}
	case "Date":
		return form{"Int64", castTo, "0", units(24*time.Hour, 0, math.MaxUint16)}
	case "DateTime":
		return form{"Int64", castTo, "0", units(time.Second, 0, math.MaxUint32)}
	case "DateTime64":
		if len(args) == 1 && args[0] >= 3 {
			return form{"Int64", asMilli, "0", units(time.Millisecond, firstMilli, lastMilli)}
		}
	case "UUID":
		return form{"String", asUUID, noUUID, texts.Fit(rows.UUID)}
	case "String":
		return form{"String", "", "''", func(s string) (string, bool) { return s, true }}
	case "FixedString":
		if typ == plain(times) {
			return form{"String", castTo, "''", moment}
		}
		if len(args) == 1 {
			return form{"String", castTo, "''", func(s string) (string, bool) { return s, len(s) == args[0] && !strings.Contains(s, "\x00") }}
		}
	}
	return form{"String", castTo, "''", nil}
}

// The times that every DateTime64 holds.
var (
	firstMilli = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	lastMilli  = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
)

// value is the expression of a value in a native type, where at is that in the table of
// rows, which may be null.
func (f form) value(at, native string) string {
	cast := f.cast
	if cast == "" && plain(native) != native && "Nullable("+plain(native)+")" != native {
		cast = castTo
	}
	filled := "ifNull(" + at + ", " + f.zero + ")"
	write := func(at string) string { return strings.NewReplacer("?", at, "type", native).Replace(cast) }
	switch {
	case cast == "" && nullable(native):
		return at
	case cast == "":
		return filled
	case !nullable(native):
		return write(filled)
	case f.file == "String": // older servers read the text of a null too
		return "if(isNull(" + at + "), CAST(NULL AS " + native + "), " + write(filled) + ")"
	}
	return write(at)
}

// fit is the form's for guards.
func fit(native string) texts.Fit {
	if f := formOf(native); f.fit != nil {
		return f.fit
	}
	return func(s string) (string, bool) { return s, false }
}

func booleanFit(s string) (string, bool) { return s, s == "true" || s == "false" }

func whole(bits int) texts.Fit {
	return func(s string) (string, bool) { return texts.Whole(s, bits) }
}

// unsigned holds whole numbers of some bits from 0 on; the highest of 64 bits are left out.
func unsigned(bits int) texts.Fit {
	return func(s string) (string, bool) {
		digits, ok := texts.Whole(s, 64)
		n, err := strconv.ParseUint(digits, 10, 64)
		return digits, ok && err == nil && (bits == 64 || n < 1<<bits)
	}
}

// units holds times that are whole units since 1970, from least to most, as that number.
func units(unit time.Duration, least, most int64) texts.Fit {
	return func(s string) (string, bool) {
		ms, ok := timestamp.Parse(s)
		n := ms / unit.Milliseconds()
		return strconv.FormatInt(n, 10), ok && ms%unit.Milliseconds() == 0 && n >= least && n <= most
	}
}

// moment holds times.
func moment(s string) (string, bool) {
	ms, ok := timestamp.Parse(s)
	if !ok {
		return s, false
	}
	return string(timestamp.Append(nil, ms)), true
}
