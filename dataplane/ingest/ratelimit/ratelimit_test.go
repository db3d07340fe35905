package ratelimit_test

import (
	"testing"
	"time"

	"weir/dataplane/ingest/ratelimit"
)

func TestABucketFillsWithTimeAndMayOwe(t *testing.T) {
	t.Parallel()
	var limits ratelimit.Limits[string]
	rate, start := ratelimit.Rate{Events: 10, Burst: 40}, time.Unix(1_700_000_000, 0)
	for i, step := range []struct {
		after     time.Duration // the start
		n         int
		ok        bool
		remaining int64
		wait      time.Duration
	}{
		{0, 30, true, 10, time.Millisecond},
		{0, 11, false, 10, 100 * time.Millisecond},   // all of it or nothing
		{time.Second, 20, true, 0, time.Millisecond}, // 10 came
		{time.Minute, 100, true, 0, 6 * time.Second}, // more than fits, from a full bucket: 60 are owed
		{time.Minute, 1, false, 0, 6100 * time.Millisecond},
		{66 * time.Second, 1, false, 0, 100 * time.Millisecond},
		{67 * time.Second, 1, true, 9, time.Millisecond},
	} {
		now := start.Add(step.after)
		got, ok := limits.Take("a", rate, step.n, now)
		if ok != step.ok || got.Limit != 40 || got.Remaining != step.remaining || got.Wait != step.wait {
			t.Errorf("step %d: %+v, %v, want %d remaining, a wait of %v, %v", i, got, ok, step.remaining, step.wait, step.ok)
		}
	}
	if _, ok := limits.Peek("a", ratelimit.Rate{}, start); !ok {
		t.Error("a source without a rate is refused")
	}
}
