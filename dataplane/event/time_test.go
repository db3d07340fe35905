package event_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/dataplane/event"
)

func TestParseTimeReadsWhatClientsSend(t *testing.T) {
	for sent, want := range map[string]string{
		`"2026-01-02T03:04:05.678Z"`:       "2026-01-02T03:04:05.678Z",
		`"2026-01-02T03:04:05Z"`:           "2026-01-02T03:04:05Z",
		`"2026-01-02T03:04:05.6Z"`:         "2026-01-02T03:04:05.6Z",
		`"2026-01-02T03:04:05.678999999Z"`: "2026-01-02T03:04:05.678Z",
		`"2026-01-02t03:04:05,5z"`:         "2026-01-02T03:04:05.5Z",
		`"2026-01-02T03:04:05.678+05:30"`:  "2026-01-01T21:34:05.678Z",
		`"2026-01-02T03:04:05.678-0800"`:   "2026-01-02T11:04:05.678Z",
		`"2026-01-02T03:04:05+01"`:         "2026-01-02T02:04:05Z",
		`"2026-01-02 03:04:05 +0000"`:      "2026-01-02T03:04:05Z",
		`"2026-01-02 03:04:05 UTC"`:        "2026-01-02T03:04:05Z",
		`"2026-01-02 03:04:05"`:            "2026-01-02T03:04:05Z",
		`"2026-01-02T03:04"`:               "2026-01-02T03:04:00Z",
		`"2026-01-02T03:04Z"`:              "2026-01-02T03:04:00Z",
		`" 2026-01-02 "`:                   "2026-01-02T00:00:00Z",
		`"2026-01-02T03:04:05\u005a"`:      "2026-01-02T03:04:05Z",
		`"2016-12-31T23:59:60Z"`:           "2017-01-01T00:00:00Z",
		`"2024-02-29"`:                     "2024-02-29T00:00:00Z",
		`"0000-01-01T00:00:00Z"`:           "0000-01-01T00:00:00Z",
		`"9999-12-31T23:59:59.999Z"`:       "9999-12-31T23:59:59.999Z",
		`1767323045`:                       "2026-01-02T03:04:05Z",
		`1767323045678`:                    "2026-01-02T03:04:05.678Z",
		`1767323045.678`:                   "2026-01-02T03:04:05.678Z",
		`1.767323045678e12`:                "2026-01-02T03:04:05.678Z",
		`"1767323045"`:                     "2026-01-02T03:04:05Z",
		`"1767323045678"`:                  "2026-01-02T03:04:05.678Z",
		`-1`:                               "1969-12-31T23:59:59Z",
		`0`:                                "1970-01-01T00:00:00Z",
	} {
		if got, ok := event.ParseTime([]byte(sent)); !ok || got.Format(time.RFC3339Nano) != want {
			t.Errorf("ParseTime(%s) = %s, %v, want %s", sent, got.Format(time.RFC3339Nano), ok, want)
		}
	}
}

func TestParseTimeRefusesWhatIsNoTime(t *testing.T) {
	for _, sent := range []string{
		``, `""`, `"`, `null`, `true`, `{}`, `[]`, `"now"`, `"2026"`, `"2026-13-01"`, `"2026-00-01"`, `"2026-02-29"`, `"1900-02-29"`, `"2026-04-31"`, `"2026-01-02T24:00:00Z"`,
		`"2026-01-02T03:60:00Z"`, `"2026-01-02T03:04:61Z"`, `"2026-01-02T03:04:05."`, `"2026-01-02T03:04:05.Z"`, `"2026-01-02T03:04:5Z"`, `"2026-01-02T03"`,
		`"2026-01-02T"`, `"2026-01-02x"`, `"2026-01-02T03:04:05Zx"`, `"2026-01-02T03:04:05+1"`, `"2026-01-02T03:04:05+24:00"`, `"2026-01-02T03:04:05+01:60"`,
		`"0000-01-01T00:00:00+01:00"`, `"9999-12-31T23:59:59-01:00"`, `1e14`, `-1e14`, `1e999`, `99999999999999999999`, `-99999999999`, `"` + strings.Repeat("1", 300) + `"`,
		`"٢٠٢٦-٠١-٠٢"`, `"+026-01-02"`,
	} {
		if got, ok := event.ParseTime([]byte(sent)); ok {
			t.Errorf("ParseTime(%s) = %s, want none", sent, got)
		}
	}
}

func TestTimesAgreeWithTheStandardLibraryOnEveryDay(t *testing.T) {
	for at := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 10_000; at = at.AddDate(0, 0, 17) {
		check(t, at)
	}
	const seed = 42
	r := rand.New(rand.NewPCG(seed, seed))
	for range 10_000 {
		check(t, time.UnixMilli(-62_167_219_200_000+r.Int64N(315_569_520_000_000)).UTC())
	}
}

// check sends a time through a parser and expects it to come out in one form.
func check(t *testing.T, at time.Time) {
	t.Helper()
	want := at.Format("2006-01-02T15:04:05.000Z")
	got, ok := event.ParseTime(strconv.AppendQuote(nil, want))
	if !ok || !got.Equal(at) {
		t.Fatalf("ParseTime(%s) = %s, %v", want, got, ok)
	}
	var p event.Parser
	p.Begin(event.Stamp{ReceivedAt: at}, nil, 0, 1)
	e, code := p.Event([]byte(`{"userId":1}`))
	if code != "" || !strings.Contains(string(e.JSON), fmt.Sprintf(`"receivedAt":%q`, want)) {
		t.Fatalf("%s came out as %s", want, e.JSON)
	}
}
