package convert

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"weir/dataplane/destination/fields"
)

// integer keeps the digits of a number as they stand, big ones too.
func integer(v Value) Value {
	text := strings.TrimSpace(v.Text())
	if text == "true" || text == "false" {
		return Value{}
	}
	digits := strings.TrimPrefix(text, "-")
	if digits != "" && strings.Trim(digits, "0123456789") == "" && (digits[0] != '0' || len(digits) == 1) {
		return JSON(fields.Value(text))
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(n) >= 1<<63 || n != n {
		return Value{}
	}
	return JSON(strconv.AppendInt(nil, int64(n), 10))
}

func number(v Value) Value {
	if v.raw.IsNumber() {
		return v
	}
	n, ok := v.Raw().Number()
	if !ok {
		return Value{}
	}
	return JSON(strconv.AppendFloat(nil, n, 'f', -1, 64))
}

func boolean(v Value) Value {
	switch strings.ToLower(strings.TrimSpace(v.Text())) {
	case "true", "1", "yes":
		return JSON(fields.Value("true"))
	case "false", "0", "no":
		return JSON(fields.Value("false"))
	}
	return Value{}
}

// milliseconds is where a number of seconds would be in the year 5138: above, it is of
// milliseconds.
const milliseconds = 1e11

// Time reads a time: ISO 8601, or seconds or milliseconds since 1970.
func (v Value) Time() (time.Time, bool) {
	text := strings.TrimSpace(v.Text())
	if len(text) < 1 || len(text) > 64 {
		return time.Time{}, false
	}
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", "2006-01-02", "2006-01-02T15:04:05.999999999Z0700"} {
		if len(text) < 8 || text[4] != '-' {
			break
		}
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), true
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(math.Abs(n) < 1e15) {
		return time.Time{}, false
	}
	if math.Abs(n) < milliseconds {
		n *= 1000
	}
	return time.UnixMilli(int64(n)).UTC(), true
}

// seconds is a time as a number of parts of a second since 1970.
func seconds(v Value, parts int64) Value {
	at, ok := v.Time()
	if !ok {
		return Value{}
	}
	n := at.Unix()
	if parts == 1000 {
		n = at.UnixMilli()
	}
	return JSON(strconv.AppendInt(nil, n, 10))
}

func layout(v Value, form string) Value {
	at, ok := v.Time()
	if !ok || at.Year() < 1 || at.Year() > 9999 {
		return Value{}
	}
	return Text(at.Format(form))
}

func list(v Value) Value {
	if v.raw.IsList() {
		return v
	}
	return JSON(append(v.Append([]byte{'['}), ']'))
}

func first(v Value) Value {
	for e := range v.raw.Elements() {
		return JSON(e)
	}
	if v.raw.IsList() {
		return Value{}
	}
	return v
}

func last(v Value) Value {
	if !v.raw.IsList() {
		return v
	}
	var at fields.Value
	for e := range v.raw.Elements() {
		at = e
	}
	return JSON(at)
}

func count(v Value) Value {
	if !v.raw.IsList() {
		return Value{}
	}
	n := 0
	for range v.raw.Elements() {
		n++
	}
	return JSON(strconv.AppendInt(nil, int64(n), 10))
}

func sum(v Value, path []string) Value {
	total, any := 0.0, false
	for e := range v.raw.Elements() {
		if n, ok := e.Get(path...).Number(); ok {
			total, any = total+n, true
		}
	}
	if !any || total-total != 0 {
		return Value{}
	}
	return JSON(strconv.AppendFloat(nil, math.Round(total*1e6)/1e6, 'f', -1, 64))
}

func join(v Value, between string) Value {
	if !v.raw.IsList() {
		return Text(v.Text())
	}
	var b strings.Builder
	for e := range v.raw.Elements() {
		text := e.Text()
		if text == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(between)
		}
		b.WriteString(text)
	}
	return Text(b.String())
}

func split(v Value, between string) Value {
	if v.raw.IsList() {
		return v
	}
	out := []byte{'['}
	for part := range strings.SplitSeq(v.Text(), between) {
		if part = strings.TrimSpace(part); part != "" {
			if len(out) > 1 {
				out = append(out, ',')
			}
			out = Text(part).Append(out)
		}
	}
	if len(out) == 1 {
		return Value{}
	}
	return JSON(append(out, ']'))
}

// truncate keeps the first n characters.
func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}

// words are the words of a name in lower case: parted by what is no letter or digit,
// and in front of a capital behind a small letter.
func words(s string) []string {
	var all []string
	var word bytes.Buffer
	end := func() {
		if word.Len() > 0 {
			all = append(all, word.String())
			word.Reset()
		}
	}
	small := false
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			end()
			small = false
			continue
		}
		if unicode.IsUpper(r) && small {
			end()
		}
		small = !unicode.IsUpper(r)
		word.WriteRune(unicode.ToLower(r))
	}
	end()
	return all
}

func camel(s string) string {
	all := words(s)
	for i := 1; i < len(all); i++ {
		all[i] = title(all[i])
	}
	return strings.Join(all, "")
}

// title writes the first letter of each word large.
func title(s string) string {
	begin := true
	return strings.Map(func(r rune) rune {
		was := begin
		begin = unicode.IsSpace(r)
		if was {
			return unicode.ToTitle(r)
		}
		return r
	}, s)
}
