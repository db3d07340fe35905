package outbound_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/outbound"
)

// vendor takes most requests within per: in windows that begin every per, or with a
// bucket that fills all the time. It says how many are left, unless it is silent.
type vendor struct {
	most   int
	per    time.Duration
	bucket bool
	silent bool

	mu      sync.Mutex
	began   time.Time // of the window, or when the bucket was filled last
	left    float64
	took    []time.Time
	refused []time.Time
}

func (v *vendor) do(ctx context.Context, _ destination.Request, _ time.Duration) (destination.Response, error) {
	time.Sleep(time.Duration(rand.IntN(20)+1) * time.Millisecond) // the way there
	res := v.answer()
	time.Sleep(time.Duration(rand.IntN(20)+1) * time.Millisecond)
	return res, nil
}

func (v *vendor) answer() destination.Response {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	each := v.per / time.Duration(v.most)
	switch {
	case v.began.IsZero():
		v.began, v.left = now, float64(v.most)
	case v.bucket:
		v.left = min(float64(v.most), v.left+float64(now.Sub(v.began))/float64(each))
		v.began = now
	case now.Sub(v.began) >= v.per:
		v.began, v.left = v.began.Add(now.Sub(v.began).Truncate(v.per)), float64(v.most)
	}
	reset := v.began.Add(v.per).Sub(now)
	if v.bucket {
		reset = each
	}
	res := destination.Response{Status: 200, Header: http.Header{}}
	if v.left < 1 {
		res.Status = 429
		res.Header.Set("Retry-After", fmt.Sprint(reset.Seconds()))
		v.refused = append(v.refused, now)
	} else {
		v.left--
		v.took = append(v.took, now)
	}
	if !v.silent {
		res.Header.Set("X-Ratelimit-Remaining", fmt.Sprint(int(v.left)))
		res.Header.Set("X-Ratelimit-Reset", fmt.Sprint(reset.Seconds()))
	}
	return res
}

// TestLanesOfAPlaneStayTogetherWithinARate: sixteen lanes of four partitions send all
// they can, by the setting, or by what the vendor says of its limit. The vendor refuses
// none, but for those that were under way together before it said anything.
func TestLanesOfAPlaneStayTogetherWithinARate(t *testing.T) {
	t.Parallel()
	const lanes, lasts = 16, 2 * time.Minute
	for name, tc := range map[string]struct {
		vendor *vendor
		limits destination.Limits
		first  int     // refused before the vendor said anything
		later  int     // refused after that
		share  float64 // of what the vendor would take
	}{
		"a setting":               {&vendor{most: 30, per: time.Second, silent: true}, destination.Limits{Rate: 30, RatePer: time.Second}, 0, 0, 0.8},
		"a window":                {&vendor{most: 20, per: 10 * time.Second}, destination.Limits{}, 0, 0, 0.9},
		"fewer than lanes":        {&vendor{most: 5, per: 10 * time.Second}, destination.Limits{}, lanes - 5, 0, 0.9},
		"many":                    {&vendor{most: 1000, per: 10 * time.Second}, destination.Limits{}, 0, 0, 0.9},
		"a bucket":                {&vendor{most: 20, per: 10 * time.Second, bucket: true}, destination.Limits{}, 0, 0, 0.6},
		"only of what is refused": {&vendor{most: 20, per: 10 * time.Second, silent: true}, destination.Limits{}, lanes, 12 * lanes, 0.9},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := tc.vendor
				plane, target := outbound.NewPlane(v.do), &destination.Target{ID: "dst_acme", Opened: destination.Opened{HTTP: each{}, Limits: tc.limits}}
				ctx, stop := context.WithTimeout(t.Context(), lasts)
				defer stop()
				begun := time.Now()
				var all sync.WaitGroup
				for lane := range lanes {
					link := &outbound.Link{Do: v.do, Plane: plane, Deps: destination.Deps{Now: time.Now}}
					all.Go(func() {
						for n := 0; ctx.Err() == nil; n++ {
							results := make([]outbound.Result, 1)
							o := link.Send(ctx, target, batch(fmt.Sprint(lane, n)), results)
							time.Sleep(max(o.Pause, results[0].After))
						}
					})
				}
				all.Wait()
				first, later := 0, 0
				for _, at := range v.refused {
					if at.Sub(begun) < time.Second {
						first++
					} else {
						later++
					}
				}
				if first > tc.first || later > tc.later {
					t.Errorf("%d requests were refused at first and %d later, want at most %d and %d", first, later, tc.first, tc.later)
				}
				if most := float64(v.most) * lasts.Seconds() / v.per.Seconds(); float64(len(v.took)) < tc.share*most {
					t.Errorf("%d were taken of %.0f that could be", len(v.took), most)
				}
				t.Logf("%d taken, %d refused at first, %d later", len(v.took), first, later)
			})
		})
	}
}
