// Package answers reads what vendors answer: values at paths, keys of rows, the next page's
// address, how long to wait, and rows that are lists of values. It keeps nothing.
package answers

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destination/answer"
	"weir/dataplane/destination/fields"
	"weir/dataplane/pull"
	"weir/shared/catalog/document"
	"weir/shared/catalog/streams"
)

// Limited is how long an answer asks to wait, up to an hour: by Retry-After, by the time at
// which a limit ends, by the minutes or seconds until an account of Meta gets access again, or
// by the delay that an error of Google's names; else 10 seconds.
// Sources: https://developers.facebook.com/docs/graph-api/overview/rate-limiting/,
// https://cloud.google.com/apis/design/errors#error_details
func Limited(res destination.Response, now time.Time) time.Duration {
	if d := answer.RetryAfter(res.Header, now); d > 0 {
		return min(d, time.Hour)
	}
	if n, err := strconv.ParseInt(res.Header.Get("X-Ratelimit-Reset"), 10, 64); err == nil && n > 1e8 {
		return min(max(time.Unix(n, 0).Sub(now), time.Second), time.Hour)
	}
	longest := time.Duration(0)
	for _, accounts := range fields.Value(res.Header.Get("X-Business-Use-Case-Usage")).Members() {
		for of := range accounts.Elements() {
			if n, ok := of.Get("estimated_time_to_regain_access").Number(); ok {
				longest = max(longest, time.Duration(min(n, 60)*float64(time.Minute)))
			}
		}
	}
	if n, ok := fields.Value(res.Header.Get("X-Ad-Account-Usage")).Get("reset_time_duration").Number(); ok {
		longest = max(longest, time.Duration(min(n, 3600)*float64(time.Second)))
	}
	for of := range fields.Value(bytes.TrimSpace(res.Body)).Get("error", "details").Elements() {
		if d, err := time.ParseDuration(of.Get("retryDelay").Text()); err == nil {
			longest = max(longest, d)
		}
	}
	if longest > 0 {
		return min(longest, time.Hour)
	}
	return 10 * time.Second
}

// At returns what stands at a path of a JSON value, nil for nothing and null. A number
// leads into a list.
func At(v []byte, path []string) fields.Value {
	value := fields.Value(v)
	for _, name := range path {
		n, err := strconv.Atoi(name)
		if err != nil || !value.IsList() {
			value = value.Get(name)
			continue
		}
		list := value
		value = nil
		for e := range list.Elements() {
			if n--; n < 0 {
				value = e
				break
			}
		}
	}
	return value
}

var link = regexp.MustCompile(`<([^>]*)>\s*;[^,]*\brel="?next"?`)

// NextLink is the address of the next page (RFC 8288), "" for none.
func NextLink(h http.Header) string {
	for _, line := range h.Values("Link") {
		if m := link.FindStringSubmatch(line); m != nil {
			return m[1]
		}
	}
	return ""
}

// KeyOf is what names a row; "": it has no key.
func KeyOf(paths [][]string, row []byte) string {
	parts := make([]string, 0, len(paths))
	for _, path := range paths {
		text := At(row, path).Text()
		if text == "" {
			return ""
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ":")
}

// Sum is a short form of a key.
func Sum(key string) string {
	h := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(h[:9])
}

// Holds reports whether all tests hold in a row.
func Holds(tests []streams.Test, row []byte) bool {
	for _, t := range tests {
		v := At(row, t.Path)
		text := v.Text()
		found := len(t.Is) == 0 && v != nil && text != "false" && (text != "" || !v.IsText())
		for _, is := range t.Is {
			found = found || v != nil && text == is
		}
		if !found {
			return false
		}
	}
	return len(tests) > 0
}

// Objects makes an object of each row that is a list. A column without a name is called
// column_N, one whose name was there before NAME_N, by its place from 1. Rows without any
// value are left out; they count for the numbers of the others.
func Objects(c *streams.Columns, body fields.Value, rows [][]byte) [][]byte {
	names := make([][]string, len(c.Of))
	taken := map[string]bool{c.Number: true}
	for i, of := range c.Of {
		taken[of.Key] = true
		n := 0
		every(At(body, of.Names), func(v fields.Value) {
			n++
			names[i] = append(names[i], unique(At(v, of.Name).Text(), n, taken))
		})
	}
	var all [][]byte
	for number, row := range rows[min(c.Skip, len(rows)):] {
		out, some := []byte("{"), false
		put := func(name string, v []byte) {
			if len(out) > 1 {
				out = append(out, ',')
			}
			out = append(append(append(out, document.Quoted(name)...), ':'), v...)
		}
		if c.Number != "" {
			put(c.Number, strconv.AppendInt(nil, int64(c.First+number), 10))
		}
		for i, of := range c.Of {
			var key []string
			n := 0
			every(At(row, of.Values), func(v fields.Value) {
				v = At(v, of.Value)
				if n++; n > len(names[i]) {
					names[i] = append(names[i], unique("", n, taken))
				}
				key = append(key, v.Text())
				if v == nil || v.IsText() && v.Text() == "" {
					return
				}
				some = true
				put(names[i][n-1], v)
			})
			if of.Key != "" {
				put(of.Key, document.Quoted(strings.Join(key, ":")))
			}
		}
		for _, a := range c.Answer {
			if v := At(body, a.Path); v != nil {
				put(a.Name, v)
			}
		}
		if some && (c.Require == nil || KeyOf(c.Require, append(out, '}')) != "") {
			all = append(all, append(out, '}'))
		}
	}
	return all
}

// every calls f with each element of a list, nil for null. What is no list has none.
func every(list fields.Value, f func(fields.Value)) {
	if !list.IsList() {
		return
	}
	list.Every(func(_, v fields.Value) bool {
		if string(v) == "null" {
			v = nil
		}
		f(v)
		return true
	})
}

// unique is a name that is not taken, and takes it.
func unique(name string, n int, taken map[string]bool) string {
	if name = strings.TrimSpace(name); name == "" {
		name = "column_" + strconv.Itoa(n)
	}
	for taken[name] {
		name += "_" + strconv.Itoa(n)
	}
	taken[name] = true
	return name
}

// maxGroups is how many groups are known; rows behind them are always new.
const maxGroups = 3000

// Changed returns the rows of the groups, of so many rows each, that have another sum than
// in former, and the sums of all.
func Changed(rows []pull.Record, size int, former []string) (some []pull.Record, sums []string) {
	for n := 0; len(rows) > 0; n++ {
		group := rows[:min(size, len(rows))]
		rows = rows[len(group):]
		var text strings.Builder
		for _, r := range group {
			_, _ = fmt.Fprintf(&text, "%q %q\n", r.Key, r.Row)
		}
		sum := Sum(text.String())
		if n >= len(former) || former[n] != sum {
			some = append(some, group...)
		}
		if n < maxGroups {
			sums = append(sums, sum)
		}
	}
	return some, sums
}
