package retention_test

import (
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/retention"
)

func TestAClockThatJumpedIsBelievedAfterADay(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]time.Duration{"ahead": 40 * 24 * time.Hour, "back": -40 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				wrong := time.Duration(0)
				now := func() time.Time { return time.Now().Add(wrong) }
				c := retention.NewClock(now, time.Now().Add(-time.Hour))
				is := func(when string, want bool) {
					t.Helper()
					oldest, sure := c.Oldest()
					if sure != want || !oldest.Equal(now().Add(-retention.Kept)) {
						t.Errorf("%s: %v, sure %t, want 30 days before %v, %t", when, oldest, sure, now(), want)
					}
				}
				is("at start", true)
				time.Sleep(300 * 24 * time.Hour)
				is("after 300 days without a look", true)
				wrong = jump
				is("after a jump", false)
				time.Sleep(23 * time.Hour)
				is("23 hours later", false)
				time.Sleep(2 * time.Hour)
				is("a day later", true)
				wrong = 0
				is("when it is set right", false)
				time.Sleep(25 * time.Hour)
				is("a day after it was set right", true)
			})
		})
	}
}

func TestATimeFarFromTheNewestRecordIsBelievedAfterADay(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		newest func(now time.Time) time.Time
		sure   bool
	}{
		"written an hour ago":   {func(now time.Time) time.Time { return now.Add(-time.Hour) }, true},
		"written a month ago":   {func(now time.Time) time.Time { return now.Add(-30 * 24 * time.Hour) }, false},
		"written in the future": {func(now time.Time) time.Time { return now.Add(30 * 24 * time.Hour) }, false},
		"nothing written":       {func(time.Time) time.Time { return time.Time{} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := retention.NewClock(time.Now, tc.newest(time.Now()))
				if _, sure := c.Oldest(); sure != tc.sure {
					t.Errorf("sure = %t, want %t", sure, tc.sure)
				}
				time.Sleep(25 * time.Hour)
				if _, sure := c.Oldest(); !sure {
					t.Error("a day later it is not sure")
				}
			})
		})
	}
}
