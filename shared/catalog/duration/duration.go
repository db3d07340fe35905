// Package duration is the form in which durations stand in settings and specs.
package duration

import (
	"fmt"
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

// UnmarshalText reads what time.ParseDuration reads, but nothing negative.
func (d *Duration) UnmarshalText(text []byte) error {
	v, ok := Parse(string(text))
	if !ok {
		return fmt.Errorf("not a duration: write a number with a unit, such as 5s or 2m")
	}
	*d = Duration(v)
	return nil
}

// Parse reads a duration that is not negative.
func Parse(s string) (time.Duration, bool) {
	v, err := time.ParseDuration(s)
	return v, err == nil && v >= 0
}
