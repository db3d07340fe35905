package quota_test

import (
	"net/http"
	"testing"
	"time"

	"weir/controlplane/api/quota"
	"weir/shared/fault"
)

func TestACallerHasItsQuotaInEachWindow(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	q := quota.New(2, 10*time.Second, func() time.Time { return now })
	take := func(caller string) (http.Header, error) {
		h := http.Header{}
		err := q.Take(caller, h)
		return h, err
	}
	if h, err := take("a"); err != nil || h.Get("RateLimit-Policy") != `"default";q=2;w=10` || h.Get("RateLimit") != `"default";r=1;t=10` {
		t.Errorf("first request: %v, %v", h, err)
	}
	now = now.Add(2500 * time.Millisecond)
	if h, err := take("a"); err != nil || h.Get("RateLimit") != `"default";r=0;t=8` {
		t.Errorf("second request: %v, %v", h, err)
	}
	if h, err := take("a"); fault.KindOf(err) != fault.Limited || h.Get("Retry-After") != "8" {
		t.Errorf("third request: %v, %v; want limited for 8 s", h, err)
	}
	if _, err := take("b"); err != nil {
		t.Errorf("another caller: %v", err)
	}
	now = now.Add(8 * time.Second)
	if _, err := take("a"); err != nil {
		t.Errorf("in the next window: %v", err)
	}
	now = now.Add(-time.Hour)
	if _, err := take("a"); err != nil {
		t.Errorf("after the clock stepped back: %v", err)
	}
}
