// Package duration is the form in which durations stand in settings and specs.
package duration

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration whose text and JSON form is a string such as
// "5s" or "1m30s". Generated settings use it for fields of TypeDuration.
type Duration time.Duration

// Std returns d as a time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) }

func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText writes d as time.Duration prints it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what Parse reads.
func (d *Duration) UnmarshalText(text []byte) error {
	v, ok := Parse(string(text))
	if !ok {
		return fmt.Errorf("not a duration: write a number with a unit, such as 5s or 2m")
	}
	*d = Duration(v)
	return nil
}

// mostDays is about 100 years.
const mostDays = 36_500

// Parse reads a duration that is not negative: what time.ParseDuration reads, or a whole
// number of days of 24 hours, such as 400d.
func Parse(s string) (time.Duration, bool) {
	if days, is := strings.CutSuffix(s, "d"); is {
		n, err := strconv.ParseUint(days, 10, 32)
		return time.Duration(n) * 24 * time.Hour, err == nil && n <= mostDays
	}
	v, err := time.ParseDuration(s)
	return v, err == nil && v >= 0
}
