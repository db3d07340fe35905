package rate_test

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/outbound/rate"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// TestNoTimeHasMoreThanTheRate asks at random moments, as many lanes do.
func TestNoTimeHasMoreThanTheRate(t *testing.T) {
	t.Parallel()
	for _, l := range []destination.Limits{{Rate: 1, RatePer: time.Second}, {Rate: 3, RatePer: time.Second}, {Rate: 15, RatePer: time.Second}, {Rate: 100, RatePer: time.Minute}, {Rate: 1000, RatePer: time.Second}} {
		var rates rate.Rates
		r := rand.New(rand.NewPCG(uint64(l.Rate), 1))
		var went []time.Time
		now, end := start, start.Add(10*l.RatePer)
		for now.Before(end) {
			turn, wait := rates.Take("dst_a", l, now)
			if wait == 0 {
				went = append(went, now)
				turn.Learn(destination.Response{Status: 200}, now)
			} else if r.IntN(2) == 0 {
				now = now.Add(wait)
			}
			now = now.Add(time.Duration(r.Int64N(int64(l.RatePer)/int64(l.Rate)/2 + 1)))
		}
		for i := range went {
			if i >= l.Rate && went[i].Sub(went[i-l.Rate]) < l.RatePer-time.Microsecond {
				t.Errorf("%d per %v: %d went within %v", l.Rate, l.RatePer, l.Rate+1, went[i].Sub(went[i-l.Rate]))
				break
			}
		}
		if len(went) < 7*l.Rate {
			t.Errorf("%d per %v: %d went in ten times that, want most of what may go", l.Rate, l.RatePer, len(went))
		}
	}
}

func TestAnswersPauseAllLanes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		header http.Header
		want   time.Duration
	}{
		"nothing is said":          {200, http.Header{}, 0},
		"something is left":        {200, http.Header{"X-Ratelimit-Remaining": {"3"}, "X-Ratelimit-Reset": {"9"}}, 0},
		"nothing is left":          {200, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"9"}}, 9 * time.Second},
		"until a time":             {200, http.Header{"Ratelimit-Remaining": {"0"}, "Ratelimit-Reset": {"1772366405"}}, 5 * time.Second},
		"until a time in ms":       {200, http.Header{"X-Rate-Limit-Remaining": {"0"}, "X-Rate-Limit-Reset": {"1772366405500"}}, 5500 * time.Millisecond},
		"a time that is over":      {200, http.Header{"Ratelimit-Remaining": {"0"}, "Ratelimit-Reset": {"1772366300"}}, 0},
		"the newer form":           {200, http.Header{"Ratelimit": {`"default";r=0;t=30`}}, 30 * time.Second},
		"the older form":           {200, http.Header{"Ratelimit": {`limit=100, remaining=0, reset=7`}}, 7 * time.Second},
		"no foresight is for long": {200, http.Header{"Ratelimit-Remaining": {"0"}, "Ratelimit-Reset": {"86400"}}, 5 * time.Minute},
		"a refusal":                {429, http.Header{"Retry-After": {"11"}}, 11 * time.Second},
		"a refusal for long":       {429, http.Header{"Ratelimit-Remaining": {"0"}, "Ratelimit-Reset": {"86400"}}, time.Hour},
		"a server that is busy":    {503, http.Header{"Retry-After": {"2"}}, 2 * time.Second},
		"garbage":                  {429, http.Header{"Ratelimit-Remaining": {"0"}, "Ratelimit-Reset": {"soon"}, "Retry-After": {"NaN"}}, 0},
	} {
		var rates rate.Rates
		turn, _ := rates.Take("dst_a", destination.Limits{}, start)
		turn.Learn(destination.Response{Status: tc.status, Header: tc.header}, start)
		if _, got := rates.Take("dst_a", destination.Limits{}, start); got != tc.want {
			t.Errorf("%s: asked to wait %v, want %v", name, got, tc.want)
		}
		if _, got := rates.Take("dst_b", destination.Limits{}, start); got != 0 {
			t.Errorf("%s: another destination waits %v", name, got)
		}
	}
}
