package health

import (
	"testing"
	"time"
)

func TestADiskLastsAtThePaceOfTheLastHour(t *testing.T) {
	t.Parallel()
	const mb = uint64(1 << 20)
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		minutes int
		free    func(minute int) uint64
		least   uint64
		want    time.Duration
	}{
		"ten a minute":              {60, func(m int) uint64 { return 2000*mb - uint64(m)*10*mb }, 400 * mb, 100 * time.Minute},
		"only the last hour":        {120, func(m int) uint64 { return 5000*mb - uint64(max(0, m-60))*10*mb }, 4000 * mb, 40 * time.Minute},
		"too early to know":         {5, func(m int) uint64 { return 2000*mb - uint64(m)*10*mb }, 400 * mb, 0},
		"it gets emptier":           {60, func(m int) uint64 { return 2000*mb + uint64(m)*mb }, 400 * mb, 0},
		"it is full":                {60, func(m int) uint64 { return 2000*mb - uint64(m)*10*mb }, 1400 * mb, 0},
		"so slow that none can say": {60, func(m int) uint64 { return 2000*mb - uint64(m) }, 400 * mb, 0},
	} {
		var p pace
		for s := range tc.minutes*60 + 1 {
			p.saw(start.Add(time.Duration(s)*time.Second), tc.free(s/60))
		}
		end := start.Add(time.Duration(tc.minutes) * time.Minute)
		if got := p.lasts(end, tc.free(tc.minutes), tc.least); (got - tc.want).Abs() > time.Second {
			t.Errorf("%s: it lasts %v, want %v", name, got, tc.want)
		}
		if len(p.points) > 62 {
			t.Errorf("%s: %d points are kept", name, len(p.points))
		}
	}
}
