package features

import (
	"fmt"
	"strings"

	"weir/dataplane/identity"
	"weir/dataplane/tables"
	"weir/shared/workspace/profiles"
)

// Type is a type of identifiers as identity takes it.
func Type(d tables.Dialect, t profiles.Identifier) identity.Type {
	one := identity.Type{Name: t.Name, Unique: t.Unique}
	one.Limits, _ = t.Limits() // they were checked
	one.Expire, _ = profiles.Duration(t.Expire)
	switch t.Clean {
	case "email", "text":
		one.Clean = func(x string) string { return "lower(trim(" + x + "))" }
	case "domain":
		one.Clean = func(x string) string {
			return "regexp_replace(regexp_replace(regexp_replace(lower(trim(" + x + ")), '^https?://', ''), '[/:?#].*$', ''), '^(.*@)?(www[.])?', '')"
		}
	case "phone":
		one.Clean = func(x string) string { return phone(x, t.Country) }
	}
	if t.Of != "" {
		one.Alive = fmt.Sprintf("select %s || cast(person >> 5 as varchar) from %s where person is not null", d.Text(t.Of+"_"), d.Quote("_"+t.Of+"_graph"))
	}
	for _, b := range t.Block {
		one.Blocks = append(one.Blocks, func(x string) string { return "lower(" + x + ") like " + like(d, strings.ToLower(b)) })
	}
	if t.Match != "" {
		one.Blocks = append(one.Blocks, func(x string) string { return x + " not like " + like(d, t.Match) })
	}
	return one
}

// phone is the expression of a number as +digits: 00 before it is +, and one zero before
// it is country's, where that is given.
func phone(x, country string) string {
	digits := digits(x)
	q := "case when trim(" + x + ") like '+%' then '+' || " + digits + " when " + digits + " like '00%' then '+' || substr(" + digits + ", 3)"
	if country != "" {
		q += " when " + digits + " like '0%' then '+" + country + "' || substr(" + digits + ", 2)"
	}
	return q + " else " + digits + " end"
}

// digits is the expression of the digits of a text.
func digits(x string) string { return "regexp_replace(" + x + ", '[^0-9]', '', 'g')" }

// like is the pattern of a text with * for any text.
func like(d tables.Dialect, pattern string) string {
	pattern = strings.NewReplacer(`!`, `!!`, `%`, `!%`, `_`, `!_`, `*`, `%`).Replace(pattern)
	return d.Text(pattern) + " escape '!'"
}
