// Package convert converts values of events for destinations: types, times, texts, and
// the forms in which ads platforms hash what identifies people. Each conversion takes
// any JSON and never fails: what it cannot convert is absent.
package convert

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"weir/dataplane/destination/fields"
	"weir/shared/catalog/calls"
)

// Value is a JSON value as it stands in an event, or a text that was made. The zero
// Value is absent.
type Value struct {
	raw  fields.Value
	text string // "" unless it was made
}

// JSON is the value v. Null and an empty text are absent.
func JSON(v fields.Value) Value {
	if len(v) == 0 || string(v) == `""` || string(v) == "null" {
		return Value{}
	}
	return Value{raw: v}
}

// Text is a text; an empty one is absent.
func Text(text string) Value { return Value{text: text} }

// There reports whether the value is there.
func (v Value) There() bool { return len(v.raw) > 0 || v.text != "" }

// Text is a text's or number's or boolean's text, "" of all others.
func (v Value) Text() string {
	if len(v.raw) > 0 {
		return v.raw.Text()
	}
	return v.text
}

// Raw is the JSON of the value.
func (v Value) Raw() fields.Value {
	if len(v.raw) > 0 || v.text == "" {
		return v.raw
	}
	return v.Append(nil)
}

// Whole is Text, with the JSON of objects and lists.
func (v Value) Whole() string {
	if v.raw.IsObject() || v.raw.IsList() {
		return string(v.raw)
	}
	return v.Text()
}

// Append appends the JSON of a value that is there.
func (v Value) Append(b []byte) []byte {
	if len(v.raw) > 0 {
		return append(b, v.raw...)
	}
	b, err := jsontext.AppendQuote(b, v.text)
	if err != nil { // not UTF-8: the text with U+FFFD was appended
		return b
	}
	return b
}

// Conversion converts a value that is there.
type Conversion func(Value) Value

// Compile returns the conversions of as, done in order. nil: there are none.
func Compile(as []calls.Conversion) Conversion {
	if len(as) == 0 {
		return nil
	}
	all := make([]Conversion, len(as))
	for i, c := range as {
		all[i] = of(c)
	}
	if len(all) == 1 {
		return all[0]
	}
	return func(v Value) Value {
		for _, c := range all {
			if v = c(v); !v.There() {
				break
			}
		}
		return v
	}
}

// text makes a conversion of one over texts.
func text(f func(string) string) Conversion {
	return func(v Value) Value { return Text(f(v.Text())) }
}

// plain are the conversions that take nothing.
var plain = map[string]Conversion{
	"string": func(v Value) Value {
		if v.raw.IsText() {
			return v
		}
		return Text(v.Whole())
	},
	"integer": integer, "number": number, "boolean": boolean,
	"unix":    func(v Value) Value { return seconds(v, 1) },
	"unix_ms": func(v Value) Value { return seconds(v, 1000) },
	"iso8601": func(v Value) Value { return layout(v, "2006-01-02T15:04:05.000Z07:00") },
	"date":    func(v Value) Value { return layout(v, "2006-01-02") },
	"lower":   text(strings.ToLower), "upper": text(strings.ToUpper), "trim": text(strings.TrimSpace), "title": text(title),
	"snake_case": text(func(s string) string { return strings.Join(words(s), "_") }),
	"kebab_case": text(func(s string) string { return strings.Join(words(s), "-") }),
	"camel_case": text(camel),
	"list":       list, "first": first, "last": last, "count": count,
	"json":     func(v Value) Value { return Text(string(v.Raw())) },
	"language": text(language), "region": text(region), "host": text(host), "url_path": text(path),
	"sha256": text(digest("sha256")), "md5": text(digest("md5")), "sha1": text(digest("sha1")), "uuid": text(uuid),
	"email": text(unlessHashed(email)), "gmail": text(unlessHashed(gmail)), "canonical_email": text(unlessHashed(canonicalEmail)),
	"phone": text(unlessHashed(phone)), "phone_digits": text(unlessHashed(phoneDigits)),
	"name": text(unlessHashed(name)), "city": text(unlessHashed(letters)), "state": text(unlessHashed(letters)),
	"zip": text(unlessHashed(zip)), "country": text(unlessHashed(country)), "gender": text(unlessHashed(gender)), "birthday": text(unlessHashed(birthday)),
}

// of is one conversion. Words that the checker refuses convert nothing.
func of(c calls.Conversion) Conversion {
	switch c.Word {
	case "truncate":
		return text(func(s string) string { return truncate(s, c.Number) })
	case "prefix":
		return nonempty(func(s string) string { return c.Text + s })
	case "suffix":
		return nonempty(func(s string) string { return s + c.Text })
	case "join":
		return func(v Value) Value { return join(v, c.Text) }
	case "split":
		return func(v Value) Value { return split(v, c.Text) }
	case "replace":
		pairs := make([]string, 0, 2*len(c.Pairs))
		for _, p := range c.Pairs {
			pairs = append(pairs, p[0], p[1])
		}
		return text(strings.NewReplacer(pairs...).Replace)
	case "sum":
		return func(v Value) Value { return sum(v, c.Path) }
	}
	if f := plain[c.Word]; f != nil {
		return f
	}
	return func(Value) Value { return Value{} }
}

func nonempty(f func(string) string) Conversion {
	return func(v Value) Value {
		if s := v.Text(); s != "" {
			return Text(f(s))
		}
		return Value{}
	}
}
