package postgres

import (
	"encoding/json"
	"math"
	"regexp"
	"strings"
	"unicode/utf8"

	"weir/dataplane/layout/timestamp"
	"weir/dataplane/warehouse/texts"
)

// guard tells of values whether a column of somebody's making holds them. Values are
// compared, not their spelling. It knows the types that people use most; a column of
// another type holds none.
type guard struct {
	name string // of the type, without what is in brackets
	args []int  // what is in brackets
}

func guardOf(native string) guard {
	name, args := texts.Arguments(native)
	return guard{name, args}
}

// fitOf is what guards of columns say of values.
func fitOf(native string) texts.Fit {
	g := guardOf(native)
	return g.fit
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
		return texts.Whole(s, 16)
	case "integer":
		return texts.Whole(s, 32)
	case "bigint":
		return texts.Whole(s, 64)
	case "real":
		return s, texts.Float(s, 32)
	case "double precision":
		return s, texts.Float(s, 64)
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
		return s, texts.JSONFits(s, (&guard{}).numeric)
	}
	return s, false
}

var uuidText = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// Limits of a numeric without precision, in digits before and behind the point.
// Source: https://www.postgresql.org/docs/current/datatype-numeric.html
const (
	maxBefore = 131072
	maxBehind = 16383
)

func (g *guard) numeric(s string) bool {
	if len(g.args) == 0 {
		return texts.Numeric(s, maxBefore, maxBehind)
	}
	scale := g.arg(1, 0)
	return texts.Numeric(s, g.args[0]-scale, scale)
}
