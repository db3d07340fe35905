// Package instant reads and writes the times of events: milliseconds since 1970,
// UTC, in the years 0000 to 9999. It allocates nothing.
package instant

import (
	"math"
	"strconv"
)

// ParseNumber reads a decimal number: seconds since 1970 up to 1e11 (the year 5138),
// from there to 1e14 milliseconds.
func ParseNumber(text []byte) (int64, bool) {
	if len(text) > 64 {
		return 0, false
	}
	whole, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(string(text), 64)
		switch {
		case err != nil || math.Abs(f) >= 1e14:
			return 0, false
		case math.Abs(f) < 1e11:
			f *= 1000
		}
		whole = int64(math.Floor(f + 1e-4)) // a decimal fraction may lie a hair below
		return whole, Valid(whole)
	}
	switch {
	case whole >= 1e14 || whole <= -1e14:
		return 0, false
	case whole < 1e11 && whole > -1e11:
		whole *= 1000
	}
	return whole, Valid(whole)
}

// yearTwo is the beginning of the year 0002. The zero time of Go and .NET is that of
// the year before, in any zone.
const yearTwo = -62_104_060_800_000

// Zero reports whether ms is what a language has for no time: something before the
// year 0002, or the beginning of 1970.
func Zero(ms int64) bool { return ms == 0 || ms < yearTwo }

// ParseText reads RFC 3339 or what is close to it: date alone, T or a space between
// date and time, seconds and a fraction (after '.' or ',') may be missing, the zone
// is Z, UTC, +hh, +hhmm, +hh:mm or missing, which means UTC; or 10 digits (seconds)
// or 13 digits (milliseconds since 1970).
func ParseText(text []byte) (ms int64, ok bool) {
	if (len(text) == 10 || len(text) == 13) && allDigits(text) {
		return ParseNumber(text)
	}
	return parseCalendar(text)
}

// parseCalendar reads a date, or a date and a time.
func parseCalendar(s []byte) (int64, bool) {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	year, ok1 := digits(s[0:4])
	month, ok2 := digits(s[5:7])
	day, ok3 := digits(s[8:10])
	if !ok1 || !ok2 || !ok3 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	ms := daysSince1970(year, month, day) * msPerDay
	if s = s[10:]; len(s) == 0 {
		return ms, true
	}
	if s[0] != 'T' && s[0] != 't' && s[0] != ' ' {
		return 0, false
	}
	clock, rest, ok := parseClock(s[1:])
	if !ok {
		return 0, false
	}
	offset, ok := parseZone(rest)
	ms += clock - offset
	return ms, ok && Valid(ms)
}

// parseClock reads hh:mm[:ss[.fraction]] into milliseconds. A leap second is
// the first of the next minute.
func parseClock(s []byte) (ms int64, rest []byte, ok bool) {
	if len(s) < 5 || s[2] != ':' {
		return 0, nil, false
	}
	hour, ok1 := digits(s[0:2])
	minute, ok2 := digits(s[3:5])
	if !ok1 || !ok2 || hour > 23 || minute > 59 {
		return 0, nil, false
	}
	ms = (hour*60 + minute) * 60_000
	if s = s[5:]; len(s) == 0 || s[0] != ':' {
		return ms, s, true
	}
	if len(s) < 3 {
		return 0, nil, false
	}
	second, ok3 := digits(s[1:3])
	if !ok3 || second > 60 {
		return 0, nil, false
	}
	ms += second * 1000
	if s = s[3:]; len(s) == 0 || s[0] != '.' && s[0] != ',' {
		return ms, s, true
	}
	n := 1
	for unit := int64(100); n < len(s) && '0' <= s[n] && s[n] <= '9'; n++ {
		ms += int64(s[n]-'0') * unit
		unit /= 10
	}
	return ms, s[n:], n > 1
}

// parseZone reads an offset from UTC into milliseconds.
func parseZone(s []byte) (int64, bool) {
	if len(s) > 0 && s[0] == ' ' {
		s = s[1:]
	}
	switch string(s) {
	case "", "Z", "z", "UTC", "GMT":
		return 0, true
	}
	sign := int64(1)
	if s[0] == '-' {
		sign = -1
	} else if s[0] != '+' {
		return 0, false
	}
	s = s[1:]
	if len(s) == 5 && s[2] == ':' {
		s = []byte{s[0], s[1], s[3], s[4]}
	}
	if len(s) != 2 && len(s) != 4 {
		return 0, false
	}
	hours, ok := digits(s[:2])
	minutes, ok2 := digits(s[2:])
	if !ok || !ok2 || hours > 23 || minutes > 59 {
		return 0, false
	}
	return sign * (hours*60 + minutes) * 60_000, true
}

// digits reads a decimal number without a sign; "" is 0.
func digits(s []byte) (int64, bool) {
	var n int64
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

func allDigits(s []byte) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

const msPerDay = 24 * 60 * 60 * 1000

// The first and last millisecond that RFC 3339 can write.
const (
	firstMs = -62_167_219_200_000
	lastMs  = 253_402_300_799_999
)

// Valid reports whether ms lies in the years 0000 to 9999.
func Valid(ms int64) bool { return firstMs <= ms && ms <= lastMs }

// daysIn returns the length of a month.
func daysIn(year, month int64) int64 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSince1970 counts days in the proleptic Gregorian calendar, in years that
// begin in March, so that the leap day is the last.
// Source: days_from_civil, https://howardhinnant.github.io/date_algorithms.html
func daysSince1970(year, month, day int64) int64 {
	if month <= 2 {
		year--
	}
	era := (year+400)/400 - 1 // year is -1 at least
	ofEra := year - era*400
	ofYear := (153*((month+9)%12)+2)/5 + day - 1
	return era*146_097 + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - 719_468
}

// Append appends ms as a JSON string: RFC 3339, milliseconds, UTC.
func Append(out []byte, ms int64) []byte {
	days := (ms - firstMs) / msPerDay // from the year 0: never negative
	clock := (ms - firstMs) % msPerDay
	year, month, day := civil(days)
	out = append(out, '"', digit(year/1000), digit(year/100), digit(year/10), digit(year), '-',
		digit(month/10), digit(month), '-', digit(day/10), digit(day), 'T')
	hour, minute := clock/3_600_000, clock/60_000%60
	second, fraction := clock/1000%60, clock%1000
	return append(out, digit(hour/10), digit(hour), ':', digit(minute/10), digit(minute), ':',
		digit(second/10), digit(second), '.', digit(fraction/100), digit(fraction/10), digit(fraction), 'Z', '"')
}

// civil returns the date of a day counted from 0000-01-01.
// Source: civil_from_days, https://howardhinnant.github.io/date_algorithms.html
func civil(days int64) (year, month, day int64) {
	z := days - 60 + 146_097 // from the first of March, 400 years earlier
	era := z / 146_097
	ofEra := z - era*146_097
	yearOfEra := (ofEra - ofEra/1460 + ofEra/36_524 - ofEra/146_096) / 365
	ofYear := ofEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	shifted := (5*ofYear + 2) / 153
	day = ofYear - (153*shifted+2)/5 + 1
	if month = shifted + 3; month > 12 {
		month -= 12
	}
	if year = yearOfEra + (era-1)*400; month <= 2 {
		year++
	}
	return year, month, day
}

func digit(n int64) byte { return byte('0' + n%10) }
