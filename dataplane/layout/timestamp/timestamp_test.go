package timestamp_test

import (
	"testing"
	"time"

	"weir/dataplane/layout/timestamp"
)

func TestTimesAreReadAsTheyAreWritten(t *testing.T) {
	for sent, want := range map[string]string{
		"2026-02-03":                      "2026-02-03T00:00:00.000Z",
		"2026-02-03T04:05:06.0789+02:00":  "2026-02-03T02:05:06.078Z",
		"2024-02-29T23:59:59Z":            "2024-02-29T23:59:59.000Z",
		"2026-02-29":                      "",
		"2026-02-03T25:00:00Z":            "",
		"0001-01-01T00:00:00+01:00":       "", // before the year 1
		"26-02-03":                        "",
		"2026-02-03T04:05:06.078Z and on": "",
	} {
		got, ok := timestamp.ISO(sent)
		if got != want || ok != (want != "") {
			t.Errorf("ISO(%q) = %q, %v, want %q", sent, got, ok, want)
		}
		if !ok {
			continue
		}
		millis, ok := timestamp.Parse(got)
		if !ok || string(timestamp.Append(nil, millis)) != got || timestamp.Format(time.UnixMilli(millis)) != got {
			t.Errorf("%s is read as %d, %v and written as %s", got, millis, ok, timestamp.Append(nil, millis))
		}
	}
}
