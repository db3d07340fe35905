package api

import (
	"strconv"
	"strings"
	"time"

	"weir/shared/catalog/streams"
	"weir/shared/catalog/streams/word"
)

// reading is a value of a cursor: milliseconds since 1970, or a number.
type reading = int64

// parse reads a position's text.
func parse(c *streams.Cursor, text string) reading {
	if text == "" {
		return 0
	}
	if c.Type == word.Integer {
		n, _ := strconv.ParseInt(text, 10, 64) // our own
		return n
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0
	}
	return t.UnixMilli()
}

// write writes a position's text.
func write(c *streams.Cursor, v reading) string {
	if c.Type == word.Integer {
		return strconv.FormatInt(v, 10)
	}
	return time.UnixMilli(v).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// layouts are the forms of times that vendors write, beside RFC 3339.
var layouts = [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05", "2006-01-02T15:04:05.999999999", time.DateOnly, "20060102"}

// valueOf reads the value of a row's field, rounded down.
func valueOf(c *streams.Cursor, row []byte) (reading, bool) {
	text := strings.TrimSpace(at(row, c.Field).Text())
	if text == "" {
		return 0, false
	}
	switch c.Type {
	case word.Integer, word.UnixMS, word.Unix:
		whole, _, _ := strings.Cut(text, ".")
		n, err := strconv.ParseInt(whole, 10, 64)
		if c.Type == word.Unix {
			n *= 1000
		}
		return n, err == nil
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UnixMilli(), true
		}
	}
	return 0, false
}

// floor is v as exactly as the vendor's filter tells times apart.
func floor(c *streams.Cursor, v reading) reading {
	if g := c.Granularity.Milliseconds(); g > 0 && c.Type != word.Integer {
		return v - v%g
	}
	return v
}

// format writes a value as a request names it.
func format(v reading, as string) string {
	t := time.UnixMilli(v).UTC()
	switch as {
	case word.Unix:
		return strconv.FormatInt(t.Unix(), 10)
	case word.UnixMS, word.Integer, "unix_ms_text":
		return strconv.FormatInt(v, 10)
	case word.Date:
		return t.Format(time.DateOnly)
	case "second":
		return t.Format("2006-01-02T15:04:05Z")
	case "second_before":
		return t.Add(-time.Second).Format("2006-01-02T15:04:05Z")
	case "minute":
		return t.Format("2006-01-02 15:04")
	}
	return t.Format("2006-01-02T15:04:05.000Z07:00")
}
