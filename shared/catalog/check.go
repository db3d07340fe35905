package catalog

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"weir/shared/catalog/duration"
	"weir/shared/fault"
)

// maxProblems is how many problems one check lists; hostile settings could
// have millions.
const maxProblems = 100

// Check lists every problem of settings (a JSON object, empty for none) against
// s. Paths begin with path. A null counts as absent. Texts name fields and
// limits, never the values that were sent. Codes: malformed, unknown_field,
// required, wrong_type, too_small, too_large, not_in_enum, bad_pattern,
// bad_url, bad_duration, too_many, duplicate_name, not_allowed.
func Check(s Spec, settings []byte, path string) []fault.Problem {
	c := checker{spec: s}
	c.object(s.Fields, settings, path)
	c.reached(settings, path)
	if s.StreamsOf != "" {
		c.problems = append(c.problems, s.Feed.Check(settings, s.entries(settings), path+"."+s.StreamsOf)...)
	}
	return c.problems
}

// CheckSecret lists the problems of one secret in clear, before it is sealed.
// A secret of type map, object or strings is a JSON text, all others are the
// value itself. No text holds any part of the value.
func CheckSecret(s Spec, field string, clear []byte, path string) []fault.Problem {
	var c checker
	i := slices.IndexFunc(s.Secrets, func(f Field) bool { return f.Name == field })
	switch {
	case i < 0:
		c.unknown(s.Secrets, field, path)
	case slices.Contains([]Type{TypeMap, TypeObject, TypeStrings, TypeInteger, TypeBoolean}, s.Secrets[i].Type):
		c.value(s.Secrets[i], clear, path)
	default:
		quoted, err := jsontext.AppendQuote(nil, clear)
		if err != nil {
			c.add(path, "malformed", "The value is not UTF-8 text.")
			break
		}
		c.value(s.Secrets[i], quoted, path)
	}
	return c.problems
}

// CheckSecretNames lists the secrets that s requires and have lacks, and those
// that s does not know. Codes: required, unknown_field.
func CheckSecretNames(s Spec, have []string, path string) []fault.Problem {
	var c checker
	for _, f := range s.Secrets {
		if f.Required && !slices.Contains(have, f.Name) {
			c.add(join(path, f.Name), "required", "The secret "+f.Name+" is required.")
		}
	}
	for _, name := range slices.Sorted(slices.Values(have)) {
		if !slices.ContainsFunc(s.Secrets, func(f Field) bool { return f.Name == name }) {
			c.unknown(s.Secrets, name, join(path, name))
		}
	}
	return c.problems
}

// Fill returns settings with the defaults of s for what is absent, fields in
// the order of s, values as they were sent. Fields that s does not know are
// left out, and settings that are no JSON object come back as they are: Check
// reports both.
func Fill(s Spec, settings []byte) []byte {
	return fill(s.Fields, settings)
}

func fill(fields []Field, settings []byte) []byte {
	sent, ok := members(settings)
	if !ok {
		return settings
	}
	out := []byte{'{'}
	for _, f := range fields {
		v, there := sent[f.Name]
		switch {
		case there && f.Type == TypeObject:
			v = fill(f.Fields, v)
		case !there && f.Default != nil:
			b, err := json.Marshal(f.Default, json.Deterministic(true))
			if err != nil {
				continue // Parse refuses such a default
			}
			v = b
		case !there:
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = strconv.AppendQuote(out, f.Name) // a field name is letters and digits
		out = append(out, ':')
		out = append(out, v...)
	}
	return append(out, '}')
}

// members reads a JSON object without its nulls. ok is false when data is not
// an object or names a member twice.
func members(data []byte) (m map[string]jsontext.Value, ok bool) {
	if len(data) == 0 {
		return nil, true
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, false
	}
	maps.DeleteFunc(m, func(_ string, v jsontext.Value) bool { return v.Kind() == 'n' })
	return m, true
}

// checker gathers problems.
type checker struct {
	spec     Spec // of settings
	problems []fault.Problem
}

func (c *checker) add(path, code, text string) {
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, fault.Problem{Path: path, Code: code, Text: text})
	}
}

func (c *checker) unknown(known []Field, name, path string) {
	names := make([]string, len(known))
	for i, f := range known {
		names[i] = f.Name
	}
	text := "This field is not known."
	if best := nearest(name, names); best != "" {
		text += " Did you mean " + best + "?"
	}
	c.add(path, "unknown_field", text)
}

func (c *checker) object(fields []Field, data []byte, path string) {
	sent, ok := members(data)
	if !ok {
		c.add(path, "malformed", "This is not a JSON object in which each field stands once.")
		return
	}
	for _, f := range fields {
		v, there := sent[f.Name]
		delete(sent, f.Name)
		switch {
		case there:
			c.value(f, v, join(path, f.Name))
		case f.Required:
			c.add(join(path, f.Name), "required", "The field "+f.Name+" is required.")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		c.unknown(fields, name, join(path, name))
	}
}

// value checks one value against its field.
func (c *checker) value(f Field, v jsontext.Value, path string) {
	if f.Lists {
		var own bool
		if v, own = c.events(f, v, path); !own {
			return
		}
	}
	switch f.Type {
	case TypeObject:
		c.object(f.Fields, v, path)
	case TypeMap:
		c.texts(f, v, path)
	case typeValues:
		c.overrides(v, path)
	case TypeStrings:
		c.list(f, v, path)
	case TypeBoolean:
		if k := v.Kind(); k != 't' && k != 'f' || !v.IsValid() {
			c.add(path, "wrong_type", "This is true or false.")
		}
	case TypeInteger:
		n, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil {
			c.add(path, "wrong_type", "This is a whole number.")
			return
		}
		c.limits(f, n, path, "")
	default:
		var s string
		if err := json.Unmarshal(v, &s); err != nil || v.Kind() != '"' {
			c.add(path, "wrong_type", "This is text.")
			return
		}
		c.text(f, s, path)
	}
}

// text checks a value of the types that JSON writes as a string.
func (c *checker) text(f Field, s, path string) {
	switch f.Type {
	case TypeEnum:
		if !slices.Contains(f.Enum, s) {
			c.add(path, "not_in_enum", fmt.Sprintf("This is one of %q.", f.Enum))
		}
		return
	case TypeDuration:
		d, ok := duration.Parse(s)
		if !ok {
			c.add(path, "bad_duration", "This is a duration such as 5s or 2m.")
			return
		}
		c.limits(f, int64(d/time.Millisecond), path, " milliseconds")
		return
	case TypeURL:
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			c.add(path, "bad_url", "This is an absolute address that begins with http:// or https://.")
			return
		}
		if u.User != nil {
			c.add(path, "bad_url", "An address holds no user and password; put them into a secret.")
			return
		}
	}
	c.limits(f, int64(len(s)), path, " bytes long")
	if f.Pattern != "" && !matches(f.Pattern, s) {
		c.add(path, "bad_pattern", strings.TrimSpace("This has to match the pattern "+f.Pattern+". "+f.Doc))
	}
}

// limits checks n against Min and Max; unit follows the number in the text.
func (c *checker) limits(f Field, n int64, path, unit string) {
	if f.Min != nil && n < *f.Min {
		c.add(path, "too_small", fmt.Sprintf("This is at least %d%s.", *f.Min, unit))
	}
	if f.Max != nil && n > *f.Max {
		c.add(path, "too_large", fmt.Sprintf("This is at most %d%s.", *f.Max, unit))
	}
}

// list checks an array of strings; length limits and pattern hold for each.
func (c *checker) list(f Field, v jsontext.Value, path string) {
	var values []jsontext.Value
	if err := json.Unmarshal(v, &values); err != nil || v.Kind() != '[' {
		c.add(path, "wrong_type", "This is a list of texts.")
		return
	}
	f.Type = TypeString
	for i, e := range values {
		c.value(f, e, fmt.Sprintf("%s[%d]", path, i))
	}
}

// texts checks an object of strings; length limits and pattern hold for each.
func (c *checker) texts(f Field, v jsontext.Value, path string) {
	var values map[string]jsontext.Value
	if err := json.Unmarshal(v, &values); err != nil || v.Kind() != '{' {
		c.add(path, "wrong_type", `This is a JSON object of texts, such as {"name":"value"}, in which each name stands once.`)
		return
	}
	f.Type = TypeString
	for _, name := range slices.Sorted(maps.Keys(values)) {
		c.value(f, values[name], join(path, name))
		var s string
		if json.Unmarshal(values[name], &s) == nil && strings.ContainsFunc(s, unicode.IsControl) {
			c.add(join(path, name), "malformed", "The text holds a control character, such as a line break.")
		}
	}
}

// matches reports whether the whole of s matches an RE2 pattern.
func matches(pattern, s string) bool {
	re, err := regexp.Compile(`^(?:` + pattern + `)$`)
	return err == nil && re.MatchString(s)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// nearest returns the known name that is the fewest edits away from name, ""
// when none is near enough to be what was meant.
func nearest(name string, known []string) string {
	best, least := "", max(2, len(name)/3)+1
	if len(name) > 64 {
		return ""
	}
	for _, k := range known {
		if d := edits(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// edits is the Levenshtein distance of a and b in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Codes lists every code of Check, CheckSecret and CheckSecretNames.
func Codes() []string {
	return []string{
		"malformed", "unknown_field", "required", "wrong_type", "too_small", "too_large",
		"not_in_enum", "bad_pattern", "bad_url", "bad_duration", "too_many",
		"duplicate_name", "not_allowed",
	}
}
