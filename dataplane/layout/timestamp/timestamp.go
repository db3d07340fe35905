// Package timestamp reads and writes times as rows of warehouses have them: ISO
// 8601 in UTC with milliseconds.
package timestamp

import "time"

// ISO reads an ISO date or date-time of the years 1 to 9999, without a zone
// in UTC, and writes it in UTC with milliseconds.
func ISO(s string) (string, bool) {
	if len(s) < 10 || len(s) > 40 || s[4] != '-' || s[7] != '-' || s[0] < '0' || s[0] > '9' {
		return "", false
	}
	year, month, day := digits(s[:4]), digits(s[5:7]), digits(s[8:10])
	if year < 1 || month < 1 || month > 12 || day < 1 {
		return "", false
	}
	hour, minute, second, nanos, offset, ok := clock(s[10:])
	if !ok {
		return "", false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	if t.Day() != day {
		return "", false
	}
	t = t.Add(-offset)
	if t.Year() < 1 || t.Year() > 9999 {
		return "", false
	}
	return Format(t), true
}

// zeroTime is the form in which rows have times.
const zeroTime = "0000-00-00T00:00:00.000Z"

// Format writes a time of the years 0 to 9999 in UTC with milliseconds.
func Format(t time.Time) string {
	var b [len(zeroTime)]byte
	return string(appendUTC(b[:0], t.UTC()))
}

// Append writes Unix milliseconds of the years 0 to 9999 as rows have times.
func Append(b []byte, millis int64) []byte { return appendUTC(b, time.UnixMilli(millis).UTC()) }

func appendUTC(b []byte, t time.Time) []byte {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	from := len(b)
	b = append(b, zeroTime...)
	for _, n := range [...]struct{ end, n int }{{3, year}, {6, int(month)}, {9, day}, {12, hour}, {15, minute}, {18, second}, {22, t.Nanosecond() / 1e6}} {
		for i := from + n.end; n.n > 0; i-- {
			b[i] = byte('0' + n.n%10)
			n.n /= 10
		}
	}
	return b
}

// Parse reads a time as rows have it, in Unix milliseconds.
func Parse(s string) (int64, bool) {
	if len(s) != len(zeroTime) || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' || s[19] != '.' || s[23] != 'Z' {
		return 0, false
	}
	good := true
	num := func(from, to int) int {
		n := 0
		for i := from; i < to; i++ {
			good = good && s[i] >= '0' && s[i] <= '9'
			n = n*10 + int(s[i]-'0')
		}
		return n
	}
	year, month, day := num(0, 4), num(5, 7), num(8, 10)
	hour, minute, second, ms := num(11, 13), num(14, 16), num(17, 19), num(20, 23)
	if !good || year < 1 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	return t.UnixMilli() + int64(ms), t.Day() == day
}

// digits is a number of digits only, else -1.
func digits(s string) int {
	n := 0
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return -1
		}
		n = n*10 + int(s[i]-'0')
	}
	return n
}

// clock reads what stands behind a date: nothing, or T or a blank, hh:mm, :ss, a
// fraction, and Z or an offset.
func clock(s string) (hour, minute, second, nanos int, offset time.Duration, ok bool) {
	if s == "" {
		return 0, 0, 0, 0, 0, true
	}
	if len(s) < 6 || s[0] != 'T' && s[0] != ' ' || s[3] != ':' {
		return
	}
	hour, minute = digits(s[1:3]), digits(s[4:6])
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 {
		return
	}
	s = s[6:]
	if len(s) >= 3 && s[0] == ':' {
		second = digits(s[1:3])
		if second < 0 || second > 59 {
			return
		}
		if s = s[3:]; len(s) > 1 && (s[0] == '.' || s[0] == ',') {
			i := 1
			for unit := 100_000_000; i < len(s) && isDigit(s[i]); i, unit = i+1, unit/10 {
				nanos += unit * int(s[i]-'0')
			}
			if i == 1 {
				return
			}
			s = s[i:]
		}
	}
	offset, ok = zone(s)
	return
}

func zone(s string) (time.Duration, bool) {
	if s == "" || s == "Z" || s == "z" {
		return 0, true
	}
	if s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	var h, m int
	switch d := s[1:]; {
	case len(d) == 2:
		h = digits(d)
	case len(d) == 4:
		h, m = digits(d[:2]), digits(d[2:])
	case len(d) == 5 && d[2] == ':':
		h, m = digits(d[:2]), digits(d[3:])
	default:
		return 0, false
	}
	if h < 0 || h > 23 || m < 0 || m > 59 {
		return 0, false
	}
	offset := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	if s[0] == '-' {
		offset = -offset
	}
	return offset, true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
